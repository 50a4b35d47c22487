import ArgumentParser
import EventLoop
import Glibc
import PostgreSQL

/// Which database a subcommand works on.
struct DatabaseOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Where everything is kept (LEITSTAND_DATA_DIR).",
            discussion: "By default /var/lib/leitstand for root, else $XDG_STATE_HOME/leitstand."))
    var dataDir: String?

    @Option(
        name: .customLong("database"),
        help: ArgumentHelp(
            "An existing PostgreSQL, as a URL or connection string (LEITSTAND_DATABASE_URL).",
            discussion: "Without it, a private PostgreSQL is kept in the data directory."))
    var database: String?

    /// Where everything is kept that is not in an existing database.
    var directory: String {
        dataDir ?? environment("LEITSTAND_DATA_DIR")
            ?? DataDirectory.defaultPath(environment: allEnvironment())
    }

    /// Opens the database that the options or the environment name.
    func open(_ purpose: EmbeddedCluster.Purpose) throws -> OpenDatabase {
        if let url = database ?? environment("LEITSTAND_DATABASE_URL") {
            return OpenDatabase(
                ownerConnectionInfo: url, runtimeConnectionInfo: url, takesRuntimeRole: true,
                cluster: nil)
        }
        let cluster = try EmbeddedCluster.open(
            dataDirectory: directory, purpose: purpose, durability: .durable,
            progress: { printError("\($0)") })
        return OpenDatabase(
            ownerConnectionInfo: cluster.ownerConnectionInfo,
            runtimeConnectionInfo: cluster.runtimeConnectionInfo, takesRuntimeRole: false,
            cluster: cluster)
    }
}

/// A database that is there to be connected to.
struct OpenDatabase: Sendable {
    let ownerConnectionInfo: String
    let runtimeConnectionInfo: String
    /// An existing database is reached as its owner, who then takes the runtime role.
    let takesRuntimeRole: Bool
    /// The private PostgreSQL; nil for an existing one.
    let cluster: EmbeddedCluster?

    /// What makes a connection one of the runtime role.
    var setUp: [Statement] {
        var statements = [
            // What a 2xx promises, whatever the database's own default.
            Statement("SET synchronous_commit = on"),
            // A transaction holds the position's lock only briefly, or not at all.
            Statement("SET idle_in_transaction_session_timeout = '10s'"),
            Statement("SET application_name = 'leitstand'"),
        ]
        if takesRuntimeRole {
            statements.append(Statement("SET ROLE \(EmbeddedCluster.runtimeRole)"))
        }
        return statements
    }

    /// A pool of connections as the runtime role.
    func pool(
        on loop: EventLoop, connectionsMax: Int, also statements: [Statement] = []
    ) -> PostgreSQLPool {
        var limits = PostgreSQLPool.Limits()
        limits.connectionsMax = connectionsMax
        return PostgreSQLPool(
            conninfo: runtimeConnectionInfo, on: loop, limits: limits, setUp: setUp + statements)
    }

    /// Stops the private PostgreSQL, if this was the last to use it.
    func close() throws { try cluster?.close() }
}

/// The value of an environment variable; an empty one counts as unset.
func environment(_ name: String) -> String? {
    guard let value = getenv(name) else { return nil }
    let text = String(cString: value)
    return text.isEmpty ? nil : text
}

private func allEnvironment() -> [String: String] {
    var variables: [String: String] = [:]
    for name in ["HOME", "XDG_STATE_HOME"] { variables[name] = environment(name) }
    return variables
}

/// Writes a line to standard error, where everything goes that is not a command's result.
func printError(_ text: String) {
    var line = text + "\n"
    line.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
}

/// Writes a line to standard output at once, also into a pipe.
func printLine(_ text: String) {
    var line = text + "\n"
    line.withUTF8 { _ = write(STDOUT_FILENO, $0.baseAddress, $0.count) }
}
