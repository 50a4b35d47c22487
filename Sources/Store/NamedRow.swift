import ControlCentre
import PostgreSQL

/// One row of a result, read by the names of its columns.
///
/// For what has so many columns that their numbers would tell nobody anything. A name that the
/// statement does not give is a mistake of the program and traps.
struct NamedRow {
    private let rows: QueryResult
    private let row: Int
    private let columns: [String: Int]

    /// All rows of a result.
    static func all(of rows: QueryResult) -> [NamedRow] {
        let columns = Dictionary(
            uniqueKeysWithValues: (0..<rows.columnCount).map { (rows.columnName($0), $0) })
        return (0..<rows.rowCount).map { NamedRow(rows: rows, row: $0, columns: columns) }
    }

    private func column(_ name: String) -> Int {
        guard let column = columns[name] else { preconditionFailure("there is no column \(name)") }
        return column
    }

    func isNull(_ name: String) -> Bool { rows.isNull(row, column(name)) }

    func bytes(_ name: String) throws(PostgreSQLError) -> [UInt8] {
        try rows.bytes(row, column(name))
    }

    func text(_ name: String) throws(PostgreSQLError) -> String {
        try rows.text(row, column(name))
    }

    func id<ID: UUIDIdentifier>(_ name: String) throws(PostgreSQLError) -> ID {
        try rows.id(row, column(name))
    }

    func site(_ name: String) throws(PostgreSQLError) -> SiteID {
        try rows.site(row, column(name))
    }

    func time(_ name: String) throws(PostgreSQLError) -> Timestamp {
        try rows.time(row, column(name))
    }

    /// A value of a closed list that the database keeps as text.
    func value<Value: RawRepresentable<String>>(_ name: String, _: Value.Type = Value.self)
        throws(PostgreSQLError) -> Value
    {
        try rows.value(row, column(name))
    }

    /// Whoever bears a token.
    func actor(_ name: String) throws(PostgreSQLError) -> ActorID {
        let token: TokenID = try id(name)
        return ActorID(token.description)
    }
}
