import Glibc
import Synchronization

/// A PostgreSQL cluster for tests, in a directory of its own below `/tmp`, reached through a
/// socket in it and, on loopback, through TLS if asked for.
///
/// PostgreSQL refuses to run as root, so root runs it as user `postgres`. Every cluster is stopped
/// and removed when the process exits.
final class ThrowAwayCluster: Sendable {
    /// The one that most tests share.
    static let shared = Result { try ThrowAwayCluster() }

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    let directory: String
    private let settings: String

    private static let binaries = "/usr/lib/postgresql/15/bin"

    /// Creates and starts a cluster.
    ///
    /// - Parameter settings: further options of `postgres`, as `-c name=value`.
    init(settings: String = "-c listen_addresses=''", certificate: Bool = false) throws {
        var template = Array("/tmp/pgtest.XXXXXX".utf8CString)
        guard let path = mkdtemp(&template) else { throw Failure(description: "mkdtemp failed") }
        directory = String(cString: path)
        self.settings = settings
        if getuid() == 0, let owner = getpwnam("postgres") {
            chown(directory, owner.pointee.pw_uid, owner.pointee.pw_gid)
        }
        Self.removeAtExit(directory)
        try Self.run([
            "\(Self.binaries)/initdb", "-D", "\(directory)/data", "-A", "trust", "--no-sync",
            "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8",
        ])
        if certificate {
            try Self.run([
                "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj",
                "/CN=localhost", "-days", "2", "-keyout", "\(directory)/data/server.key",
                "-out", "\(directory)/data/server.crt",
            ])
        }
        try start()
    }

    var conninfo: String { "host=\(directory) user=postgres dbname=postgres" }

    func start() throws {
        try Self.run([
            "\(Self.binaries)/pg_ctl", "-D", "\(directory)/data", "-w", "-s",
            "-l", "\(directory)/log", "-o",
            "-k \(directory) -c fsync=off -c logging_collector=off \(settings)", "start",
        ])
    }

    func stop() throws {
        try Self.run([
            "\(Self.binaries)/pg_ctl", "-D", "\(directory)/data", "-w", "-s", "-m", "immediate",
            "stop",
        ])
    }

    // MARK: Processes

    private static let directories = Mutex<[String]>([])

    private static func removeAtExit(_ directory: String) {
        let isFirst = directories.withLock { directories in
            directories.append(directory)
            return directories.count == 1
        }
        guard isFirst else { return }
        atexit { ThrowAwayCluster.removeAll() }
    }

    private static func removeAll() {
        for directory in directories.withLock({ $0 }) {
            // Not running, or never created, is as good as stopped.
            try? run([
                "\(binaries)/pg_ctl", "-D", "\(directory)/data", "-w", "-s", "-m", "immediate",
                "stop",
            ])
            try? run(["rm", "-rf", directory])
        }
    }

    /// Runs a command to its end, its output dropped.
    private static func run(_ command: [String]) throws {
        let asPostgres = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        // PostgreSQL's user may not enter the directory that the tests run in.
        let words = ["env", "--chdir=/"] + (getuid() == 0 ? asPostgres : []) + command
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] {
            posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_RDWR, 0)
        }
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { arguments.forEach { free($0) } }
        var child: pid_t = 0
        guard posix_spawnp(&child, words[0], &actions, nil, &arguments, environ) == 0 else {
            throw Failure(description: "cannot start \(words[0])")
        }
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0, errno == EINTR {}
        guard status == 0 else {
            throw Failure(description: "\(command.joined(separator: " ")): status \(status)")
        }
    }
}
