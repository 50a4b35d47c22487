import ControlCentre
import PostgreSQL

/// What a question about the alarm load asks, as SQL: what rang, from which sources, and what of it
/// observers' positions bore.
struct AlarmLoadQuery: FigureSource {
    private let question: StatisticsQuestion

    private static let base: Set<Dimension> = [.month, .site]
    private static let annunciations = LedgerTable(
        rows: "annunciation_ledger", time: "happened_at", cells: "annunciation_cells",
        cubes: [
            ("base", base), ("area", base.union([.area, .monitored])),
            ("camera", base.union([.camera])), ("pattern", base.union([.pattern])),
        ])
    private static let loads = LedgerTable(
        rows: "load_ledger", time: "watched_in", cells: "load_cells", cubes: [("base", base)])

    init(_ question: StatisticsQuestion) { self.question = question }

    var firsts: [LedgerFirst] { [.alarm] }

    /// Hours are recorded when they are over.
    func recording(known: LedgerStanding, in query: inout Query) -> RecordingTimes? {
        let last = query.bind(.int64(known.isLatest ? .max : known.position))
        return RecordingTimes(
            until: """
                coalesce(
                    (SELECT r.recorded_until FROM load_recordings r
                        WHERE r.site = s.id AND r.position <= \(last)
                        ORDER BY r.position DESC LIMIT 1),
                    least(s.created_at, earliest.at))
                """)
    }

    private func asked(by groups: [Dimension]) -> Set<Dimension> {
        Set(groups).union(question.filters.map(\.dimension))
    }

    private func filter(_ query: inout Query) {
        for (dimension, values) in question.filters where dimension != .site {
            let value = dimension.text(of: "l.\(dimension.rawValue)")
            query.filter("\(value) = ANY (\(query.bind(.texts(values))))")
        }
    }

    func figures(
        of spans: [LedgerSpan], by groups: [Dimension], withOthers: Bool, known: LedgerStanding
    ) -> [Statement] {
        let asked = asked(by: groups)
        var statements = Self.annunciations.statements(of: spans, asked: asked) {
            annunciated($0, of: $1, by: groups, known)
        }
        if question.isOfPositions {
            statements += Self.loads.statements(of: spans, asked: asked) {
                borne($0, of: $1, by: groups, known)
            }
        }
        if withOthers {
            statements += AnalysisLedger.alarms.table.statements(
                of: spans, asked: self.asked(by: []).union([.late, .operatingMode])
            ) { unannunciated($0, of: $1, by: groups, known) }
        }
        return statements
    }

    private func keys(of table: LedgerTable, _ reading: LedgerTable.Reading, by groups: [Dimension])
        -> String
    {
        groups.enumerated().map { place, group in
            ", \(table.key(of: group, reading, value: "l.\(group.rawValue)")) AS k\(place)"
        }.joined()
    }

    // MARK: What positions bore

    private func borne(
        _ reading: LedgerTable.Reading, of stretches: [LedgerStretch], by groups: [Dimension],
        _ known: LedgerStanding
    ) -> Statement {
        var query = Query()
        let from = Self.loads.bind(reading, of: stretches, known: known, in: &query)
        var (value, packed) = ("l.value", "NULL::bytea")
        if case .cells = reading {
            (value, packed) = ("NULL::bigint", "string_agg(l.loads, '')")
        }
        let places = (1...groups.count + 3).map(String.init).joined(separator: ", ")
        var figures = FigureStatement(
            of: question, by: groups,
            sums: """
                SELECT s.parts\(keys(of: Self.loads, reading, by: groups)), l.tally,
                    \(value) AS value, sum(l.amount)::bigint AS count, \(packed) AS packed
                FROM \(from)
                \(query.whereClause)
                GROUP BY \(places)
                """)
        figures.count("c.tally", value: "c.value", packed: "c.packed")
        return figures.statement(query)
    }

    // MARK: What rang

