import EventLoop

/// Why the embedded cluster is not available; each text says what would be right.
public enum ClusterError: Error, Equatable, CustomStringConvertible {
    /// No server of a supported version is installed.
    case noPostgreSQL(searched: [String])
    /// The process is root and there is no account to run PostgreSQL as.
    case noAccount(name: String)
    /// Another `serve` works on the directory; the pid is nil while that process writes it down.
    case served(directory: String, pid: Int32?)
    /// Another process went on starting or stopping the cluster for too long.
    case busy(directory: String, pid: Int32?)
    /// The cluster belongs to somebody else.
    case foreignOwner(path: String, owner: String)
    /// Something that is not a cluster lies where the cluster should be.
    case notACluster(path: String)
    /// The cluster was made by a major version that is not installed.
    case otherMajorVersion(path: String, version: String, installed: [Int])
    /// PostgreSQL's account may not pass through a directory above the cluster.
    case untraversable(path: String, account: String)
    /// The socket's directory is not a directory of PostgreSQL's account alone.
    case insecureSocketDirectory(path: String)
    /// `initdb` or the creation of the roles failed; with what it printed.
    case initializationFailed(output: String)
    /// Backends of a killed PostgreSQL go on working and keep its memory.
    case backendsRemain(path: String, after: Duration)
    /// PostgreSQL ended while it started; with the last lines of its log.
    case startFailed(log: String, tail: String)
    /// PostgreSQL is alive and still takes no connections; with the last lines of its log.
    case startTimedOut(after: Duration, log: String, tail: String)
    /// PostgreSQL did not end after a fast shutdown was asked for.
    case stopTimedOut(pid: Int32, after: Duration)
    /// The operating system refused a step on `path`.
    case system(SystemError, path: String)

    public var description: String {
        switch self {
        case .noPostgreSQL(let searched):
            """
            No PostgreSQL server from version \(Installation.versionMin) on was found in \
            \(searched.joined(separator: ", ")). Install the package postgresql, or give the \
            URL of an existing database (LEITSTAND_DATABASE_URL).
            """
        case .noAccount(let name):
            """
            PostgreSQL does not run as root, and there is no account "\(name)" to run it as. \
            Install the package postgresql, which creates it, or start as an ordinary user.
            """
        case .served(let directory, let pid):
            """
            \(directory) is in use by another server (\(Self.process(pid))). Stop it first, or \
            choose another data directory (LEITSTAND_DATA_DIR).
            """
        case .busy(let directory, let pid):
            """
            The database in \(directory) is still being started or stopped by \
            \(Self.process(pid)). Wait for it, or end that process.
            """
        case .foreignOwner(let path, let owner):
            """
            \(path) belongs to the user \(owner). Run this as \(owner) or as root, or choose \
            another data directory (LEITSTAND_DATA_DIR).
            """
        case .notACluster(let path):
            """
            \(path) is not empty and holds no PostgreSQL cluster (no file PG_VERSION). Move it \
            away, or choose another data directory (LEITSTAND_DATA_DIR).
            """
        case .otherMajorVersion(let path, let version, let installed):
            """
            \(path) was made by PostgreSQL \(version); installed is \
            \(installed.map(String.init).joined(separator: ", ")). Install the package \
            postgresql-\(version), or upgrade the cluster with pg_upgrade, or choose another \
            data directory (LEITSTAND_DATA_DIR).
            """
        case .untraversable(let path, let account):
            """
            PostgreSQL runs as the user \(account), who may not pass through \(path). Give that \
            directory search permission (chmod o+x), or choose another data directory \
            (LEITSTAND_DATA_DIR).
            """
        case .insecureSocketDirectory(let path):
            """
            \(path) must be a directory of PostgreSQL's user with mode 0700, since whoever \
            enters it may connect. Remove it; it is created anew.
            """
        case .initializationFailed(let output):
            "The PostgreSQL cluster could not be created:\n\(output)"
        case .backendsRemain(let path, let duration):
            """
            Processes of a killed PostgreSQL still work on \(path) after \(duration). Wait for \
            them or end them (kill), never delete postmaster.pid.
            """
        case .startFailed(let log, let tail):
            "PostgreSQL did not start. The end of \(log):\n\(tail)"
        case .startTimedOut(let duration, let log, let tail):
            """
            PostgreSQL takes no connections after \(duration) and is left working; start again \
            to wait on. The end of \(log):\n\(tail)
            """
        case .stopTimedOut(let pid, let duration):
            """
            PostgreSQL (process \(pid)) has not ended \(duration) after a fast shutdown was \
            asked for. It is left alone; its data is safe.
            """
        case .system(let error, let path):
            "\(path): \(error)"
        }
    }

    private static func process(_ pid: Int32?) -> String {
        pid.map { "process \($0)" } ?? "another process"
    }
}
