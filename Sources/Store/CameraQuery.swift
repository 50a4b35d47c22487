import ControlCentre
import PostgreSQL

/// What a question about cameras asks of the ledger of their days, as SQL.
struct CameraQuery: FigureSource {
    private let question: StatisticsQuestion

    private static let clock: Set<Dimension> = [.month, .week, .day, .weekday, .site]
    private static let table = LedgerTable(
        rows: "camera_day_ledger", time: "begins_at", cells: "camera_day_cells",
        cubes: [("base", clock), ("area", clock.union([.area, .monitored]))],
        dayOfCell: "date '1970-01-01' + d.value::integer")

    init(_ question: StatisticsQuestion) { self.question = question }

    /// It begins with the site, whatever happens there.
    var firsts: [LedgerFirst] { [] }

    func recording(known: LedgerStanding, in query: inout Query) -> RecordingTimes? {
        .ofCoverage(known: known, in: &query)
    }

    func figures(
        of spans: [LedgerSpan], by groups: [Dimension], withOthers: Bool, known: LedgerStanding
    ) -> [Statement] {
        let asked = Set(groups).union(question.filters.map(\.dimension))
        let isByMonth = !groups.contains { $0.tellsDaysApart && $0 != .month && $0 != .site }
        return Self.table.statements(of: spans, asked: asked) { reading, stretches in
            if case .cells = reading, isByMonth {
                return count(packedBy: groups, reading, of: stretches, known)
            }
            return count(by: groups, reading, of: stretches, known)
        }
    }

    /// The packed days of cells as they are.
    private func count(
        packedBy groups: [Dimension], _ reading: LedgerTable.Reading,
        of stretches: [LedgerStretch], _ known: LedgerStanding
    ) -> Statement {
        var query = Query()
        let from = Self.table.bind(reading, of: stretches, known: known, in: &query)
        filter(&query)
        let sums = """
            SELECT s.parts\(keys(groups, reading)), l.analysed, sum(l.amount)::bigint AS count,
                string_agg(l.days, '') AS days
            FROM \(from)
            \(query.whereClause)
            GROUP BY \(places(groups.count + 2))
            """
        return tally(sums, by: groups, packed: "string_agg(c.days, '')", query)
    }

    /// Each day by itself.
    private func count(
        by groups: [Dimension], _ reading: LedgerTable.Reading, of stretches: [LedgerStretch],
        _ known: LedgerStanding
    ) -> Statement {
        var query = Query()
        var from = Self.table.bind(reading, of: stretches, known: known, in: &query)
        filter(&query)
        var (day, amount) = ("l.day", "l.amount")
        if case .cells = reading {
            from += " CROSS JOIN LATERAL packed_values(l.amount, l.days) d"
            query.filter("d.value IS NOT NULL")
            (day, amount) = (Self.table.dayOfCell, "d.amount")
        }
        let sums = """
            SELECT s.parts\(keys(groups, reading)), \(day) - date '1970-01-01' AS day,
                l.analysed, sum(\(amount))::integer AS count
            FROM \(from)
            \(query.whereClause)
            GROUP BY \(places(groups.count + 3))
            HAVING sum(\(amount)) <> 0
            """
        return tally(
            sums, by: groups,
            packed: "string_agg(int8send(c.day) || int4send(c.count), '' ORDER BY c.day)", query)
    }

    /// Those that were analysed are among those that were there.
    private func tally(
        _ sums: String, by groups: [Dimension], packed: String, _ query: Query
    ) -> Statement {
        var figures = FigureStatement(of: question, by: groups, sums: sums)
        figures.count(
            "t.tally", count: "sum(c.count)::bigint", packed: packed,
            join: "CROSS JOIN (VALUES ('installed_cameras'), ('analysed_cameras')) t (tally)",
            where: "(c.analysed OR t.tally = 'installed_cameras')", isAggregate: true)
        return figures.statement(query)
    }

    private func places(_ count: Int) -> String {
        (1...count).map(String.init).joined(separator: ", ")
    }

