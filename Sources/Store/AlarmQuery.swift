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

    private enum Ledger {
        case alarms
        case detections
        case matters

        var table: String {
            switch self {
            case .alarms: "alarm_ledger"
            case .detections: "detection_ledger"
            case .matters: "incident_ledger"
            }
        }

        /// The clock by which it counts.
        var time: String {
            switch self {
            case .alarms: "raised_in"
            case .detections, .matters: "occurred_in"
            }
        }

        /// The value that a row has of a dimension; NULL where it has none.
        func value(of dimension: Dimension) -> String {
            switch (self, dimension) {
            case (.detections, .dismissalReason): "NULL::text"
            default: "l.\(dimension.rawValue)"
            }
        }
    }

    // MARK: Since when

    var firsts: [LedgerFirst] { [.alarm, .detection] }

    // MARK: The sums

    func counts(of spans: [LedgerSpan], by groups: [Dimension], known: LedgerStanding)
        -> [Statement]
    {
        let isQuality = question.metric == .detectionQuality
        let alarms = Sum(
            ledger: .alarms, condition: nil,
            columns: ["verdict", "in_incident", "dispatched", "arrived"],
            tallies: isQuality
                ? "(c.verdict_tally, true)"
                : """
                ('alarms', true), (c.verdict_tally, true), ('with_incident', c.in_incident),
                    ('dispatched', c.dispatched), ('arrived', c.arrived)
                """)
        let detections = Sum(
            ledger: .detections, condition: nil, columns: isQuality ? ["confidence_decile"] : [],
            tallies: "('detections', true)", value: isQuality ? "c.confidence_decile" : nil)
        let matters = Sum(
            ledger: .matters, condition: "NOT l.retracted",
            columns: ["assessment", "assessment_reason"],
            tallies: """
                (c.assessment, true),
                    ('not_assessable_' || c.assessment_reason, c.assessment = 'not_assessable')
                """)
        return (isQuality ? [alarms, detections, matters] : [alarms, detections]).map {
            statement($0, of: spans, by: groups, known: known)
        }
    }

    /// How the rows of a ledger become tallies.
    private struct Sum {
        let ledger: Ledger
        let condition: String?
        /// By which, beside the groups, the rows are summed up.
        let columns: [String]
        /// Of the sums `c`: tallies, each with whether it counts.
        let tallies: String
        /// What of them is a value.
        var value: String?
    }

    private func statement(
        _ sum: Sum, of spans: [LedgerSpan], by groups: [Dimension], known: LedgerStanding
    ) -> Statement {
        var query = Query()
        let from = self.from(sum.ledger, spans, in: &query)
        if let condition = sum.condition { query.filter(condition) }
        filter(sum.ledger, &query, modes: true)
        query.filter(query.bindKnown(known))
        let keys = groups.enumerated().map { place, group in
            ", \(group.key(time: "l.\(sum.ledger.time)", value: sum.ledger.value(of: group))) AS k\(place)"
        }
        let texts = groups.enumerated().map { ", \($0.element.text(of: "c.k\($0.offset)"))" }
        let columns = sum.columns.map { ", l.\($0)" }.joined()
        let verdict =
            sum.columns.contains("verdict")
            ? ", CASE l.verdict WHEN 'none' THEN 'unjudged' ELSE l.verdict END AS verdict_tally"
            : ""
        let places = 1...(1 + groups.count + sum.columns.count + (verdict.isEmpty ? 0 : 1))
        return Statement(
            """
            SELECT c.part\(texts.joined()), t.tally, \(sum.value ?? "NULL")::bigint,
                sum(c.count)::bigint, NULL::bytea
            FROM (
                SELECT s.part\(keys.joined())\(columns)\(verdict), sum(l.amount) AS count
                FROM \(from)
                \(query.whereClause)
                GROUP BY \(places.map(String.init).joined(separator: ", "))
                HAVING sum(l.amount) <> 0
            ) c
            CROSS JOIN LATERAL (VALUES \(sum.tallies)) t (tally, counts)
            WHERE t.counts AND t.tally IS NOT NULL
            GROUP BY \((1...groups.count + 3).map(String.init).joined(separator: ", "))
            """, parameters: query.parameters)
    }

    // MARK: What is left out

    func leftOut(of spans: [LedgerSpan], known: LedgerStanding) -> [Statement] {
        question.metric == .detectionQuality
            ? [
                otherAlarms(spans, known: known), refusals(spans, known: known),
                retracted(spans, known: known),
            ] : [otherAlarms(spans, known: known), refusals(spans, known: known)]
    }

    /// Alarms of other modes; of precision also those that nobody has judged.
    private func otherAlarms(_ spans: [LedgerSpan], known: LedgerStanding) -> Statement {
        var query = Query()
        let from = self.from(.alarms, spans, in: &query)
        filter(.alarms, &query, modes: false)
        var isOtherMode = "false"
        if let modes = question.operatingModes {
            isOtherMode = "l.operating_mode <> ALL (\(query.bind(.texts(modes))))"
        }
        let isUnjudged =
            question.metric == .detectionQuality ? "l.verdict = 'none'" : "false"
        query.filter("(\(isOtherMode) OR \(isUnjudged))")
        query.filter(query.bindKnown(known))
        return Statement(
            """
            SELECT s.part,
                CASE WHEN \(isOtherMode) THEN NULL
                    ELSE '\(LeftOutReason.unjudged.rawValue)' END,
                l.operating_mode, sum(l.amount)::bigint
            FROM \(from)
            \(query.whereClause)
            GROUP BY 1, 2, 3
            HAVING sum(l.amount) <> 0
            """, parameters: query.parameters)
    }

    /// Of the sites and the time, by receipt: what was refused has no camera or pattern to filter by.
    private func refusals(_ spans: [LedgerSpan], known: LedgerStanding) -> Statement {
        var query = Query()
        let from = """
            \(query.bind(spans)) JOIN refusal_ledger l ON l.site = s.site
                AND l.received_in >= s.lower AND l.received_in < s.upper
            """
        query.filter(query.bindKnown(known))
        return Statement(
            """
            SELECT s.part, '\(LeftOutReason.refused.rawValue)', NULL::text, sum(l.amount)::bigint
            FROM \(from)
            \(query.whereClause)
            GROUP BY 1
            """, parameters: query.parameters)
    }

    private func retracted(_ spans: [LedgerSpan], known: LedgerStanding) -> Statement {
        var query = Query()
        let from = self.from(.matters, spans, in: &query)
        query.filter("l.retracted")
        filter(.matters, &query, modes: true)
        query.filter(query.bindKnown(known))
        return Statement(
            """
            SELECT s.part, '\(LeftOutReason.retracted.rawValue)', NULL::text,
                sum(l.amount)::bigint
            FROM \(from)
            \(query.whereClause)
            GROUP BY 1
            HAVING sum(l.amount) <> 0
            """, parameters: query.parameters)
    }

    // MARK: Rows

    private func from(_ ledger: Ledger, _ spans: [LedgerSpan], in query: inout Query) -> String {
        """
        \(query.bind(spans)) JOIN \(ledger.table) l ON l.site = s.site
            AND l.\(ledger.time) >= s.lower AND l.\(ledger.time) < s.upper
        """
    }

    private func filter(_ ledger: Ledger, _ query: inout Query, modes: Bool) {
        if modes, let modes = question.operatingModes {
            query.filter("l.operating_mode = ANY (\(query.bind(.texts(modes))))")
        }
        for (dimension, values) in question.filters
        where dimension != .operatingMode && dimension != .site {
            let value = dimension.text(of: ledger.value(of: dimension))
            query.filter("\(value) = ANY (\(query.bind(.texts(values))))")
        }
    }
}

