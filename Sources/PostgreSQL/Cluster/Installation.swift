import EventLoop
import Glibc

/// The programs of one installed PostgreSQL server.
struct Installation: Equatable, Sendable {
    /// The major version, such as 15.
    let version: Int
    /// Where `postgres` and `initdb` lie.
    let directory: String

    /// The oldest major version that the statements of the store run on.
    static let versionMin = 14

    var postgres: String { directory + "/postgres" }
    var initdb: String { directory + "/initdb" }

    /// The installation that runs the cluster in `path`: one of its own version if there is a
    /// cluster already, else the newest.
    ///
    /// - Throws: `ClusterError.noPostgreSQL` and `.otherMajorVersion`.
    static func running(
        clusterAt path: String, searching directories: [String] = Self.directories()
    ) throws(ClusterError) -> Installation {
        let installed = all(in: directories)
        guard let newest = installed.max(by: { $0.version < $1.version }) else {
            throw .noPostgreSQL(searched: directories)
        }
        guard let text = String(fileAt: path + "/PG_VERSION") else { return newest }
        let version = String(text.prefix { !$0.isNewline })
        // A newer server beside the old one must not stop the old cluster from running.
        guard let own = installed.first(where: { String($0.version) == version }) else {
            throw .otherMajorVersion(
                path: path, version: version, installed: Set(installed.map(\.version)).sorted())
        }
        return own
    }

    /// Where programs of PostgreSQL may lie: Debian's directories, PATH, and where `pg_config`
    /// points to.
    static func directories() -> [String] {
        var directories = versionDirectories(of: "/usr/lib/postgresql").map { $0 + "/bin" }
        let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/local/bin:/usr/bin:/bin"
        let searched = path.split(separator: ":").map(String.init).filter { $0.hasPrefix("/") }
        directories += searched
        if let program = searched.map({ $0 + "/pg_config" }).first(where: isExecutable) {
            // A broken pg_config only points nowhere.
            let outcome = try? Command(program: program, arguments: ["--bindir"]).run()
            if let outcome, outcome.status == 0 {
                directories.append(String(outcome.output.prefix { !$0.isNewline }))
            }
        }
        var seen: Set<String> = []
        return directories.filter { seen.insert($0).inserted }
    }

    private static func all(in directories: [String]) -> [Installation] {
        directories.compactMap { directory in
            guard isExecutable(directory + "/postgres"), isExecutable(directory + "/initdb"),
                let version = version(of: directory + "/postgres"), version >= versionMin
            else { return nil }
            return Installation(version: version, directory: directory)
        }
    }

    /// The major version in "postgres (PostgreSQL) 15.14 (Debian …)".
    private static func version(of program: String) -> Int? {
        // A program that does not run is no installation.
        let outcome = try? Command(program: program, arguments: ["--version"]).run()
        guard let outcome, outcome.status == 0 else { return nil }
        let words = outcome.output.split(separator: " ")
        return words.dropFirst(2).first.flatMap { Int($0.prefix { $0.isNumber }) }
    }

    private static func isExecutable(_ path: String) -> Bool { access(path, X_OK) == 0 }

    private static func versionDirectories(of parent: String) -> [String] {
        guard let stream = opendir(parent) else { return [] }
        defer { closedir(stream) }
        var directories: [String] = []
        while let entry = readdir(stream) {
            let name = entry.name
            if Int(name) != nil { directories.append(parent + "/" + name) }
        }
        return directories.sorted()
    }
}
