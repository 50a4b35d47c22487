import EventLoop
import Glibc
import PostgreSQL
import Store

/// The one PostgreSQL of a test process: private, unsynchronised, stopped and removed at its end.
///
/// It holds a migrated database that serves as the template of each test's own.
public final class TestCluster: Sendable {
    /// Started by the first test that asks for it.
    public static let shared = Task { try await TestCluster() }

    private let cluster: EmbeddedCluster
    private let loop: EventLoop

    /// Each test has a few instances with a few connections each, and many tests run at once.
    private static let connectionsMax = 900

    private init() async throws {
        var template = Array("/tmp/leitstand-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw SystemError(call: "mkdtemp", number: errno)
        }
        let path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        // When root runs the tests, PostgreSQL's account has to come through.
        chmod(path, 0o755)
        try Self.removeAtEnd(path)
        let loop = try EventLoop(name: "administration of test databases")
        let first = try Self.open(path)
        try await Self.execute(
            ["ALTER SYSTEM SET max_connections = \(Self.connectionsMax)"],
            at: Self.administration(first), on: loop)
        try first.close()
        let cluster = try Self.open(path)
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

    /// Starts a process that waits for the end of this one, be it a crash, and then stops
    /// PostgreSQL and removes its directory.
    private static func removeAtEnd(_ directory: String) throws {
        var ends: [Int32] = [0, 0]
        try SystemError.check("pipe", pipe(&ends))
        for end in ends { try SystemError.check("fcntl", fcntl(end, F_SETFD, FD_CLOEXEC)) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO)
        // Whoever waits for the tests' output must not wait for this process.
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0)
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // In a group of its own, so that Ctrl-C ends the tests and not what tidies up after them.
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
        let script = """
            cat
            read postmaster < "$0/postgresql/postmaster.pid" && kill -QUIT "$postmaster"
            while kill -0 "$postmaster"; do sleep 0.1; done
            rm -rf -- "$0"
            """
        var arguments: [UnsafeMutablePointer<CChar>?] =
            ["sh", "-c", script, directory].map { (word: String) in strdup(word) } + [nil]
        defer { arguments.forEach { free($0) } }
        var process = pid_t()
        let result = posix_spawnp(&process, "sh", &actions, &attributes, &arguments, environ)
        guard result == 0 else { throw SystemError(call: "posix_spawnp", number: result) }
        close(ends[0])
        // The other end stays open as long as this process lives; that is what `cat` waits for.
    }
}