extension AlarmQuery: JournaledSource {
    func changes(
        of spans: [LedgerSpan], by groups: [Dimension], leftOut: Bool, after: Int64, upTo: Int64
    ) -> [Statement] {
        let isQuality = question.metric == .detectionQuality
        let ledgers: [Ledger] =
            isQuality ? [.alarms, .detections, .matters] : [.alarms, .detections]
        return ledgers.map { ledger in
            var query = Query()
            let groups = leftOut ? [] : groups
            let from = self.from(ledger, spans, in: &query)
            filter(ledger, &query, modes: !leftOut)
            query.filter("p.position > \(query.bind(.int64(after)))")
            query.filter("p.position <= \(query.bind(.int64(upTo)))")
            let keys = groups.enumerated().map { place, group in
                ", \(group.key(time: "l.\(ledger.time)", value: ledger.value(of: group))) AS k\(place)"
            }
            let texts = groups.enumerated().map { ", \($0.element.text(of: "c.k\($0.offset)"))" }
            let (subject, behind) =
                switch ledger {
                case .alarms:
                    // An alarm counts otherwise also when its matter or a unit sent to it changes.
                    (
                        "l.alarm",
                        """
                        (j.subject = c.subject
                            OR split_part(j.event, '.', 1) IN ('incident', 'intervention'))
                        """
                    )
                case .detections: ("NULL", "split_part(j.event, '.', 1) = 'detections'")
                case .matters: ("l.incident", "j.subject = c.subject")
                }
            return Statement(
                """
                SELECT DISTINCT c.part\(texts.joined()), c.position, j.event, j.subject
                FROM (
                    SELECT s.part\(keys.joined()), p.position, l.change, l.site,
                        (\(subject))::text AS subject
                    FROM \(from) JOIN positions p ON p.change = l.change
                    \(query.whereClause)
                ) c
                JOIN journal j ON j.change = c.change AND j.site = c.site AND \(behind)
                ORDER BY c.position, j.event, j.subject
                LIMIT \(ChangeBehind.rowsMax)
                """, parameters: query.parameters)
        }
    }
}

extension Dimension {
    /// SQL of what rows are grouped by: cheap to compute.
    ///
    /// - Parameters:
    ///   - time: the clock by which a row counts.
    ///   - value: the row's value of a dimension that is not of the clock.
    func key(time: String, value: String) -> String {
        let local = "(\(time) AT TIME ZONE s.zone)"
        return switch self {
        case .month, .week, .day: "date_trunc('\(rawValue)', \(local))"
        case .hourOfDay: "extract(hour FROM \(local))::int"
        case .weekday: "extract(isodow FROM \(local))::int"
        case .site: "s.site"
        default: value
        }
    }

    /// SQL of the same as text, of few rows.
    func text(of key: String) -> String {
        switch self {
        case .month, .week, .day: "to_char(\(key), '\(calendarFormat)')"
        case .hourOfDay: "to_char(\(key), 'FM00')"
        case .weekday: "(ARRAY['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'])[\(key)]"
        case .area, .camera, .monitored, .immediate, .rule, .late: "(\(key))::text"
        default: key
        }
    }
}
