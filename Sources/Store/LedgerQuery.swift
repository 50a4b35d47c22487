import ControlCentre
import PostgreSQL

/// What a question asks of the ledger, as SQL.
///
/// Names of tables, columns and closed lists stand in the text; what a client sent is always a
/// parameter.
struct LedgerQuery: FigureSource {
    private let question: StatisticsQuestion
    private let source: Source

    /// Which rows a metric sums, and what of them.
    private struct Source {
        var table: String
        /// The clock by which it counts.
        var time: String
        /// What must hold for a row to count.
        var condition: String
        /// What of a row is a value; NULL for what is only counted.
        var value: String
        /// Whether an intervention can be called off.
        var hasCancelled: Bool
    }

    init(_ question: StatisticsQuestion) {
        self.question = question
        let matters = Source(
            table: "incident_ledger", time: "occurred_in", condition: "NOT l.retracted",
            value: "NULL::bigint", hasCancelled: false)
        let dispatches = Source(
            table: "intervention_ledger", time: "dispatched_in",
            condition: "NOT l.retracted AND NOT l.cancelled", value: "NULL::bigint",
            hasCancelled: true)
        switch (question.metric, question.clock) {
        case (.incidents, _):
            source = matters
        case (.incidentsWithImmediateIntervention, _):
            var immediate = matters
            immediate.condition += " AND l.immediate"
            source = immediate
        case (.interventions, _):
            source = dispatches
        case (.arrivalTimes, .recognition):
            var arrivals = matters
            arrivals.condition += " AND l.intervened"
            arrivals.value = "l.arrival_seconds"
            source = arrivals
        case (.arrivalTimes, .dispatch):
            var arrivals = dispatches
            arrivals.value = "l.arrival_seconds"
            source = arrivals
        case (.alarmFunnel, _), (.detectionQuality, _):
            preconditionFailure("a metric of another source")
        }
    }

    func earliest(known position: Int64?, in query: inout Query) -> String {
        """
        SELECT l.\(source.time) AS at FROM \(source.table) l
        WHERE l.site = s.id AND \(query.bindKnown(position)) ORDER BY l.\(source.time) LIMIT 1
        """
    }

    func counts(of spans: [LedgerSpan], by groups: [Dimension], known position: Int64?)
        -> [Statement]
    {
        var query = Query()
        var from = "\(query.bind(spans)) JOIN \(source.table) l ON \(joinCondition)"
        if groups.contains(.outcome) {
            from += """

                CROSS JOIN LATERAL unnest(
                    CASE WHEN l.outcomes = '{}' THEN ARRAY[NULL]::text[] ELSE l.outcomes END
                ) o (outcome)
                """
        }
        query.filter(source.condition)
        filter(&query, modes: true)
        query.filter(query.bindKnown(position))
        let inner = groups.enumerated().map { ", \(raw($0.element)) AS k\($0.offset)" }.joined()
        let outer = groups.enumerated().map {
            ", \(formatted($0.element, "c.k\($0.offset)"))"
        }.joined()
        return [
            Statement(
                """
                SELECT c.part\(outer), '\(FigureTally.cases.rawValue)', c.value, c.count
                FROM (
                    SELECT s.part\(inner), \(source.value) AS value, sum(l.amount) AS count
                    FROM \(from)
                    \(query.whereClause)
                    GROUP BY \((1...groups.count + 2).map(String.init).joined(separator: ", "))
                    HAVING sum(l.amount) <> 0
                ) c
                """, parameters: query.parameters)
        ]
    }

    func leftOut(of spans: [LedgerSpan], known position: Int64?) -> [Statement] {
        var query = Query()
        let from = "\(query.bind(spans)) JOIN \(source.table) l ON \(joinCondition)"
        filter(&query, modes: false)
        let cancelled = source.hasCancelled ? "l.cancelled" : "false"
        // What the metric counts itself is the most by far, and not asked for here.
        var counted = "NOT l.retracted AND NOT \(cancelled)"
        var isOtherMode = "false"
        if let modes = question.operatingModes {
            let modes = query.bind(.texts(modes))
            counted += " AND l.operating_mode = ANY (\(modes))"
            isOtherMode = "l.operating_mode <> ALL (\(modes))"
        }
        query.filter("NOT (\(counted))")
        query.filter(query.bindKnown(position))
        return [
            Statement(
                """
                SELECT s.part,
                    CASE WHEN \(isOtherMode) THEN NULL
                        WHEN l.retracted THEN '\(LeftOutReason.retracted.rawValue)'
                        ELSE '\(LeftOutReason.cancelled.rawValue)' END,
                    l.operating_mode, sum(l.amount)
                FROM \(from)
                \(query.whereClause)
                GROUP BY 1, 2, 3
                HAVING sum(l.amount) <> 0
                """, parameters: query.parameters)
        ]
    }

