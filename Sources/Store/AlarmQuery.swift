import ControlCentre
import PostgreSQL

/// What a question about the analysis asks, as SQL: of detections, of the alarms made of them and
/// what became of these, and of the matters that it should have seen.
///
/// Each counts by its own instant: a detection when it happened, an alarm when it was raised, a
/// matter when it occurred.
struct AlarmQuery: FigureSource {
    private let question: StatisticsQuestion

    init(_ question: StatisticsQuestion) { self.question = question }

    private var isQuality: Bool { question.metric == .detectionQuality }

    var firsts: [LedgerFirst] { [.alarm, .detection] }

    // MARK: The sums

    func figures(
        of spans: [LedgerSpan], by groups: [Dimension], withOthers: Bool, known: LedgerStanding
    ) -> [Statement] {
        let sums = sums.flatMap { sum in
            sum.ledger.table.statements(of: spans, asked: asked(of: sum.ledger, by: groups)) {
                reading, stretches in
                figures(
                    sum, reading, of: stretches, by: groups, withOthers: withOthers, known: known)
            }
        }
        guard withOthers else { return sums }
        return sums
            + AnalysisLedger.refusals.table.statements(of: spans, asked: []) {
                refusals($0, of: $1, by: groups, known)
            }
    }

    /// How the rows of a ledger become tallies.
    private struct Sum {
        let ledger: AnalysisLedger
        /// By which, beside the groups, the rows are summed up.
        let columns: [String]
        /// Of the sums `c`: tallies, each with whether it counts.
        let tallies: String
        /// What of them is a value.
        var value = "NULL::bigint"
        /// Why rows of the modes asked for are left out, and what holds for them in a table.
        var leftOut: (reason: LeftOutReason, condition: (_ t: String) -> String)?
    }

    private var sums: [Sum] {
        let verdict = "(CASE c.verdict WHEN 'none' THEN 'unjudged' ELSE c.verdict END, true)"
        guard isQuality else {
            return [
                Sum(
                    ledger: .alarms, columns: ["verdict", "in_incident", "dispatched", "arrived"],
                    tallies: """
                        ('alarms', true), \(verdict), ('with_incident', c.in_incident),
                            ('dispatched', c.dispatched), ('arrived', c.arrived)
                        """),
                Sum(ledger: .detections, columns: [], tallies: "('detections', true)"),
            ]
        }
        return [
            Sum(
                ledger: .alarms, columns: ["verdict"], tallies: verdict,
                leftOut: (.unjudged, { "\($0).verdict = 'none'" })),
            Sum(
                ledger: .detections, columns: ["confidence_decile"],
                tallies: "('detections', true)", value: "c.confidence_decile::bigint"),
            Sum(
                ledger: .matters, columns: ["assessment", "assessment_reason", "retracted"],
                tallies: """
                    (c.assessment, NOT c.retracted),
                        ('not_assessable_' || c.assessment_reason,
                            c.assessment = 'not_assessable' AND NOT c.retracted)
                    """,
                leftOut: (.retracted, { "\($0).retracted" })),
        ]
    }

    private func figures(
        _ sum: Sum, _ reading: LedgerTable.Reading, of stretches: [LedgerStretch],
        by groups: [Dimension], withOthers: Bool, known: LedgerStanding
    ) -> Statement {
        var query = Query()
        let from = sum.ledger.table.bind(reading, of: stretches, known: known, in: &query)
        filter(sum.ledger, &query)
        var columns = sum.columns
        // Of detections nothing is told beside.
        let withOthers = withOthers && sum.ledger != .detections
        var isOfModes = "true"
        if withOthers {
            columns.append("operating_mode")
            if sum.ledger == .alarms { columns.append("late") }
            isOfModes = question.isOfModes("c", in: &query)
        } else {
            query.filter(question.isOfModes("l", in: &query))
        }
        let keys = keys(of: sum.ledger, reading, by: groups)
        let places = (1...1 + groups.count + columns.count).map(String.init)
        var figures = FigureStatement(
            of: question, by: groups,
            sums: """
                SELECT s.parts\(keys)\(columns.map { ", l.\($0)" }.joined()),
                    sum(l.amount)::bigint AS count
                FROM \(from)
                \(query.whereClause)
                GROUP BY \(places.joined(separator: ", "))
                """)
        figures.count(
            "t.tally", value: sum.value,
            join: "CROSS JOIN LATERAL (VALUES \(sum.tallies)) t (tally, counts)",
            where: "\(isOfModes) AND t.counts AND t.tally IS NOT NULL")
        if withOthers {
            if let (reason, condition) = sum.leftOut {
                figures.tell(
                    .leftOut, named: "'\(reason.rawValue)'::text",
                    where: "\(isOfModes) AND \(condition("c"))")
            }
            if sum.ledger == .alarms {
                figures.tell(
                    .otherMode, named: "c.operating_mode", where: "NOT (\(isOfModes))")
                figures.tell(.late, named: "NULL::text", where: "\(isOfModes) AND c.late")
            }
        }
        return figures.statement(query)
    }

