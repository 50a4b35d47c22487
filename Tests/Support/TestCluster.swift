import EventLoop
import Glibc
import PostgreSQL
import Store
import Synchronization

/// The one PostgreSQL of a test process: private, unsynchronised, stopped and removed at its exit.
///
/// It holds a migrated database that serves as the template of each test's own.
public final class TestCluster: Sendable {
    /// Started by the first test that asks for it.
    public static let shared = Task { try await TestCluster() }

    private let cluster: EmbeddedCluster
    private let loop: EventLoop

    /// Each test has a few instances with a few connections each, and many tests run at once.
    private static let connectionsMax = 300

    private init() async throws {
        var template = Array("/tmp/leitstand-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw SystemError(call: "mkdtemp", number: errno)
        }
        let path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        // When root runs the tests, PostgreSQL's account has to come through.
        chmod(path, 0o755)
        let loop = try EventLoop(name: "administration of test databases")
        let first = try Self.open(path)
        try await Self.execute(
            ["ALTER SYSTEM SET max_connections = \(Self.connectionsMax)"],
            at: Self.administration(first), on: loop)
        try first.close()
        let cluster = try Self.open(path)
        Self.removeAtExit(cluster)
        self.cluster = cluster
        self.loop = loop
        try await loop.carryOut { loop in
            let owner = try await PostgreSQLConnection.connect(
                to: cluster.ownerConnectionInfo, on: loop)
            defer { owner.close() }
            _ = try await Migrator().migrate(owner)
        }
    }

    private static func open(_ path: String) throws -> EmbeddedCluster {
        try EmbeddedCluster.open(dataDirectory: path, purpose: .serve, durability: .throwAway)
    }

    // MARK: Databases

    /// The database that has been migrated and is never connected to again.
    static let template = EmbeddedCluster.databaseName

    func createDatabase(_ name: String, from template: String) async throws {
        try await administer(
            "CREATE DATABASE \(name) TEMPLATE \(template) OWNER \(EmbeddedCluster.ownerRole)")
    }

    func dropDatabase(_ name: String) async throws {
        try await administer("DROP DATABASE \(name) WITH (FORCE)")
    }

    func connectionInfo(role: String, database: String) -> String {
        Self.connectionInfo(cluster, role: role, database: database)
    }

    static let superuser = "postgres"

    private func administer(_ sql: String) async throws {
        try await Self.execute([sql], at: Self.administration(cluster), on: loop)
    }

    private static func administration(_ cluster: EmbeddedCluster) -> String {
        connectionInfo(cluster, role: superuser, database: "postgres")
    }

    private static func connectionInfo(
        _ cluster: EmbeddedCluster, role: String, database: String
    ) -> String {
        // Of a setting that is given twice libpq takes the later.
        "\(cluster.ownerConnectionInfo) dbname=\(database) user=\(role)"
    }

    private static func execute(
        _ statements: [String], at conninfo: String, on loop: EventLoop
    ) async throws {
        try await loop.carryOut { loop in
            let connection = try await PostgreSQLConnection.connect(to: conninfo, on: loop)
            defer { connection.close() }
            for statement in statements { _ = try await connection.execute(Statement(statement)) }
        }
    }

    // MARK: The end

    private static let running = Mutex<EmbeddedCluster?>(nil)

    private static func removeAtExit(_ cluster: EmbeddedCluster) {
        running.withLock { $0 = cluster }
        atexit { TestCluster.remove() }
    }

    private static func remove() {
        guard let cluster = running.withLock({ $0.take() }) else { return }
        // Whatever is left, nobody is there any more to be told.
        try? cluster.close()
        var remover = pid_t()
        let words = ["rm", "-rf", "--", cluster.dataDirectory]
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { arguments.forEach { free($0) } }
        guard posix_spawnp(&remover, "rm", nil, nil, &arguments, environ) == 0 else { return }
        waitpid(remover, nil, 0)
    }
}