    private var joinCondition: String {
        "l.site = s.site AND l.\(source.time) >= s.lower AND l.\(source.time) < s.upper"
    }

    private func filter(_ query: inout Query, modes: Bool) {
        if modes, let modes = question.operatingModes {
            query.filter("l.operating_mode = ANY (\(query.bind(.texts(modes))))")
        }
        if question.metric == .incidentsWithImmediateIntervention, !modes {
            query.filter("l.immediate")
        }
        for (dimension, values) in question.filters {
            let values = query.bind(.texts(values))
            switch dimension {
            case .operatingMode, .site: break
            case .outcome: query.filter("l.outcomes && \(values)")
            case .area, .monitored, .immediate:
                query.filter("l.\(dimension.rawValue)::text = ANY (\(values))")
            default: query.filter("l.\(dimension.rawValue) = ANY (\(values))")
            }
        }
    }

    /// A dimension as rows are grouped by it: cheap to compute.
    private func raw(_ dimension: Dimension) -> String {
        let local = "(l.\(source.time) AT TIME ZONE s.zone)"
        return switch dimension {
        case .month, .week, .day: "date_trunc('\(dimension.rawValue)', \(local))"
        case .hourOfDay: "extract(hour FROM \(local))::int"
        case .weekday: "extract(isodow FROM \(local))::int"
        case .site: "s.site"
        case .outcome: "o.outcome"
        default: "l.\(dimension.rawValue)"
        }
    }

    /// The same as text, of few rows.
    private func formatted(_ dimension: Dimension, _ column: String) -> String {
        switch dimension {
        case .month, .week, .day: "to_char(\(column), '\(dimension.calendarFormat)')"
        case .hourOfDay: "to_char(\(column), 'FM00')"
        case .weekday: "(ARRAY['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'])[\(column)]"
        case .area, .monitored, .immediate: "\(column)::text"
        default: column
        }
    }
}

extension LedgerQuery: JournaledSource {
    func changes(
        of spans: [LedgerSpan], by groups: [Dimension], leftOut: Bool, after: Int64, upTo: Int64
    ) -> [Statement] {
        var query = Query()
        let groups = leftOut ? [] : groups
        var from = "\(query.bind(spans)) JOIN \(source.table) l ON \(joinCondition)"
        if groups.contains(.outcome) {
            from += """

                CROSS JOIN LATERAL unnest(
                    CASE WHEN l.outcomes = '{}' THEN ARRAY[NULL]::text[] ELSE l.outcomes END
                ) o (outcome)
                """
        }
        from += " JOIN positions p ON p.change = l.change"
        filter(&query, modes: !leftOut)
        if leftOut {
            var counted = source.condition
            if let modes = question.operatingModes {
                counted += " AND l.operating_mode = ANY (\(query.bind(.texts(modes))))"
            }
            query.filter("NOT (\(counted))")
        } else {
            query.filter(source.condition)
        }
        query.filter("p.position > \(query.bind(.int64(after)))")
        query.filter("p.position <= \(query.bind(.int64(upTo)))")
        let inner = groups.enumerated().map { ", \(raw($0.element)) AS k\($0.offset)" }.joined()
        let outer = groups.enumerated().map {
            ", \(formatted($0.element, "c.k\($0.offset)"))"
        }.joined()
        // A matter counts differently also when one of its interventions changes, and they by it.
        let (subject, related) =
            source.hasCancelled
            ? (
                "intervention",
                "SELECT n.incident::text FROM interventions n WHERE n.id = c.subject"
            )
            : ("incident", "SELECT n.id::text FROM interventions n WHERE n.incident = c.subject")
        return [
            Statement(
                """
                SELECT DISTINCT c.part\(outer), c.position, j.event, j.subject
                FROM (
                    SELECT s.part\(inner), p.position, l.change, l.\(subject) AS subject
                    FROM \(from)
                    \(query.whereClause)
                ) c
                JOIN journal j ON j.change = c.change
                    AND (j.subject = c.subject::text OR j.subject IN (\(related)))
                ORDER BY c.position, j.event, j.subject
                LIMIT \(ChangeBehind.rowsMax)
                """, parameters: query.parameters)
        ]
    }
}