    /// Of the sites and the time, by receipt: what was refused has no camera or pattern to filter by.
    private func refusals(
        _ reading: LedgerTable.Reading, of stretches: [LedgerStretch], by groups: [Dimension],
        _ known: LedgerStanding
    ) -> Statement {
        var query = Query()
        let from = AnalysisLedger.refusals.table.bind(
            reading, of: stretches, known: known, in: &query)
        var figures = FigureStatement(
            of: question, by: groups,
            sums: """
                SELECT s.parts, sum(l.amount)::bigint AS count
                FROM \(from)
                \(query.whereClause)
                GROUP BY 1
                """)
        figures.tell(
            .leftOut, named: "'\(LeftOutReason.refused.rawValue)'::text", where: "true")
        return figures.statement(query)
    }

    // MARK: Dimensions

    /// What is asked of a ledger: of a dimension that its rows do not have, all have no value.
    private func asked(of ledger: AnalysisLedger, by groups: [Dimension]) -> Set<Dimension> {
        Set(groups).union(question.filters.map(\.dimension)).subtracting(ledger.absent)
    }

    private func keys(
        of ledger: AnalysisLedger, _ reading: LedgerTable.Reading, by groups: [Dimension]
    ) -> String {
        groups.enumerated().map { place, group in
            let key = ledger.table.key(of: group, reading, value: ledger.value(of: group))
            return ", \(key) AS k\(place)"
        }.joined()
    }

    private func filter(_ ledger: AnalysisLedger, _ query: inout Query) {
        for (dimension, values) in question.filters
        where dimension != .operatingMode && dimension != .site {
            let value = dimension.text(of: ledger.value(of: dimension))
            query.filter("\(value) = ANY (\(query.bind(.texts(values))))")
        }
    }

}

// MARK: The journal behind it

extension AlarmQuery {
    func changes(
        of spans: [LedgerSpan], by groups: [Dimension], leftOut: Bool, after: Int64, upTo: Int64
    ) -> [Statement] {
        let groups = leftOut ? [] : groups
        return sums.compactMap { sum in
            let ledger = sum.ledger
            var query = Query()
            let from =
                "\(query.bind(spans)) JOIN \(ledger.table.rows) l ON \(ledger.table.isWithin)"
            let isOfModes = question.isOfModes("l", in: &query)
            let isLeftOut = sum.leftOut?.condition("l") ?? "false"
            switch (ledger, leftOut) {
            case (.detections, true), (.refusals, true): return nil
            // Those that nobody has judged are counted as such, too.
            case (.alarms, true): query.filter("(NOT \(isOfModes) OR \(isLeftOut))")
            case (.alarms, false), (.detections, false), (.refusals, false):
                query.filter(isOfModes)
            case (.matters, true): query.filter(isLeftOut)
            case (.matters, false): query.filter("\(isOfModes) AND NOT \(isLeftOut)")
            }
            filter(ledger, &query)
            query.filter("p.position > \(query.bind(.int64(after)))")
            query.filter("p.position <= \(query.bind(.int64(upTo)))")
            return Statement(
                """
                SELECT DISTINCT c.part\(groups.keyTexts), c.position, j.event, j.subject
                FROM (
                    SELECT s.part\(keys(of: ledger, .rows, by: groups)), p.position, l.change,
                        l.\(ledger.subject) AS subject
                    FROM \(from) JOIN positions p ON p.change = l.change
                    \(query.whereClause)
                ) c
                JOIN journal j ON j.change = c.change
                    AND (j.subject = c.subject::text OR j.subject IN (\(ledger.related)))
                ORDER BY c.position, j.event, j.subject
                LIMIT \(ChangeBehind.rowsMax)
                """, parameters: query.parameters)
        }
    }
}
