import EventLoop
import Glibc

/// The directory that the server keeps everything in, and the names of what lies in it.
public struct DataDirectory: Sendable {
    /// Absolute and free of symbolic links.
    public let path: String

    var cluster: String { path + "/postgresql" }
    /// Where a cluster is created, to be moved to `cluster` once it is complete.
    var unfinishedCluster: String { path + "/postgresql.new" }
    var log: String { path + "/postgresql.log" }
    /// Held by the one `serve`, for its life.
    var serveLock: String { path + "/serve.lock" }
    /// Held while PostgreSQL is started or stopped.
    var transitionLock: String { path + "/transition.lock" }
    /// Shared by all who use the cluster.
    var usersLock: String { path + "/users.lock" }

    /// The data directory when none is given: `/var/lib/leitstand` for root, else
    /// `$XDG_STATE_HOME/leitstand`, which by default is `~/.local/state/leitstand`.
    ///
    /// A relative XDG_STATE_HOME is ignored, as the XDG Base Directory Specification demands.
    public static func defaultPath(
        environment: [String: String], userID: UInt32 = geteuid()
    ) -> String {
        if userID == 0 { return "/var/lib/leitstand" }
        if let state = environment["XDG_STATE_HOME"], state.hasPrefix("/") {
            return state + "/leitstand"
        }
        let home = environment["HOME"] ?? "/"
        return home + "/.local/state/leitstand"
    }

    /// Creates the directory, and those above it, where they are missing.
    ///
    /// An ordinary user's are private; root's can be passed through, since PostgreSQL runs as
    /// another user, and what lies in them is private on its own.
    public init(creating path: String) throws(ClusterError) {
        let mode: mode_t = geteuid() == 0 ? 0o755 : 0o700
        var ancestor = path.hasPrefix("/") ? "" : "."
        for component in path.split(separator: "/") {
            ancestor += "/" + component
            if mkdir(ancestor, mode) == 0 {
                chmod(ancestor, mode)  // Whatever the umask says.
            } else if errno != EEXIST, errno != EISDIR, errno != EROFS {
                throw .system(SystemError(call: "mkdir", number: errno), path: ancestor)
            }
        }
        guard let resolved = realpath(path, nil) else {
            throw .system(SystemError(call: "realpath", number: errno), path: path)
        }
        defer { free(resolved) }
        self.path = String(cString: resolved)
    }
}
