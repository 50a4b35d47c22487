import ControlCentre
import EventLoop
import PostgreSQL

/// One loop's access to PostgreSQL; the files of this module extend it, one per table family.
///
/// Owned by its loop. Reads take any connection. A change is one transaction that ends with its
/// journal rows and its position.
public final class Database {
    let pool: PostgreSQLPool
    /// For what may take long, such as figures, searches and imports: whoever handles an alarm never
    /// waits for a connection that one of them has.
    let patientPool: PostgreSQLPool
    /// Called after each commit that changed something, so that the feed looks at once.
    private let committed: @Sendable () -> Void

    /// - Parameters:
    ///   - pool: connections as the runtime role.
    ///   - patientPool: the same for what may take long; nil where one pool does for all.
    ///   - committed: called on this loop after each change has been committed.
    public init(
        pool: PostgreSQLPool, patientPool: PostgreSQLPool? = nil,
        committed: @escaping @Sendable () -> Void
    ) {
        self.pool = pool
        self.patientPool = patientPool ?? pool
        self.committed = committed
    }

    /// Whether the last attempt to reach PostgreSQL succeeded.
    public var isAvailable: Bool { pool.isAvailable }

    /// Asks PostgreSQL for a sign of life.
    public func ping() async throws(StoreError) {
        _ = try await read([Statement("SELECT 1")])
    }

    /// What makes a session end a question that takes longer than `time`: nobody's question keeps a
    /// connection from the others for ever. Changes and house-keeping take as long as they take.
    public static func limitReads(to time: Duration) -> Statement {
        Statement("SET statement_timeout = \(time.microseconds / 1_000)")
    }

    /// Runs statements that change nothing, in one flush.
    func read(_ statements: [Statement]) async throws(StoreError) -> [QueryResult] {
        try await read(statements, from: pool)
    }

    /// As `read`, of what may have to search long for its answer.
    func search(_ statements: [Statement]) async throws(StoreError) -> [QueryResult] {
        try await read(statements, from: patientPool)
    }

    private func read(_ statements: [Statement], from pool: PostgreSQLPool)
        async throws(StoreError) -> [QueryResult]
    {
        do throws(PostgreSQLError) {
            return try await pool.withConnection {
                (connection) async throws(PostgreSQLError) in
                try await connection.execute(statements)
            }
        } catch {
            throw StoreError(error)
        }
    }

    /// Runs statements in a transaction of their own, in one flush and without a limit of time. They
    /// take no number and no position, or do so by themselves, as the functions that keep house do.
    func transact(_ statements: [Statement]) async throws(PostgreSQLError) -> [QueryResult] {
        let results = try await pool.withConnection {
            (connection) async throws(PostgreSQLError) in
            try await connection.execute([Self.begin, Self.unlimited] + statements + [Self.commit])
        }
        try QueryResult.requireCommit(results[results.count - 1])
        return Array(results.dropFirst(2).dropLast())
    }

    /// Keeps house: as `transact`, for functions that any instance may call at any time.
    func work(_ statements: [Statement]) async throws(StoreError) -> [QueryResult] {
        do throws(PostgreSQLError) {
            return try await transact(statements)
        } catch {
            throw StoreError(error)
        }
    }

    /// Runs a change in one flush: BEGIN, a change number, the statements, a position, COMMIT.
    ///
    /// - Returns: the results of `statements`.
    func commit(_ statements: [Statement]) async throws(PostgreSQLError) -> [QueryResult] {
        let results = try await pool.withConnection {
            (connection) async throws(PostgreSQLError) in
            try await connection.execute(
                [Self.begin, Self.nextChange] + statements + [Self.appendPosition, Self.commit])
        }
        try QueryResult.requireCommit(results[results.count - 1])
        committed()
        return Array(results.dropFirst(2).dropLast(2))
    }

    /// Runs a change that depends on what it reads: `read` in the transaction, then what `decide`
    /// makes of it. When that is nothing, the transaction is rolled back.
    ///
    /// - Returns: the results of the statements decided upon, or nil for none.
    func commit(
        reading: [Statement], decide: ([QueryResult]) throws(PostgreSQLError) -> [Statement]?
    ) async throws(PostgreSQLError) -> [QueryResult]? {
        let results: [QueryResult]? = try await pool.withConnection {
            (connection) async throws(PostgreSQLError) in
            let read = try await connection.execute([Self.begin, Self.nextChange] + reading)
            guard let statements = try decide(Array(read.dropFirst(2))) else {
                _ = try await connection.execute([Self.rollback])
                return nil
            }
            return try await connection.execute(statements + [Self.appendPosition, Self.commit])
        }
        guard let results else { return nil }
        try QueryResult.requireCommit(results[results.count - 1])
        committed()
        return Array(results.dropLast(2))
    }

    /// Runs a transaction again when another one was in its way: PostgreSQL breaks a deadlock by
    /// failing one of those in it, which has then done nothing.
    func retryingConflicts<Result>(
        _ transaction: () async throws(PostgreSQLError) -> Result
    ) async throws(PostgreSQLError) -> Result {
        for _ in 1..<Self.attemptsMax {
            do throws(PostgreSQLError) {
                return try await transaction()
            } catch .server(let server)
                where server.state == .deadlockDetected || server.state == .serializationFailure
            {
                continue
            }
        }
        return try await transaction()
    }

    private static let attemptsMax = 4

    func announceCommit() { committed() }

    static let begin = Statement("BEGIN")
    static let rollback = Statement("ROLLBACK")
    static let commit = Statement("COMMIT")
    private static let unlimited = Statement("SET LOCAL statement_timeout = 0")
    /// Also lifts the limit of time: a change is not ended between its parts, nor while it commits.
    static let nextChange = Statement(
        "SELECT nextval('changes'), set_config('statement_timeout', '0', true)")
    static let appendPosition = Statement("SELECT append_position(currval('changes'))")
}
