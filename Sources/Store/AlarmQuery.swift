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

    func counts(of spans: [LedgerSpan], by groups: [Dimension], known: LedgerStanding)
        -> [Statement]
    {
        sums.flatMap { sum in
            sum.ledger.table.statements(of: spans, asked: asked(of: sum.ledger, by: groups)) {
                reading, stretches in
                count(sum, reading, of: stretches, by: groups, known)
            }
        }
    }

    /// How the rows of a ledger become tallies.
    private struct Sum {
        let ledger: AnalysisLedger
        /// Which rows count.
        var condition = "true"
        /// By which, beside the groups, the rows are summed up.
        let columns: [String]
        /// Of the sums `c`: tallies, each with whether it counts.
        let tallies: String
        /// What of them is a value.
        var value = "NULL"
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
            Sum(ledger: .alarms, columns: ["verdict"], tallies: verdict),
            Sum(
                ledger: .detections, columns: ["confidence_decile"],
                tallies: "('detections', true)", value: "c.confidence_decile"),
            Sum(
                ledger: .matters, condition: "NOT l.retracted",
                columns: ["assessment", "assessment_reason"],
                tallies: """
                    (c.assessment, true),
                        ('not_assessable_' || c.assessment_reason, c.assessment = 'not_assessable')
                    """),
        ]
    }

    private func count(
        _ sum: Sum, _ reading: LedgerTable.Reading, of stretches: [LedgerStretch],
        by groups: [Dimension], _ known: LedgerStanding
    ) -> Statement {
        var query = Query()
        let from = sum.ledger.table.bind(reading, of: stretches, known: known, in: &query)
        query.filter(sum.condition)
        filter(sum.ledger, &query, modes: true)
        let keys = keys(of: sum.ledger, reading, by: groups)
        let texts = texts(by: groups)
        let columns = sum.columns.map { ", l.\($0)" }.joined()
        let places = (1...1 + groups.count + sum.columns.count).map(String.init)
        return Statement(
            """
            SELECT p.part\(texts), t.tally, \(sum.value)::bigint, c.count, NULL::bytea
            FROM (
                SELECT s.parts\(keys)\(columns), sum(l.amount)::bigint AS count
                FROM \(from)
                \(query.whereClause)
                GROUP BY \(places.joined(separator: ", "))
            ) c
            CROSS JOIN LATERAL (VALUES \(sum.tallies)) t (tally, counts)
            \(question.rowsOfParts) AND t.counts AND t.tally IS NOT NULL
            """, parameters: query.parameters)
    }

    // MARK: What is left out

    func leftOut(of spans: [LedgerSpan], known: LedgerStanding) -> [Statement] {
        var statements = AnalysisLedger.alarms.table.statements(
            of: spans, asked: asked(of: .alarms, by: [])
        ) { otherAlarms($0, of: $1, known) }
        statements += AnalysisLedger.refusals.table.statements(of: spans, asked: []) {
            refusals($0, of: $1, known)
        }
        guard isQuality else { return statements }
        return statements
            + AnalysisLedger.matters.table.statements(of: spans, asked: asked(of: .matters, by: []))
        { retracted($0, of: $1, known) }
    }

    /// Alarms of other modes; of precision also those that nobody has judged.
    private func otherAlarms(
        _ reading: LedgerTable.Reading, of stretches: [LedgerStretch], _ known: LedgerStanding
    ) -> Statement {
        var query = Query()
        let from = AnalysisLedger.alarms.table.bind(
            reading, of: stretches, known: known, in: &query)
        filter(.alarms, &query, modes: false)
        let isOtherMode = isOtherMode(in: &query)
        query.filter("(\(isOtherMode) OR \(isUnjudged))")
        return leftOut(
            "CASE WHEN \(isOtherMode) THEN NULL ELSE '\(LeftOutReason.unjudged.rawValue)' END",
            mode: "l.operating_mode", from, query)
    }

    /// Of the sites and the time, by receipt: what was refused has no camera or pattern to filter by.
    private func refusals(
        _ reading: LedgerTable.Reading, of stretches: [LedgerStretch], _ known: LedgerStanding
    ) -> Statement {
        var query = Query()
        let from = AnalysisLedger.refusals.table.bind(
            reading, of: stretches, known: known, in: &query)
        return leftOut("'\(LeftOutReason.refused.rawValue)'", mode: "NULL::text", from, query)
    }

    private func retracted(
        _ reading: LedgerTable.Reading, of stretches: [LedgerStretch], _ known: LedgerStanding
    ) -> Statement {
        var query = Query()
        let from = AnalysisLedger.matters.table.bind(
            reading, of: stretches, known: known, in: &query)
        query.filter("l.retracted")
        filter(.matters, &query, modes: true)
        return leftOut("'\(LeftOutReason.retracted.rawValue)'", mode: "NULL::text", from, query)
    }

    private func leftOut(_ reason: String, mode: String, _ from: String, _ query: Query)
        -> Statement
    {
        Statement(
            """
            SELECT p.part, c.reason, c.operating_mode, c.count
            FROM (
                SELECT s.parts, \(reason) AS reason, \(mode) AS operating_mode,
                    sum(l.amount)::bigint AS count
                FROM \(from)
                \(query.whereClause)
                GROUP BY 1, 2, 3
            ) c
            \(question.rowsOfParts)
            """, parameters: query.parameters)
    }

    // MARK: What is counted though it came late

    func late(of spans: [LedgerSpan], known: LedgerStanding) -> [Statement] {
        let ledger = AnalysisLedger.alarms
        return ledger.table.statements(of: spans, asked: asked(of: ledger, by: [.late])) {
            reading, stretches in
            var query = Query()
            let from = ledger.table.bind(reading, of: stretches, known: known, in: &query)
            query.filter("l.late")
            filter(ledger, &query, modes: true)
            return Statement(
                """
                SELECT p.part, c.count
                FROM (
                    SELECT s.parts, sum(l.amount)::bigint AS count
                    FROM \(from)
                    \(query.whereClause)
                    GROUP BY 1
                ) c
                \(question.rowsOfParts)
                """, parameters: query.parameters)
        }
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

    private func texts(by groups: [Dimension]) -> String {
        groups.enumerated().map { ", \($0.element.text(of: "c.k\($0.offset)"))" }.joined()
    }

    private func filter(_ ledger: AnalysisLedger, _ query: inout Query, modes: Bool) {
        if modes, let modes = question.operatingModes {
            query.filter("l.operating_mode = ANY (\(query.bind(.texts(modes))))")
        }
        for (dimension, values) in question.filters
        where dimension != .operatingMode && dimension != .site {
            let value = dimension.text(of: ledger.value(of: dimension))
            query.filter("\(value) = ANY (\(query.bind(.texts(values))))")
        }
    }

    /// What holds for rows of other modes than those asked for.
    private func isOtherMode(in query: inout Query) -> String {
        guard let modes = question.operatingModes else { return "false" }
        return "l.operating_mode <> ALL (\(query.bind(.texts(modes))))"
    }

    /// What holds for alarms that precision leaves out.
    private var isUnjudged: String { isQuality ? "l.verdict = 'none'" : "false" }
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
            guard let condition = leftOut ? isLeftOut(ledger, in: &query) : sum.condition else {
                return nil
            }
            query.filter(condition)
            filter(ledger, &query, modes: !leftOut)
            query.filter("p.position > \(query.bind(.int64(after)))")
            query.filter("p.position <= \(query.bind(.int64(upTo)))")
            return Statement(
                """
                SELECT DISTINCT c.part\(texts(by: groups)), c.position, j.event, j.subject
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

    /// What holds for the rows of a ledger that an answer leaves out; nil: it leaves none out.
    private func isLeftOut(_ ledger: AnalysisLedger, in query: inout Query) -> String? {
        switch ledger {
        case .alarms: "(\(isOtherMode(in: &query)) OR \(isUnjudged))"
        case .matters: "l.retracted"
        case .detections, .refusals: nil
        }
    }
}
