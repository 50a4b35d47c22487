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
        var first: LedgerFirst
        /// What must hold for a row, and for a cell, to be about the metric.
        var condition: String
        /// What must hold of a row only: of the cells it always does.
        var rowCondition: String
        /// The seconds of a row; nil where cases are only counted.
        var value: String?
        /// Whether an intervention can be called off.
        var hasCancelled: Bool
        var cells: String
        var cubes: [(name: String, dimensions: Set<Dimension>)]

        var table: LedgerTable {
            LedgerTable(rows: first.table, time: first.time, cells: cells, cubes: cubes)
        }
    }

    private static let base: Set<Dimension> = [.month, .site, .operatingMode]

    private static func cubes(_ last: String, _ dimension: Dimension)
        -> [(name: String, dimensions: Set<Dimension>)]
    {
        let base = base.union([.immediate, .category])
        return [
            ("base", base), ("recognition", base.union([.source, .monitored])),
            ("area", base.union([.area, .monitored])), ("subcategory", base.union([.subcategory])),
            ("pattern", base.union([.pattern])), (last, base.union([dimension])),
        ]
    }

    private static let arrivalCubes: [(name: String, dimensions: Set<Dimension>)] = [
        ("base", base), ("matter", base.union([.category, .source, .monitored])),
        ("area", base.union([.area, .monitored])),
    ]

    init(_ question: StatisticsQuestion) {
        self.question = question
        let matters = Source(
            first: .incident, condition: "true", rowCondition: "true", value: nil,
            hasCancelled: false, cells: "incident_cells", cubes: Self.cubes("outcome", .outcome))
        let dispatches = Source(
            first: .intervention, condition: "true", rowCondition: "true", value: nil,
            hasCancelled: true, cells: "intervention_cells",
            cubes: Self.cubes("precinct", .precinct))
        switch (question.metric, question.clock) {
        case (.incidents, _):
            source = matters
        case (.incidentsWithImmediateIntervention, _):
            var immediate = matters
            immediate.condition = "l.immediate"
            source = immediate
        case (.interventions, _):
            source = dispatches
        case (.arrivalTimes, .recognition):
            var arrivals = matters
            arrivals.rowCondition = "l.intervened"
            arrivals.value = "l.arrival_seconds"
            arrivals.cells = "incident_arrival_cells"
            arrivals.cubes = Self.arrivalCubes
            source = arrivals
        case (.arrivalTimes, .dispatch):
            var arrivals = dispatches
            arrivals.value = "l.arrival_seconds"
            arrivals.cells = "intervention_arrival_cells"
            arrivals.cubes = Self.arrivalCubes
            source = arrivals
        case (.alarmFunnel, _), (.detectionQuality, _), (.coverage, _), (.alarmLoad, _),
            (.cameras, _):
            preconditionFailure("a metric of another source")
        }
    }

    var firsts: [LedgerFirst] { [source.first] }

    // MARK: Figures

    func counts(of spans: [LedgerSpan], by groups: [Dimension], known: LedgerStanding)
        -> [Statement]
    {
        reading(spans, by: groups) { rows, stretches in
            count(rows, of: stretches, by: groups, known)
        }
    }

    func leftOut(of spans: [LedgerSpan], known: LedgerStanding) -> [Statement] {
        reading(spans, by: []) { rows, stretches in leftOut(rows, of: stretches, known) }
    }

    private func reading(
        _ spans: [LedgerSpan], by groups: [Dimension],
        _ statement: (LedgerTable.Reading, [LedgerStretch]) -> Statement
    ) -> [Statement] {
        let asked = Set(groups).union(question.filters.map(\.dimension))
        return source.table.statements(of: spans, asked: asked, statement)
    }

    private func count(
        _ rows: LedgerTable.Reading, of stretches: [LedgerStretch], by groups: [Dimension],
        _ known: LedgerStanding
    ) -> Statement {
        var query = Query()
        var from = bind(rows, of: stretches, known, in: &query)
        if groups.contains(.outcome) {
            from += """

                CROSS JOIN LATERAL unnest(
                    CASE WHEN l.outcomes = '{}' THEN ARRAY[NULL]::text[] ELSE l.outcomes END
                ) o (outcome)
                """
        }
        query.filter(counted)
        filter(&query, modes: true)
        let inner = groups.enumerated().map { ", \(key(of: $0.element, rows)) AS k\($0.offset)" }
            .joined()
        let outer = groups.enumerated().map {
            ", \($0.element.text(of: "c.k\($0.offset)"))"
        }.joined()
        var value = source.value ?? "NULL::bigint"
        var packed = "NULL::bytea"
        if case .cells = rows, source.value != nil {
            value = "NULL::bigint"
            packed = "string_agg(l.arrivals, '')"
        }
        return Statement(
            """
            SELECT p.part\(outer), '\(FigureTally.cases.rawValue)', c.value, c.count, c.packed
            FROM (
                SELECT s.parts\(inner), \(value) AS value, sum(l.amount)::bigint AS count,
                    \(packed) AS packed
                FROM \(from)
                \(query.whereClause)
                GROUP BY \((1...groups.count + 2).map(String.init).joined(separator: ", "))
            ) c
            \(question.rowsOfParts)
            """, parameters: query.parameters)
    }

    private func leftOut(
        _ rows: LedgerTable.Reading, of stretches: [LedgerStretch], _ known: LedgerStanding
    )
        -> Statement
    {
        var query = Query()
        let from = bind(rows, of: stretches, known, in: &query)
        filter(&query, modes: false)
        // What the metric counts itself is the most by far, and not asked for here.
        var counted = counted
        var isOtherMode = "false"
        if let modes = question.operatingModes {
            let modes = query.bind(.texts(modes))
            counted += " AND l.operating_mode = ANY (\(modes))"
            isOtherMode = "l.operating_mode <> ALL (\(modes))"
        }
        query.filter("NOT (\(counted))")
        return Statement(
            """
            SELECT p.part, c.reason, c.operating_mode, c.count
            FROM (
                SELECT s.parts,
                    CASE WHEN \(isOtherMode) THEN NULL
                        WHEN l.retracted THEN '\(LeftOutReason.retracted.rawValue)'
                        ELSE '\(LeftOutReason.cancelled.rawValue)' END AS reason,
                    l.operating_mode, sum(l.amount)::bigint AS count
                FROM \(from)
                \(query.whereClause)
                GROUP BY 1, 2, 3
            ) c
            \(question.rowsOfParts)
            """, parameters: query.parameters)
    }

    /// What holds for the rows and cells that the metric counts, in the modes asked for.
    private var counted: String {
        source.hasCancelled ? "NOT l.retracted AND NOT l.cancelled" : "NOT l.retracted"
    }

    // MARK: Rows

    /// The rows or cells `l` of the stretches `s`.
    private func bind(
        _ rows: LedgerTable.Reading, of stretches: [LedgerStretch], _ known: LedgerStanding,
        in query: inout Query
    ) -> String {
        query.filter(source.condition)
        if case .cells = rows {} else { query.filter(source.rowCondition) }
        return source.table.bind(rows, of: stretches, known: known, in: &query)
    }

    private func filter(_ query: inout Query, modes: Bool) {
        if modes, let modes = question.operatingModes {
            query.filter("l.operating_mode = ANY (\(query.bind(.texts(modes))))")
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

    private func key(of dimension: Dimension, _ rows: LedgerTable.Reading) -> String {
        source.table.key(
            of: dimension, rows,
            value: dimension == .outcome ? "o.outcome" : "l.\(dimension.rawValue)")
    }
}

extension LedgerQuery {
    func changes(
        of spans: [LedgerSpan], by groups: [Dimension], leftOut: Bool, after: Int64, upTo: Int64
    ) -> [Statement] {
        var query = Query()
        let groups = leftOut ? [] : groups
        var from = "\(query.bind(spans)) JOIN \(source.first.table) l ON \(source.table.isWithin)"
        if groups.contains(.outcome) {
            from += """

                CROSS JOIN LATERAL unnest(
                    CASE WHEN l.outcomes = '{}' THEN ARRAY[NULL]::text[] ELSE l.outcomes END
                ) o (outcome)
                """
        }
        from += " JOIN positions p ON p.change = l.change"
        query.filter(source.condition)
        query.filter(source.rowCondition)
        filter(&query, modes: !leftOut)
        if leftOut {
            var counted = counted
            if let modes = question.operatingModes {
                counted += " AND l.operating_mode = ANY (\(query.bind(.texts(modes))))"
            }
            query.filter("NOT (\(counted))")
        } else {
            query.filter(counted)
        }
        query.filter("p.position > \(query.bind(.int64(after)))")
        query.filter("p.position <= \(query.bind(.int64(upTo)))")
        let inner = groups.enumerated().map { ", \(key(of: $0.element, .rows)) AS k\($0.offset)" }
            .joined()
        let outer = groups.enumerated().map {
            ", \($0.element.text(of: "c.k\($0.offset)"))"
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