    func days(of spans: [LedgerSpan], by groups: [Dimension]) -> Statement? {
        var query = Query()
        let groups = groups.filter(\.tellsDaysApart)
        var recorded = spans.compactMap(\.recorded)
        if !groups.contains(.site) {
            // Sites that are recorded alike need not each tell the same days.
            recorded = Array(
                Dictionary(
                    recorded.map { (Stretch($0), $0) }, uniquingKeysWith: { first, _ in first }
                ).values)
        }
        let from = query.bind(recorded)
        let keys = groups.enumerated().map { place, group in
            let key =
                switch group {
                case .weekday: "extract(isodow FROM d.day)::int"
                case .site: "s.site"
                default: "date_trunc('\(group.rawValue)', d.day)"
                }
            return ", \(key) AS k\(place)"
        }.joined()
        let names = groups.indices.map { ", c.k\($0)" }.joined()
        return Statement(
            """
            SELECT c.part\(groups.keyTexts),
                string_agg(int8send(c.number) || int4send(1), '' ORDER BY c.number)
            FROM (
                SELECT DISTINCT s.part\(keys), d.day::date - date '1970-01-01' AS number
                FROM \(from)
                CROSS JOIN LATERAL (
                    SELECT date_trunc('day', s.lower AT TIME ZONE s.zone) AS first,
                        date_trunc('day', s.upper AT TIME ZONE s.zone) AS last
                ) e
                CROSS JOIN LATERAL generate_series(e.first, e.last, interval '1 day') d (day)
                -- Between the ends, which clocks may move, it need not be looked up.
                WHERE (d.day > e.first + interval '1 day'
                        OR first_instant(d.day, s.zone) >= s.lower)
                    AND (d.day < e.last - interval '2 days'
                        OR first_instant(d.day + interval '1 day', s.zone) <= s.upper)
            ) c
            GROUP BY c.part\(names)
            """, parameters: query.parameters)
    }

    private func keys(_ groups: [Dimension], _ reading: LedgerTable.Reading) -> String {
        groups.enumerated().map { place, group in
            let key = Self.table.key(of: group, reading, value: "l.\(group.rawValue)")
            return ", \(key) AS k\(place)"
        }.joined()
    }

    private func filter(_ query: inout Query) {
        for (dimension, values) in question.filters where dimension != .site {
            query.filter("l.\(dimension.rawValue)::text = ANY (\(query.bind(.texts(values))))")
        }
    }
}

extension CameraQuery {
    func changes(
        of spans: [LedgerSpan], by groups: [Dimension], leftOut: Bool, after: Int64, upTo: Int64
    ) -> [Statement] {
        guard !leftOut else { return [] }
        var query = Query()
        let from = "\(query.bind(spans)) JOIN \(Self.table.rows) l ON \(Self.table.isWithin)"
        filter(&query)
        query.filter("l.position > \(query.bind(.int64(after)))")
        query.filter("l.position <= \(query.bind(.int64(upTo)))")
        return [
            Statement(
                """
                SELECT DISTINCT c.part\(groups.keyTexts), c.position, j.event, j.subject
                FROM (
                    SELECT s.part\(keys(groups, .rows)), l.position, l.change, l.site
                    FROM \(from)
                    \(query.whereClause)
                ) c
                JOIN journal j ON j.change = c.change AND j.site = c.site
                ORDER BY c.position, j.event, j.subject
                LIMIT \(ChangeBehind.rowsMax)
                """, parameters: query.parameters)
        ]
    }
}

extension Dimension {
    /// Whether its keys are about different days, or different sites, whose days are recorded each
    /// for itself.
    var tellsDaysApart: Bool { isCalendar || self == .weekday || self == .site }
}

/// What tells the days of a span.
private struct Stretch: Hashable {
    let part: Int
    let timeZone: String
    let from: Timestamp
    let to: Timestamp

    init(_ span: LedgerSpan) {
        part = span.part
        timeZone = span.span.timeZone
        from = span.span.from
        to = span.span.to
    }
}

extension LedgerSpan {
    /// What of it is recorded; nil: nothing.
    fileprivate var recorded: LedgerSpan? {
        var recorded = span
        recorded.from = max(span.from, span.recordedSince)
        recorded.to = min(span.to, span.recordedUntil ?? span.to)
        guard recorded.from < recorded.to else { return nil }
        return LedgerSpan(
            part: part, span: recorded, hasOtherLength: hasOtherLength, months: nil)
    }
}
