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

    func figures(
        of spans: [LedgerSpan], by groups: [Dimension], withOthers: Bool, known: LedgerStanding
    ) -> [Statement] {
        let asked = Set(groups).union(question.filters.map(\.dimension))
        return source.table.statements(of: spans, asked: asked) { rows, stretches in
            figures(rows, of: stretches, by: groups, withOthers: withOthers, known)
        }
    }

    private func figures(
        _ rows: LedgerTable.Reading, of stretches: [LedgerStretch], by groups: [Dimension],
        withOthers: Bool, _ known: LedgerStanding
    ) -> Statement {
        var query = Query()
        var from = bind(rows, of: stretches, known, in: &query)
        if groups.contains(.outcome) { from += "\n\(outcomes)" }
        filter(&query)
        var columns = ""
        var (isOfModes, isCounted) = ("true", "true")
        if withOthers {
            columns = ", l.operating_mode, l.retracted"
            if source.hasCancelled { columns += ", l.cancelled" }
            isOfModes = question.isOfModes("c", in: &query)
            isCounted = counted("c")
        } else {
            query.filter(question.isOfModes("l", in: &query))
            query.filter(counted("l"))
        }
        let keys = groups.enumerated().map { ", \(key(of: $0.element, rows)) AS k\($0.offset)" }
        var value = source.value ?? "NULL::bigint"
        var packed = "NULL::bytea"
        if case .cells = rows, source.value != nil {
            value = "NULL::bigint"
            packed = "string_agg(l.arrivals, '')"
        }
        let names = ["s.parts"] + groups.indices.map { "k\($0)" }
        var figures = FigureStatement(
            of: question, by: groups,
            sums: """
                SELECT s.parts\(keys.joined()), \(value) AS value,
                    sum(l.amount)::bigint AS count, \(packed) AS packed\(columns)
                FROM \(from)
                \(query.whereClause)
                GROUP BY \(names.joined(separator: ", ")), value\(columns)
                """)
        figures.count(
            "'\(FigureTally.cases.rawValue)'", value: "c.value", packed: "c.packed",
            where: "\(isOfModes) AND \(isCounted)")
        if withOthers {
            figures.tell(.otherMode, named: "c.operating_mode", where: "NOT (\(isOfModes))")
            figures.tell(
                .leftOut, named: "'\(LeftOutReason.retracted.rawValue)'::text",
                where: "\(isOfModes) AND c.retracted")
            if source.hasCancelled {
                figures.tell(
                    .leftOut, named: "'\(LeftOutReason.cancelled.rawValue)'::text",
                    where: "\(isOfModes) AND c.cancelled AND NOT c.retracted")
            }
        }
        return figures.statement(query)
    }

    /// SQL by which each row is there once for each of its outcomes.
    private var outcomes: String {
        """
        CROSS JOIN LATERAL unnest(
            CASE WHEN l.outcomes = '{}' THEN ARRAY[NULL]::text[] ELSE l.outcomes END
        ) o (outcome)
        """
    }

    /// What holds for what the metric counts in a table, in the modes asked for.
    private func counted(_ table: String) -> String {
        let cancelled = source.hasCancelled ? " AND NOT \(table).cancelled" : ""
        return "NOT \(table).retracted\(cancelled)"
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

    private func filter(_ query: inout Query) {
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
        if groups.contains(.outcome) { from += "\n\(outcomes)" }
        from += " JOIN positions p ON p.change = l.change"
        query.filter(source.condition)
        query.filter(source.rowCondition)
        filter(&query)
        let isCounted = "\(question.isOfModes("l", in: &query)) AND \(counted("l"))"
        query.filter(leftOut ? "NOT (\(isCounted))" : isCounted)
        query.filter("p.position > \(query.bind(.int64(after)))")
        query.filter("p.position <= \(query.bind(.int64(upTo)))")
        let inner = groups.enumerated().map { ", \(key(of: $0.element, .rows)) AS k\($0.offset)" }
            .joined()
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
                SELECT DISTINCT c.part\(groups.keyTexts), c.position, j.event, j.subject
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
