import CPostgreSQL

/// The rows and the command tag that one statement was answered with.
///
/// Rows and columns count from 0; one that does not exist is a mistake of the program and traps.
/// Values are read in place from libpq's memory, which is freed with this object: let it go as
/// soon as its rows are read.
public final class QueryResult: @unchecked Sendable {
    // @unchecked: a PGresult does not change once received and may pass between threads (manual,
    // "libpq: Behavior in Threaded Programs"); `notices` is complete before anyone gets this.
    private let result: OpaquePointer

    public let rowCount: Int
    public let columnCount: Int
    /// The warnings and notices that came while the statement ran.
    public internal(set) var notices: [Notice]

    /// Takes over `result`, which is freed with this object.
    init(adopting result: OpaquePointer, notices: [Notice]) {
        self.result = result
        self.notices = notices
        rowCount = Int(PQntuples(result))
        columnCount = Int(PQnfields(result))
    }

    deinit {
        PQclear(result)
    }

    /// What PostgreSQL says that it did: `INSERT 0 5`, `COMMIT`.
    public var commandTag: String {
        String(cString: PQcmdStatus(result))
    }

    /// How many rows the statement inserted, changed, deleted or selected; 0 for other commands.
    public var affectedRows: Int {
        Int(String(cString: PQcmdTuples(result))) ?? 0
    }

    /// The name of a column as the statement gave it.
    public func columnName(_ column: Int) -> String {
        precondition(column >= 0 && column < columnCount, "no column \(column)")
        return PQfname(result, Int32(column)).map { String(cString: $0) } ?? ""
    }

    /// The bytes of a value in PostgreSQL's binary format; nil for NULL.
    func field(_ row: Int, _ column: Int) -> UnsafeRawBufferPointer? {
        precondition(
            row >= 0 && row < rowCount && column >= 0 && column < columnCount,
            "no value at row \(row), column \(column)")
        let (row, column) = (Int32(row), Int32(column))
        guard PQgetisnull(result, row, column) == 0 else { return nil }
        return UnsafeRawBufferPointer(
            start: PQgetvalue(result, row, column),
            count: Int(PQgetlength(result, row, column)))
    }

    /// Nil for a type that this module does not read.
    func type(_ column: Int) -> PostgreSQLType? {
        PostgreSQLType(rawValue: PQftype(result, Int32(column)))
    }

    func mismatch(_ row: Int, _ column: Int, expected: String) -> PostgreSQLError {
        let type = "type \(PQftype(result, Int32(column)))"
        return .unexpectedValue("column \(columnName(column)): \(type) is not \(expected)")
    }
}

// MARK: Commit

extension QueryResult {
    /// Makes sure that `result` tells of a transaction that is committed as durably as asked for.
    ///
    /// `COMMIT` of a failed transaction answers `ROLLBACK` without an error, and one whose wait
    /// for a synchronous standby was cancelled answers `COMMIT` with a warning.
    ///
    /// - Throws: `notCommitted` or `committedWithWarning`.
    public static func requireCommit(_ result: QueryResult) throws(PostgreSQLError) {
        let tag = result.commandTag
        guard tag == "COMMIT" else { throw .notCommitted(tag) }
        if let warning = result.notices.first(where: \.isWarning) {
            throw .committedWithWarning(warning)
        }
    }
}
