import ControlCentre
import PostgreSQL

/// What a question asks of the ledger, as SQL.
///
/// Names of tables, columns and closed lists stand in the text; what a client sent is always a
/// parameter.
struct LedgerQuery {
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
        }
    }

    // MARK: The frame

    /// The last position, or the last that was recorded up to an instant, and the database's clock.
    static func standing(asOf: Timestamp?) -> Statement {
        Statement(
            """
            SELECT coalesce(p.position, 0), p.recorded_at, clock_timestamp()
            FROM (SELECT 1) always LEFT JOIN LATERAL (
                SELECT position, recorded_at FROM positions
                WHERE $1::timestamptz IS NULL OR recorded_at <= $1
                ORDER BY recorded_at DESC LIMIT 1
            ) p ON true
            """, .time(asOf))
    }

    /// The period and those it is compared with, at each site: part, site, zone, from, to, both as
    /// local text, whether its length differs, recorded since, alarms since.
    ///
    /// - Parameter position: nil: all that is known.
    func spans(known position: Int64?) -> Statement {
        var query = Query()
        let (fromDate, fromInstant) = bind(question.from, in: &query)
        let (toDate, toInstant) = bind(question.to, in: &query)
        var parts = ["(0, asked.lower, asked.upper)"]
        for (ordinal, comparison) in question.comparisons.enumerated() {
            switch comparison {
            case .previousSamePeriod:
                parts.append(
                    """
                    (\(ordinal + 1), asked.lower - interval '1 year',
                        asked.upper - interval '1 year')
                    """)
            case .previousFullYear:
                parts.append(
                    """
                    (\(ordinal + 1), date_trunc('year', asked.lower) - interval '1 year',
                        date_trunc('year', asked.lower))
                    """)
            }
        }
        query.filter("s.id", question.site.map { .text($0) })
        let known = knownCondition(position, in: &query)
        let last = query.bind(.int64(position ?? .max))
        return Statement(
            """
            SELECT p.part, s.id, s.time_zone,
                CASE WHEN p.part = 0 AND \(fromInstant) IS NOT NULL THEN \(fromInstant)
                    ELSE first_instant(p.lower, s.time_zone) END,
                CASE WHEN p.part = 0 AND \(toInstant) IS NOT NULL THEN \(toInstant)
                    ELSE first_instant(p.upper, s.time_zone) END,
                to_char(p.lower, 'YYYY-MM-DD HH24:MI:SS'),
                to_char(p.upper, 'YYYY-MM-DD HH24:MI:SS'),
                p.upper - p.lower <> asked.upper - asked.lower,
                least(s.created_at, first_instant(
                    date_trunc('day', earliest.at AT TIME ZONE s.time_zone), s.time_zone)),
                least(first_alarm.at, first_automatic.at)
            FROM sites s
            CROSS JOIN LATERAL (
                SELECT coalesce(\(fromDate)::timestamp, \(fromInstant) AT TIME ZONE s.time_zone)
                        AS lower,
                    coalesce(\(toDate)::timestamp, \(toInstant) AT TIME ZONE s.time_zone) AS upper
            ) asked
            CROSS JOIN LATERAL (VALUES \(parts.joined(separator: ", "))) p (part, lower, upper)
            LEFT JOIN LATERAL (
                SELECT l.\(source.time) AS at FROM \(source.table) l
                WHERE l.site = s.id AND \(known) ORDER BY l.\(source.time) LIMIT 1
            ) earliest ON true
            LEFT JOIN LATERAL (
                SELECT l.occurred_in AS at FROM incident_ledger l
                WHERE l.site = s.id AND l.source = 'automatic' AND \(known)
                ORDER BY l.occurred_in LIMIT 1
            ) first_automatic ON true
            LEFT JOIN LATERAL (
                SELECT a.raised_at AS at FROM alarms a
                WHERE a.site = s.id AND EXISTS (
                    SELECT FROM journal j JOIN positions o ON o.change = j.change
                    WHERE j.subject = a.id::text AND j.event IN ('alarm.raised', 'alarm.late')
                        AND o.position <= \(last))
                ORDER BY a.raised_at LIMIT 1
            ) first_alarm ON true
            \(query.whereClause)
            ORDER BY p.part, s.id
            """, parameters: query.parameters)
    }

    private func bind(_ bound: PeriodBound, in query: inout Query)
        -> (date: String, instant: String)
    {
        switch bound {
        case .date(let date):
            (query.bind(.text(date.description)) + "::text::date", "NULL::timestamptz")
        case .instant(let instant):
            ("NULL::date", query.bind(.time(instant)) + "::timestamptz")
        }
    }

    private func knownCondition(_ position: Int64?, in query: inout Query) -> String {
        guard let position else { return "true" }
        let place = query.bind(.int64(position))
        return """
            (l.position <= \(place)
                OR (l.position IS NULL AND was_known(l.change, \(place))))
            """
    }

    // MARK: The calendar

    /// The stretches of the calendar that the spans touch, as far as they lie in them: part, site,
    /// key, from, to. Nil when the question does not part by one.
    func calendar(of spans: [LedgerSpan]) -> Statement? {
        guard let dimension = question.groups.first(where: \.isCalendar) else { return nil }
        var query = Query()
        let from = bind(spans, in: &query)
        let stretch = dimension.rawValue
        return Statement(
            """
            SELECT s.part, s.site, to_char(k.start, '\(Self.format(dimension))'),
                greatest(s.lower, first_instant(k.start, s.zone)),
                least(s.upper, first_instant(k.start + interval '1 \(stretch)', s.zone))
            FROM \(from)
            CROSS JOIN LATERAL generate_series(
                date_trunc('\(stretch)', s.lower AT TIME ZONE s.zone),
                (s.upper - interval '1 microsecond') AT TIME ZONE s.zone,
                interval '1 \(stretch)') k (start)
            WHERE s.lower < s.upper
            ORDER BY s.part, k.start
            LIMIT \(StatisticsQuestion.cellsMax + 1)
            """, parameters: query.parameters)
    }

    private static func format(_ dimension: Dimension) -> String {
        switch dimension {
        case .month: "YYYY-MM"
        case .week: "IYYY-\"W\"IW"
        default: "YYYY-MM-DD"
        }
    }

    // MARK: The sums

    /// How much of each: part, the groups' keys, value, count.
    func counts(of spans: [LedgerSpan], by groups: [Dimension], known position: Int64?)
        -> Statement
    {
        var query = Query()
        var from = "\(bind(spans, in: &query)) JOIN \(source.table) l ON \(joinCondition)"
        if groups.contains(.outcome) {
            from += """

                CROSS JOIN LATERAL unnest(
                    CASE WHEN l.outcomes = '{}' THEN ARRAY[NULL]::text[] ELSE l.outcomes END
                ) o (outcome)
                """
        }
        query.filter(source.condition)
        filter(&query, modes: true)
        query.filter(knownCondition(position, in: &query))
        let inner = groups.enumerated().map { ", \(raw($0.element)) AS k\($0.offset)" }.joined()
        let outer = groups.enumerated().map {
            ", \(formatted($0.element, "c.k\($0.offset)"))"
        }.joined()
        return Statement(
            """
            SELECT c.part\(outer), c.value, c.count
            FROM (
                SELECT s.part\(inner), \(source.value) AS value, sum(l.amount) AS count
                FROM \(from)
                \(query.whereClause)
                GROUP BY \((1...groups.count + 2).map(String.init).joined(separator: ", "))
                HAVING sum(l.amount) <> 0
            ) c
            """, parameters: query.parameters)
    }

    /// What the filters would take and the metric does not: part, mode, retracted, cancelled, count.
    func leftOut(of spans: [LedgerSpan], known position: Int64?) -> Statement {
        var query = Query()
        let from = "\(bind(spans, in: &query)) JOIN \(source.table) l ON \(joinCondition)"
        filter(&query, modes: false)
        let cancelled = source.hasCancelled ? "l.cancelled" : "false"
        // What the metric counts itself is the most by far, and not asked for here.
        var counted = "NOT l.retracted AND NOT \(cancelled)"
        if let modes = question.operatingModes {
            counted += " AND l.operating_mode = ANY (\(query.bind(.texts(modes))))"
        }
        query.filter("NOT (\(counted))")
        query.filter(knownCondition(position, in: &query))
        return Statement(
            """
            SELECT s.part, l.operating_mode, l.retracted, \(cancelled), sum(l.amount)
            FROM \(from)
            \(query.whereClause)
            GROUP BY 1, 2, 3, 4
            HAVING sum(l.amount) <> 0
            """, parameters: query.parameters)
    }

    private var joinCondition: String {
        "l.site = s.site AND l.\(source.time) >= s.lower AND l.\(source.time) < s.upper"
    }

    private func bind(_ spans: [LedgerSpan], in query: inout Query) -> String {
        let parts = query.bind(.int32s(spans.map { Int32($0.part) }))
        let sites = query.bind(.texts(spans.map(\.span.site.description)))
        let zones = query.bind(.texts(spans.map(\.span.timeZone)))
        let lower = query.bind(
            .timestamps(
                microsecondsSinceUnixEpoch: spans.map(\.span.from.microsecondsSinceEpoch)))
        let upper = query.bind(
            .timestamps(microsecondsSinceUnixEpoch: spans.map(\.span.to.microsecondsSinceEpoch)))
        return """
            unnest(\(parts), \(sites), \(zones), \(lower), \(upper))
                AS s (part, site, zone, lower, upper)
            """
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
        case .month, .week, .day: "to_char(\(column), '\(Self.format(dimension))')"
        case .hourOfDay: "to_char(\(column), 'FM00')"
        case .weekday: "(ARRAY['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'])[\(column)]"
        case .area, .monitored, .immediate: "\(column)::text"
        default: column
        }
    }
}
