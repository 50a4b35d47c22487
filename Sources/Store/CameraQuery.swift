import ControlCentre
import PostgreSQL

/// What a question about cameras asks of the ledger of their days, as SQL.
struct CameraQuery: FigureSource {
    private let question: StatisticsQuestion

    private static let clock: Set<Dimension> = [.month, .week, .day, .weekday, .site]
    private static let table = LedgerTable(
        rows: "camera_day_ledger", time: "begins_at", cells: "camera_day_cells",
        cubes: [("base", clock), ("area", clock.union([.area, .monitored]))])

    init(_ question: StatisticsQuestion) { self.question = question }

    /// It begins with the site, whatever happens there.
    var firsts: [LedgerFirst] { [] }

    func recording(known: LedgerStanding, in query: inout Query) -> RecordingTimes? {
        .ofCoverage(known: known, in: &query)
    }

    func counts(of spans: [LedgerSpan], by groups: [Dimension], known: LedgerStanding)
        -> [Statement]
    {
        let asked = Set(groups).union(question.filters.map(\.dimension))
        return Self.table.statements(of: spans, asked: asked) { reading, stretches in
            var query = Query()
            let from = Self.table.bind(reading, of: stretches, known: known, in: &query)
            filter(&query)
            let keys = keys(groups, reading)
            let places = (1...groups.count + 3).map(String.init).joined(separator: ", ")
            let names = groups.indices.map { ", c.k\($0)" }.joined()
            return Statement(
                """
                SELECT p.part\(texts(groups)), t.tally, NULL::bigint, sum(c.count)::bigint,
                    string_agg(int8send(c.day) || int4send(c.count), '' ORDER BY c.day)
                FROM (
                    SELECT s.parts\(keys), l.day - date '1970-01-01' AS day, l.analysed,
                        sum(l.amount)::integer AS count
                    FROM \(from)
                    \(query.whereClause)
                    GROUP BY \(places)
                    HAVING sum(l.amount) <> 0
                ) c
                CROSS JOIN (VALUES ('installed_cameras'), ('analysed_cameras')) t (tally)
                \(question.rowsOfParts) AND (c.analysed OR t.tally = 'installed_cameras')
                GROUP BY p.part\(names), t.tally
                """, parameters: query.parameters)
        }
    }

    func leftOut(of spans: [LedgerSpan], known: LedgerStanding) -> [Statement] { [] }

    func days(of spans: [LedgerSpan], by groups: [Dimension]) -> Statement? {
        var query = Query()
        let from = query.bind(spans.compactMap(\.recorded))
        let groups = groups.filter(\.tellsDaysApart)
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
            SELECT c.part\(texts(groups)),
                string_agg(int8send(c.number) || int4send(1), '' ORDER BY c.number)
            FROM (
                SELECT DISTINCT s.part\(keys), d.day::date - date '1970-01-01' AS number
                FROM \(from)
                CROSS JOIN LATERAL generate_series(
                    date_trunc('day', s.lower AT TIME ZONE s.zone), s.upper AT TIME ZONE s.zone,
                    interval '1 day') d (day)
                WHERE first_instant(d.day, s.zone) >= s.lower
                    AND first_instant(d.day + interval '1 day', s.zone) <= s.upper
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

    private func texts(_ groups: [Dimension]) -> String {
        groups.enumerated().map { ", \($0.element.text(of: "c.k\($0.offset)"))" }.joined()
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
                SELECT DISTINCT c.part\(texts(groups)), c.position, j.event, j.subject
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
