import ControlCentre
import PostgreSQL

/// What a question asks of the ledger of coverage, as SQL.
///
/// Without a word about patterns a camera counts as a whole; else for each pattern by itself.
struct CoverageQuery: FigureSource {
    private let question: StatisticsQuestion

    private static let base: Set<Dimension> = [.month, .site, .model]
    private static let place = base.union([.area, .monitored])

    /// Cameras as a whole.
    private static let cameras = LedgerTable(
        rows: "coverage_ledger", time: "covered_from", cells: "coverage_cells",
        cubes: [("base", base), ("area", place), ("camera", place.union([.camera]))])
    private static let patterns = LedgerTable(
        rows: "coverage_ledger", time: "covered_from", cells: "coverage_cells",
        cubes: [("pattern", base.union([.pattern])), ("pattern_area", place.union([.pattern]))])

    init(_ question: StatisticsQuestion) {
        self.question = question
    }

    /// It begins with the site, whatever happens there.
    var firsts: [LedgerFirst] { [] }

    func recording(known: LedgerStanding, in query: inout Query) -> RecordingTimes? {
        .ofCoverage(known: known, in: &query)
    }

    /// Several models may look through one camera at once.
    func addsUp(over groups: [Dimension]) -> Bool { !groups.contains(.model) }

    func figures(
        of spans: [LedgerSpan], by groups: [Dimension], withOthers: Bool, known: LedgerStanding
    ) -> [Statement] {
        let asked = Set(groups).union(question.filters.map(\.dimension))
        return table.statements(of: spans, asked: asked) { reading, stretches in
            var query = Query()
            let from = table.bind(reading, of: stretches, known: known, in: &query)
            let kinds = takeApart(reading, by: groups, &query)
            filter(&query)
            let keys = groups.enumerated().map {
                ", \(key(of: $0.element, reading)) AS k\($0.offset)"
            }
            var figures = FigureStatement(
                of: question, by: groups,
                sums: """
                    SELECT s.parts\(keys.joined()), l.state, sum(l.amount)::bigint AS count
                    FROM \(from)\(kinds)
                    \(query.whereClause)
                    GROUP BY \((1...groups.count + 2).map(String.init).joined(separator: ", "))
                    HAVING sum(l.amount) <> 0
                    """)
            figures.count("c.state")
            return figures.statement(query)
        }
    }

    private var table: LedgerTable { isByPattern ? Self.patterns : Self.cameras }

    /// The total, too, is of what its parts are.
    private var isByPattern: Bool {
        question.groups.contains(.pattern) || question.filter(.pattern) != nil
    }

    /// Takes of the rows those of the kind that is asked about; returns SQL by which each is there
    /// as often as the groups and filters take it apart.
    private func takeApart(
        _ reading: LedgerTable.Reading, by groups: [Dimension], _ query: inout Query
    ) -> String {
        // Each cube has one kind.
        if case .cells = reading {
        } else {
            query.filter("l.patterns IS \(isByPattern ? "NOT NULL" : "NULL")")
        }
        var kinds = ""
        if isByPattern { kinds += " CROSS JOIN LATERAL unnest(l.patterns) k (pattern)" }
        if groups.contains(.model) {
            kinds += " CROSS JOIN LATERAL unnest(coalesce(l.models, ARRAY[NULL])) m (model)"
        }
        return kinds
    }

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

    private func key(of dimension: Dimension, _ reading: LedgerTable.Reading) -> String {
        switch dimension {
        case .pattern: "k.pattern"
        case .model: "m.model"
        default: Self.cameras.key(of: dimension, reading, value: "l.\(dimension.rawValue)")
        }
    }
}

extension CoverageQuery {
    func changes(
        of spans: [LedgerSpan], by groups: [Dimension], leftOut: Bool, after: Int64, upTo: Int64
    ) -> [Statement] {
        guard !leftOut else { return [] }
        var query = Query()
        let from =
            "\(query.bind(spans)) JOIN \(Self.cameras.rows) l ON \(Self.cameras.isWithin)"
        let kinds = takeApart(.rows, by: groups, &query)
        filter(&query)
        query.filter("l.position > \(query.bind(.int64(after)))")
        query.filter("l.position <= \(query.bind(.int64(upTo)))")
        let keys = groups.enumerated().map { ", \(key(of: $0.element, .rows)) AS k\($0.offset)" }
        return [
            Statement(
                """
                SELECT DISTINCT c.part\(groups.keyTexts), c.position, j.event, j.subject
                FROM (
                    SELECT s.part\(keys.joined()), l.position, l.change, l.site
                    FROM \(from)\(kinds)
                    \(query.whereClause)
                ) c
                JOIN journal j ON j.change = c.change AND j.site = c.site
                ORDER BY c.position, j.event, j.subject
                LIMIT \(ChangeBehind.rowsMax)
                """, parameters: query.parameters)
        ]
    }
}

extension RecordingTimes {
    /// Of what follows from coverage: from the site's set-up on to the last recorded hour.
    static func ofCoverage(known: LedgerStanding, in query: inout Query) -> RecordingTimes {
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
}