    private func annunciated(
        _ reading: LedgerTable.Reading, of stretches: [LedgerStretch], by groups: [Dimension],
        _ known: LedgerStanding
    ) -> Statement {
        var query = Query()
        var from = Self.annunciations.bind(reading, of: stretches, known: known, in: &query)
        filter(&query)
        let keys = keys(of: Self.annunciations, reading, by: groups)
        var sums = "l.tally, sum(l.amount)::bigint AS count, string_agg(l.sources, '') AS packed"
        var places = 1...groups.count + 2
        var (count, packed) = ("c.count", "c.packed")
        if case .cells = reading {
        } else {
            from += """

                CROSS JOIN LATERAL (
                    SELECT l.fact AS tally, CASE l.fact WHEN 'annunciated' THEN l.source END
                        AS source
                    UNION ALL
                    SELECT 'chattering', NULL WHERE l.chattering AND l.fact = 'annunciated'
                ) t
                """
            sums = "t.tally, t.source, sum(l.amount)::bigint AS count"
            places = 1...groups.count + 3
            count = "sum(c.count)::bigint"
            packed = """
                string_agg(int8send(c.source) || int4send(c.count::integer), '')
                    FILTER (WHERE c.source IS NOT NULL)
                """
        }
        var isAggregate = true
        if case .cells = reading { isAggregate = false }
        var figures = FigureStatement(
            of: question, by: groups,
            sums: """
                SELECT s.parts\(keys), \(sums)
                FROM \(from)
                \(query.whereClause)
                GROUP BY \(places.map(String.init).joined(separator: ", "))
                """)
        figures.count("c.tally", count: count, packed: packed, isAggregate: isAggregate)
        return figures.statement(query)
    }

    // MARK: What is left out

    /// Alarms that did not ring: of other modes, by those, and of production those that came late.
    private func unannunciated(
        _ reading: LedgerTable.Reading, of stretches: [LedgerStretch], by groups: [Dimension],
        _ known: LedgerStanding
    ) -> Statement {
        var query = Query()
        let from = AnalysisLedger.alarms.table.bind(
            reading, of: stretches, known: known, in: &query)
        filter(&query)
        query.filter("(l.late OR l.operating_mode <> 'production')")
        var figures = FigureStatement(
            of: question, by: groups,
            sums: """
                SELECT s.parts, l.operating_mode, sum(l.amount)::bigint AS count
                FROM \(from)
                \(query.whereClause)
                GROUP BY 1, 2
                """)
        figures.tell(
            .leftOut, named: "'\(LeftOutReason.late.rawValue)'::text",
            where: "c.operating_mode = 'production'")
        figures.tell(
            .otherMode, named: "c.operating_mode", where: "c.operating_mode <> 'production'")
        return figures.statement(query)
    }
}

// MARK: The journal behind it

extension AlarmLoadQuery {
    func changes(
        of spans: [LedgerSpan], by groups: [Dimension], leftOut: Bool, after: Int64, upTo: Int64
    ) -> [Statement] {
        let isOfPositions = question.isOfPositions && !leftOut
        return [changes(of: spans, by: groups, leftOut, after, upTo)]
            + (isOfPositions ? [recordings(of: spans, by: groups, after, upTo)] : [])
    }

    /// Of the hours of positions.
    private func recordings(
        of spans: [LedgerSpan], by groups: [Dimension], _ after: Int64, _ upTo: Int64
    ) -> Statement {
        var query = Query()
        let from = "\(query.bind(spans)) JOIN \(Self.loads.rows) l ON \(Self.loads.isWithin)"
        query.filter("l.position > \(query.bind(.int64(after)))")
        query.filter("l.position <= \(query.bind(.int64(upTo)))")
        return Statement(
            """
            SELECT DISTINCT c.part\(groups.keyTexts), c.position, j.event, j.subject
            FROM (
                SELECT s.part\(keys(of: Self.loads, .rows, by: groups)), l.position, l.change,
                    l.site
                FROM \(from)
                \(query.whereClause)
            ) c
            JOIN journal j ON j.change = c.change AND j.site = c.site
            ORDER BY c.position, j.event, j.subject
            LIMIT \(ChangeBehind.rowsMax)
            """, parameters: query.parameters)
    }

    private func changes(
        of spans: [LedgerSpan], by groups: [Dimension], _ leftOut: Bool, _ after: Int64,
        _ upTo: Int64
    ) -> Statement {
        let table = leftOut ? AnalysisLedger.alarms.table : Self.annunciations
        let groups = leftOut ? [] : groups
        var query = Query()
        let from = """
            \(query.bind(spans)) JOIN \(table.rows) l ON \(table.isWithin)
                JOIN positions p ON p.change = l.change
            """
        filter(&query)
        if leftOut { query.filter("(l.late OR l.operating_mode <> 'production')") }
        query.filter("p.position > \(query.bind(.int64(after)))")
        query.filter("p.position <= \(query.bind(.int64(upTo)))")
        return Statement(
            """
            SELECT DISTINCT c.part\(groups.keyTexts), c.position, j.event, j.subject
            FROM (
                SELECT s.part\(keys(of: table, .rows, by: groups)), p.position, l.change, l.alarm
                FROM \(from)
                \(query.whereClause)
            ) c
            JOIN journal j ON j.change = c.change AND j.subject = c.alarm::text
            ORDER BY c.position, j.event, j.subject
            LIMIT \(ChangeBehind.rowsMax)
            """, parameters: query.parameters)
    }
}
