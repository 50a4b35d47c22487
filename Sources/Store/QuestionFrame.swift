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

    /// The last position, or the last that was recorded up to an instant, the runs of the ledger that
    /// are known with the position where they end, and the release of the time zones.
    static func standing(_ knowledge: Knowledge) -> Statement {
        var asOf: Timestamp?
        var known: Int64?
        switch knowledge {
        case .now: break
        case .asOf(let instant): asOf = instant
        case .standing(let position, _, _): known = position
        }
        return Statement(
            """
            SELECT p.position, p.recorded_at, c.runs::text, c.until_position,
                time_zone_release()
            FROM (
                SELECT coalesce(max(l.position), 0) AS position, max(l.recorded_at) AS recorded_at
                FROM (
                    SELECT position, recorded_at FROM positions
                    WHERE recorded_at <= coalesce($1, 'infinity'::timestamptz)
                    ORDER BY recorded_at DESC LIMIT 1
                ) l
            ) p
            CROSS JOIN LATERAL ledger_chain(coalesce($2, p.position)) c
            """, .time(asOf), .int64(known))
    }

    /// The period and those it is compared with, at each site: part, site, zone, from, to, both as
    /// local text, whether its length differs, recorded since, alarms since; the first whole month,
    /// the one behind the last, and the instants at which they begin; recorded until, the zone's
    /// fingerprint.
    func spans(known: LedgerStanding) -> Statement {
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
        let facts = source.firsts.map { "'\($0.fact)'" }
        // What alarms made known, and what they are themselves.
        let automatic =
            question.metric.isAutomatic
            ? "earliest.at" : "least(first_alarm.at, first_automatic.at)"
        let recording = source.recording(known: known, in: &query)
        // A matter of the year 1, as was taken once, began on a day of the year before.
        let since =
            recording?.since ?? """
                greatest('epoch'::timestamptz, least(s.created_at, first_instant(
                    date_trunc('day', earliest.at AT TIME ZONE s.time_zone), s.time_zone)))
                """
        return Statement(
            """
            WITH firsts AS MATERIALIZED (
                \(firsts(known, in: &query))
            )
            SELECT p.part, s.id, s.time_zone,
                CASE WHEN p.part = 0 AND \(fromInstant) IS NOT NULL THEN \(fromInstant)
                    ELSE first_instant(p.lower, s.time_zone) END,
                CASE WHEN p.part = 0 AND \(toInstant) IS NOT NULL THEN \(toInstant)
                    ELSE first_instant(p.upper, s.time_zone) END,
                to_char(p.lower, 'YYYY-MM-DD HH24:MI:SS'),
                to_char(p.upper, 'YYYY-MM-DD HH24:MI:SS'),
                p.upper - p.lower <> asked.upper - asked.lower,
                \(since),
                \(automatic),
                to_char(m.first, 'YYYY-MM-DD'), to_char(m.behind, 'YYYY-MM-DD'),
                first_instant(m.first, s.time_zone), first_instant(m.behind, s.time_zone),
                \(recording?.until ?? "NULL::timestamptz"),
                time_zone_fingerprint(s.time_zone)
            FROM sites s
            CROSS JOIN LATERAL (
                SELECT coalesce(\(fromDate)::timestamp, \(fromInstant) AT TIME ZONE s.time_zone)
                        AS lower,
                    coalesce(\(toDate)::timestamp, \(toInstant) AT TIME ZONE s.time_zone) AS upper
            ) asked
            CROSS JOIN LATERAL (VALUES \(parts.joined(separator: ", "))) p (part, lower, upper)
            CROSS JOIN LATERAL (
                SELECT date_trunc('month', p.lower - interval '1 microsecond')
                        + interval '1 month' AS first,
                    date_trunc('month', p.upper) AS behind
            ) m
            CROSS JOIN LATERAL (
                SELECT min(k.at) AS at FROM firsts k
                WHERE k.site = s.id AND k.fact = ANY (ARRAY[\(facts.joined(separator: ", "))]::text[])
            ) earliest
            LEFT JOIN firsts first_automatic ON first_automatic.site = s.id
                AND first_automatic.fact = '\(LedgerFirst.automatic.fact)'
            LEFT JOIN firsts first_alarm ON first_alarm.site = s.id
                AND first_alarm.fact = '\(LedgerFirst.alarm.fact)'
            \(query.whereClause)
            ORDER BY p.part, s.id
            """, parameters: query.parameters)
    }

    /// The first of each kind of fact at each site that is asked about: site, fact, at.
    private func firsts(_ known: LedgerStanding, in query: inout Query) -> String {
        let runs = query.bind(.text(known.runs))
        let kinds = Set(source.firsts + [.automatic, .alarm]).sorted { $0.fact < $1.fact }
        let pending = kinds.map { kind in
            """
            UNION ALL
            SELECT l.site, '\(kind.fact)', l.\(kind.time)
            FROM \(query.bindPending(kind.table, known)) l WHERE \(kind.condition)
            """
        }
        let entered = kinds.filter(\.isEntered).map { "'\($0.fact)'" }
        let last = query.bind(.int64(known.isLatest ? nil : known.position))
        let site = query.bind(.text(question.site?.description))
        return """
            SELECT e.site, e.fact,
                CASE WHEN e.fact IN (\(entered.joined(separator: ", ")))
                    THEN first_standing(e.site, e.fact, e.at, \(last)) ELSE e.at END AS at
            FROM (
                SELECT f.site, f.fact, min(f.at) AS at
                FROM (
                    SELECT k.site, k.fact, k.at
                    FROM unnest(\(runs)::text::integer[]) r (run)
                    JOIN ledger_firsts k ON k.run = r.run
                    \(pending.joined(separator: "\n"))
                ) f
                WHERE \(site)::text IS NULL OR f.site = \(site)
                GROUP BY f.site, f.fact
            ) e
            """
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

    /// Returns what holds for the rows `l` of a ledger that are known.
    mutating func bindKnown(_ known: LedgerStanding) -> String {
        guard !known.isLatest else { return "true" }
        let place = bind(.int64(known.position))
        return """
            (l.position <= \(place)
                OR (l.position IS NULL AND was_known(l.change, \(place))))
            """
    }

    /// Returns the rows of a ledger that are known and that no run covers.
    mutating func bindPending(_ table: String, _ known: LedgerStanding) -> String {
        let last = bind(.int64(known.position))
        return """
            (
                SELECT * FROM \(table)
                WHERE position > \(bind(.int64(known.runsEnd))) AND position <= \(last)
                UNION ALL
                SELECT * FROM \(table)
                WHERE position IS NULL\(known.isLatest ? "" : " AND was_known(change, \(last))")
            )
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
