import ControlCentre
import PostgreSQL

/// A statement of figures: sums of rows or cells, read once, and what all they tell. Its rows are
/// part, kind, the groups' keys as text, name, value or NULL, count, packed values or NULL.
struct FigureStatement {
    private let question: StatisticsQuestion
    private let groups: [Dimension]
    /// A SELECT with the columns `parts`, `k0` and so on for the groups, and what the rows need.
    private let sums: String
    private var rows: [String] = []

    init(of question: StatisticsQuestion, by groups: [Dimension], sums: String) {
        self.question = question
        self.groups = groups
        self.sums = sums
    }

    /// Adds what is counted, by SQL about the sums `c`.
    ///
    /// - Parameters:
    ///   - tally: the name of a `FigureTally`.
    ///   - join: what takes each sum apart.
    ///   - isAggregate: whether `count` and `packed` sum up over sums once more.
    mutating func count(
        _ tally: String, value: String = "NULL::bigint", count: String = "c.count",
        packed: String = "NULL::bytea", join: String = "", where condition: String = "true",
        isAggregate: Bool = false
    ) {
        let names = groups.indices.map { ", c.k\($0)" }
        rows.append(
            """
            SELECT p.part, '\(FigureKind.counted.rawValue)'\(groups.keyTexts), \(tally), \(value),
                \(count), \(packed)
            FROM c \(join) \(question.rowsOfParts) AND \(condition)
            \(isAggregate ? "GROUP BY p.part\(names.joined()), \(tally)" : "")
            """)
    }

    /// Adds what is told beside, without the groups' keys.
    mutating func tell(_ kind: FigureKind, named name: String, where condition: String) {
        let keys = String(repeating: ", NULL::text", count: groups.count)
        rows.append(
            """
            SELECT p.part, '\(kind.rawValue)'\(keys), \(name), NULL::bigint,
                sum(c.count)::bigint, NULL::bytea
            FROM c \(question.rowsOfParts) AND \(condition)
            GROUP BY p.part, \(name)
            """)
    }

    func statement(_ query: Query) -> Statement {
        Statement(
            """
            WITH c AS (
                \(sums)
            )
            \(rows.joined(separator: "\nUNION ALL\n"))
            """, parameters: query.parameters)
    }
}

extension StatisticsQuestion {
    /// SQL of a row for each part that the stretch of a sum `c` belongs to.
    fileprivate var rowsOfParts: String {
        """
        CROSS JOIN generate_series(0, \(comparisons.count)) p (part)
        WHERE (c.parts >> p.part) & 1 = 1
        """
    }
}
