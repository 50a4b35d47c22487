import ControlCentre
import PostgreSQL

/// What a question asks apart from what its metric counts: up to when it knows, and the stretches
/// of time at each site that it is about.
struct QuestionFrame {
    private let question: StatisticsQuestion
    private let source: any FigureSource

    init(_ question: StatisticsQuestion, source: any FigureSource) {
        self.question = question
        self.source = source
    }

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
        let known = query.bindKnown(position)
        let last = query.bind(.int64(position ?? .max))
        let automatic =
            question.metric.isAutomatic
            ? "earliest.at" : "least(first_alarm.at, first_automatic.at)"
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
                \(automatic)
            FROM sites s
            CROSS JOIN LATERAL (
                SELECT coalesce(\(fromDate)::timestamp, \(fromInstant) AT TIME ZONE s.time_zone)
                        AS lower,
                    coalesce(\(toDate)::timestamp, \(toInstant) AT TIME ZONE s.time_zone) AS upper
            ) asked
            CROSS JOIN LATERAL (VALUES \(parts.joined(separator: ", "))) p (part, lower, upper)
            LEFT JOIN LATERAL (
                \(source.earliest(known: position, in: &query))
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

    /// Before when all detections were counted at a position; no row: none was.
    func counting(known position: Int64) -> Statement {
        Statement(
            """
            SELECT r.counted_before FROM detection_runs r JOIN positions p ON p.change = r.change
            WHERE r.to_position < $1 AND p.position <= $1
            ORDER BY r.to_position DESC LIMIT 1
            """, .int64(position))
    }

    // MARK: The calendar

    /// The stretches of the calendar that the spans touch, as far as they lie in them: part, site,
    /// key, from, to. Nil when the question does not part by one.
    func calendar(of spans: [LedgerSpan]) -> Statement? {
        guard let dimension = question.groups.first(where: \.isCalendar) else { return nil }
        var query = Query()
        let from = query.bind(spans)
        let stretch = dimension.rawValue
        return Statement(
            """
            SELECT s.part, s.site, to_char(k.start, '\(dimension.calendarFormat)'),
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
}

extension Query {
    /// Takes the spans and returns them as `s (part, site, zone, lower, upper)`.
    mutating func bind(_ spans: [LedgerSpan]) -> String {
        let parts = bind(.int32s(spans.map { Int32($0.part) }))
        let sites = bind(.texts(spans.map(\.span.site.description)))
        let zones = bind(.texts(spans.map(\.span.timeZone)))
        let lower = bind(
            .timestamps(
                microsecondsSinceUnixEpoch: spans.map(\.span.from.microsecondsSinceEpoch)))
        let upper = bind(
            .timestamps(microsecondsSinceUnixEpoch: spans.map(\.span.to.microsecondsSinceEpoch)))
        return """
            unnest(\(parts), \(sites), \(zones), \(lower), \(upper))
                AS s (part, site, zone, lower, upper)
            """
    }

    /// Takes a position and returns what holds for the rows `l` of a ledger that were known there.
    ///
    /// - Parameter position: nil: all that is known.
    mutating func bindKnown(_ position: Int64?) -> String {
        guard let position else { return "true" }
        let place = bind(.int64(position))
        return """
            (l.position <= \(place)
                OR (l.position IS NULL AND was_known(l.change, \(place))))
            """
    }
}

extension Dimension {
    /// How PostgreSQL writes the key of a stretch of the calendar.
    var calendarFormat: String {
        switch self {
        case .month: "YYYY-MM"
        case .week: "IYYY-\"W\"IW"
        default: "YYYY-MM-DD"
        }
    }
}
