import ControlCentre
import PostgreSQL

/// What a question asks of the ledger of coverage, as SQL.
///
/// Without a word about patterns a camera counts as a whole; else for each pattern by itself.
struct CoverageQuery: FigureSource {
    private let question: StatisticsQuestion

    /// Read row by row: no run sums it up.
    private static let table = LedgerTable(
        rows: "coverage_ledger", time: "covered_from", cells: "coverage_ledger", cubes: [])

    init(_ question: StatisticsQuestion) {
        self.question = question
    }

    /// It begins with the site, whatever happens there.
    var firsts: [LedgerFirst] { [] }

    func recording(known: LedgerStanding, in query: inout Query) -> RecordingTimes? {
        let last = query.bind(.int64(known.isLatest ? .max : known.position))
        let since = "(SELECT p.since FROM coverage_progress p WHERE p.site = s.id)"
        return RecordingTimes(
            since: since,
            until: """
                coalesce(
                    (SELECT r.recorded_until FROM coverage_recordings r
                        WHERE r.site = s.id AND r.position <= \(last)
                        ORDER BY r.position DESC LIMIT 1),
                    \(since))
                """)
    }

    /// Several models may look through one camera at once.
    func addsUp(over groups: [Dimension]) -> Bool { !groups.contains(.model) }

    func counts(of spans: [LedgerSpan], by groups: [Dimension], known: LedgerStanding)
        -> [Statement]
    {
        var query = Query()
        let from = from(spans, by: groups, in: &query)
        filter(&query)
        query.filter(query.bindKnown(known))
        let inner = groups.enumerated().map { ", \(key(of: $0.element)) AS k\($0.offset)" }.joined()
        let outer = groups.enumerated().map {
            ", \($0.element.text(of: "c.k\($0.offset)"))"
        }.joined()
        return [
            Statement(
                """
                SELECT c.part\(outer), c.state, NULL::bigint, c.count, NULL::bytea
                FROM (
                    SELECT s.part\(inner), l.state, sum(l.amount)::bigint AS count
                    FROM \(from)
                    \(query.whereClause)
                    GROUP BY \((1...groups.count + 2).map(String.init).joined(separator: ", "))
                    HAVING sum(l.amount) <> 0
                ) c
                """, parameters: query.parameters)
        ]
    }

    /// The rows `l` of the spans, each as often as the groups and filters take it apart.
    private func from(_ spans: [LedgerSpan], by groups: [Dimension], in query: inout Query)
        -> String
    {
        let byPattern = groups.contains(.pattern) || question.filter(.pattern) != nil
        var from = """
            \(query.bind(spans)) JOIN \(Self.table.rows) l ON \(Self.table.isWithin)
                AND l.patterns IS \(byPattern ? "NOT NULL" : "NULL")
            """
        if byPattern { from += " CROSS JOIN LATERAL unnest(l.patterns) k (pattern)" }
        if groups.contains(.model) {
            from += " CROSS JOIN LATERAL unnest(coalesce(l.models, ARRAY[NULL])) m (model)"
        }
        return from
    }

    func leftOut(of spans: [LedgerSpan], known: LedgerStanding) -> [Statement] { [] }

    private func filter(_ query: inout Query) {
        for (dimension, values) in question.filters {
            let values = query.bind(.texts(values))
            switch dimension {
            case .site: break
            case .pattern: query.filter("k.pattern = ANY (\(values))")
            case .model: query.filter("l.models && \(values)")
            default: query.filter("l.\(dimension.rawValue)::text = ANY (\(values))")
            }
        }
    }

    private func key(of dimension: Dimension) -> String {
        switch dimension {
        case .pattern: "k.pattern"
        case .model: "m.model"
        default: Self.table.key(of: dimension, .rows, value: "l.\(dimension.rawValue)")
        }
    }
}

extension CoverageQuery {
    func changes(
        of spans: [LedgerSpan], by groups: [Dimension], leftOut: Bool, after: Int64, upTo: Int64
    ) -> [Statement] {
        guard !leftOut else { return [] }
        var query = Query()
        let from = from(spans, by: groups, in: &query)
        filter(&query)
        query.filter("l.position > \(query.bind(.int64(after)))")
        query.filter("l.position <= \(query.bind(.int64(upTo)))")
        let keys = groups.enumerated().map { ", \(key(of: $0.element)) AS k\($0.offset)" }
        let texts = groups.enumerated().map { ", \($0.element.text(of: "c.k\($0.offset)"))" }
        return [
            Statement(
                """
                SELECT DISTINCT c.part\(texts.joined()), c.position, j.event, j.subject
                FROM (
                    SELECT s.part\(keys.joined()), l.position, l.change, l.site
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
