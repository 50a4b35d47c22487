import EventLoop
import PostgreSQL
import Synchronization

/// A database of one test, and the loops that the test runs on it.
public final class TestDatabase: Sendable {
    private let name: String
    private let cluster: TestCluster
    /// For the test's own questions; apart from the loops under test.
    private let loop: EventLoop
    private let loops = Mutex<[EventLoop]>([])

    private static let numbers = Atomic<Int>(0)
    /// All tests start together; the cluster has connections for so many at once. A time limit of a
    /// test also counts how long it waits here.
    private static let gate = Gate(places: 24)

    private init(_ cluster: TestCluster, template: String) async throws {
        let number = Self.numbers.add(1, ordering: .relaxed).newValue
        name = "test_\(number)"
        self.cluster = cluster
        loop = try EventLoop(name: "observer of \(name)")
        try await cluster.createDatabase(name, from: template)
    }

    /// Lends a new database to `body` and drops it afterwards, with all loops made for it stopped.
    ///
    /// - Parameter isMigrated: without it, the database is empty.
    public static func with<Result: Sendable>(
        isMigrated: Bool = true, _ body: (TestDatabase) async throws -> Result
    ) async throws -> Result {
        await gate.enter()
        let result: Swift.Result<Result, any Error>
        do {
            result = .success(try await lend(isMigrated: isMigrated, body))
        } catch {
            result = .failure(error)
        }
        await gate.leave()
        return try result.get()
    }

    private static func lend<Result: Sendable>(
        isMigrated: Bool, _ body: (TestDatabase) async throws -> Result
    ) async throws -> Result {
        let database = try await TestDatabase(
            TestCluster.shared.value, template: isMigrated ? TestCluster.template : "template0")
        let outcome: Swift.Result<Result, any Error>
        do {
            outcome = .success(try await body(database))
        } catch {
            outcome = .failure(error)
        }
        try await database.remove()
        return try outcome.get()
    }

    private func remove() async throws {
        for loop in loops.withLock({ $0 }) + [loop] { await loop.stop() }
        try await cluster.dropDatabase(name)
    }

    // MARK: What is under test

    public var ownerConnectionInfo: String {
        cluster.connectionInfo(role: EmbeddedCluster.ownerRole, database: name)
    }

    public var runtimeConnectionInfo: String {
        cluster.connectionInfo(role: EmbeddedCluster.runtimeRole, database: name)
    }

    /// A loop that is stopped with the test.
    public func makeLoop() throws -> EventLoop {
        let loop = try EventLoop(name: "loop of \(name)")
        loops.withLock { $0.append(loop) }
        return loop
    }

    // MARK: The test's own questions

    /// Runs one statement as the superuser, in a session of its own.
    @discardableResult
    public func query(_ sql: String, _ parameters: Parameter...) async throws -> QueryResult {
        try await query(Statement(sql, parameters: parameters), as: TestCluster.superuser)
    }

    /// Runs one statement as the role that the server works as, in a session of its own.
    @discardableResult
    public func queryAsRuntime(_ sql: String) async throws -> QueryResult {
        try await query(Statement(sql), as: EmbeddedCluster.runtimeRole)
    }

    private func query(_ statement: Statement, as role: String) async throws -> QueryResult {
        try await session(as: role) { connection, _ in try await connection.execute(statement) }
    }

    /// Lends a session as the superuser to `body`.
    public func session<Result: Sendable>(
        _ body: @Sendable (PostgreSQLConnection, isolated EventLoop) async throws -> Result
    ) async throws -> Result {
        try await session(as: TestCluster.superuser, body)
    }

    private func session<Result: Sendable>(
        as role: String,
        _ body: @Sendable (PostgreSQLConnection, isolated EventLoop) async throws -> Result
    ) async throws -> Result {
        let conninfo = cluster.connectionInfo(role: role, database: name)
        return try await loop.carryOut { loop in
            let connection = try await PostgreSQLConnection.connect(to: conninfo, on: loop)
            defer { connection.close() }
            return try await body(connection, loop)
        }
    }

    /// The one number that a query gives.
    public func number(_ sql: String, _ parameters: Parameter...) async throws -> Int {
        let result = try await query(
            Statement(sql, parameters: parameters), as: TestCluster.superuser)
        return Int(try result.int64(0, 0))
    }
}
