import EventLoop
import Glibc
import Synchronization

/// The private PostgreSQL that the server keeps in its data directory when no database is named.
///
///     let cluster = try EmbeddedCluster.open(
///         dataDirectory: "/var/lib/leitstand", purpose: .serve, durability: .durable)
///     defer { try? cluster.close() }
///
/// PostgreSQL runs in a session of its own and outlives this process when that is killed. The last
/// one out stops it: `close()` of a `serve`, or of a subcommand that had to start it, unless others
/// still use the cluster, who then stop it in their turn. A subcommand never stops a PostgreSQL
/// that a killed `serve` left; the next `serve` adopts it. A handle released without `close()`
/// drops its locks and stops nothing, as the end of its process would.
///
/// All methods block, for seconds at worst at a start or a stop: call them before the loops run or
/// from a queue of their own. They may be called from any thread.
public final class EmbeddedCluster: Sendable {
    /// What the cluster is wanted for.
    public enum Purpose: Sendable {
        /// The one server of the directory; a second one is refused.
        case serve
        /// A subcommand, beside a server or alone.
        case join
    }

    /// Whether commits survive a power failure.
    public enum Durability: Sendable {
        case durable
        /// Nothing is synchronised to the disk: for tests that throw the directory away, never for
        /// a measurement or a crash test.
        case throwAway
    }

    /// The role that owns the database and migrates it.
    public static let ownerRole = "leitstand_owner"
    /// The role that the server works as; it owns nothing.
    public static let runtimeRole = "leitstand"
    public static let databaseName = "leitstand"

    /// PostgreSQL's major version.
    public let version: Int
    /// Absolute and free of symbolic links.
    public let dataDirectory: String
    /// A libpq connection string (PostgreSQL manual, 34.1.1) for `ownerRole`.
    public let ownerConnectionInfo: String
    /// A libpq connection string for `runtimeRole`.
    public let runtimeConnectionInfo: String

    private let runner: ClusterRunner
    private let purpose: Purpose
    // A lock, and not confinement: a stop must wait for a restart that is under way.
    private let locks: Mutex<Locks?>

    /// Held from opening to closing.
    private struct Locks: Sendable {
        let serve: FileLock?
        let users: UsersLock
    }

    private init(
        runner: ClusterRunner, purpose: Purpose, postmaster: Postmaster, locks: Locks
    ) {
        self.runner = runner
        self.purpose = purpose
        self.locks = Mutex(locks)
        version = runner.installation.version
        dataDirectory = runner.directory.path
        let place = "host=\(Self.quoted(postmaster.socketDirectory)) port=\(postmaster.port)"
        ownerConnectionInfo = "\(place) dbname=\(Self.databaseName) user=\(Self.ownerRole)"
        runtimeConnectionInfo = "\(place) dbname=\(Self.databaseName) user=\(Self.runtimeRole)"
    }

    /// Creates the cluster if there is none, starts it if it does not run, and joins it.
    ///
    /// - Parameters:
    ///   - dataDirectory: Created if missing; `DataDirectory.defaultPath` gives the usual one.
    ///   - durability: Takes effect when PostgreSQL is started, not when it runs already.
    ///   - progress: Told of each step that takes long.
    public static func open(
        dataDirectory path: String, purpose: Purpose, durability: Durability,
        progress: (ClusterProgress) -> Void = { _ in }
    ) throws(ClusterError) -> EmbeddedCluster {
        let directory = try DataDirectory(creating: path)
        let account = try ServerAccount.running(clusterAt: directory.cluster)
        let serveLock = purpose == .serve ? try lockForServing(directory, account) : nil
        let runner = try ClusterRunner(
            directory: directory, account: account, durability: durability)

        let transition = try lockForTransition(directory, account)
        defer { transition.release() }
        let users = try UsersLock(joining: directory, account: account)
        if purpose == .serve { try users.setStopsWhenUnused(false) }
        let postmaster: Postmaster
        if let running = try runner.adopt(progress: progress) {
            postmaster = running
        } else {
            postmaster = try runner.start(holding: transition, progress: progress)
            if purpose == .join { try users.setStopsWhenUnused(true) }
        }
        return EmbeddedCluster(
            runner: runner, purpose: purpose, postmaster: postmaster,
            locks: Locks(serve: serveLock, users: users))
    }

    /// Whether PostgreSQL's main process lives.
    public var isAlive: Bool { runner.running != nil }

    /// Starts PostgreSQL again if its main process has died, waiting for its backends to end.
    ///
    /// `serve` calls it about once a second; a living PostgreSQL costs it a few reads of `/proc`.
    ///
    /// - Returns: Whether it was started. False after `close()`.
    @discardableResult
    public func restartIfDead(
        progress: (ClusterProgress) -> Void = { _ in }
    ) throws(ClusterError) -> Bool {
        try locks.withLock { locks throws(ClusterError) in
            guard locks != nil, !isAlive else { return false }
            let transition = try Self.lockForTransition(runner.directory, runner.account)
            defer { transition.release() }
            // Another process may have started it, or be starting it, meanwhile.
            if try runner.adopt(progress: progress) != nil { return false }
            _ = try runner.start(holding: transition, progress: progress)
            return true
        }
    }

    /// Moves PostgreSQL's log aside once it exceeds 16 MiB; `serve` calls it now and then.
    public func trimLog() throws(ClusterError) {
        do throws(SystemError) {
            try runner.log.trim()
        } catch {
            throw .system(error, path: runner.log.path)
        }
    }

    /// Leaves the cluster and stops PostgreSQL if it is on this handle to do so.
    ///
    /// Whatever it throws, the handle is closed. A second call does nothing.
    public func close() throws(ClusterError) {
        try locks.withLock { locks throws(ClusterError) in
            guard let held = locks else { return }
            locks = nil
            let transition = try Self.lockForTransition(runner.directory, runner.account)
            defer { transition.release() }
            let isLast = held.users.leave()
            let isToldToStop = try held.users.stopsWhenUnused
            let stops = purpose == .serve || isToldToStop
            if isLast, stops { try runner.stop() }
            try held.users.setStopsWhenUnused(!isLast && stops)
            held.serve?.release()
        }
    }

    private static func lockForServing(
        _ directory: DataDirectory, _ account: ServerAccount
    ) throws(ClusterError) -> FileLock {
        let lock = try FileLock(at: directory.serveLock, for: account)
        guard lock.tryExclusive() else {
            throw .served(directory: directory.path, pid: lock.holder)
        }
        try lock.sign()
        return lock
    }

    private static func lockForTransition(
        _ directory: DataDirectory, _ account: ServerAccount
    ) throws(ClusterError) -> FileLock {
        let lock = try FileLock(at: directory.transitionLock, for: account)
        let deadline = Deadline(after: ClusterRunner.startMax)
        while !lock.tryExclusive() {
            guard deadline.pause() else {
                throw .busy(directory: directory.path, pid: lock.holder)
            }
        }
        try lock.sign()
        return lock
    }

    /// A value of a connection string, quoted for libpq.
    private static func quoted(_ value: String) -> String {
        let escaped = value.flatMap { $0 == "'" || $0 == "\\" ? ["\\", $0] : [$0] }
        return "'\(String(escaped))'"
    }
}
