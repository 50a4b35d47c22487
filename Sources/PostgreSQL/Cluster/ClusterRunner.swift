import EventLoop
import Glibc

/// Creates, starts and stops the cluster of one data directory.
///
/// It takes no locks: whoever calls it holds the transition lock.
struct ClusterRunner: Sendable {
    let directory: DataDirectory
    let account: ServerAccount
    let installation: Installation
    let configuration: ClusterConfiguration
    let socketDirectory: SocketDirectory
    let log: LogFile

    /// A crash recovery replays at most `max_wal_size`, or all WAL since a failing archiver.
    static let startMax = Duration.seconds(300)
    /// A backend notices the postmaster's death when it next waits; a long query does so late.
    static let backendsMax = Duration.seconds(60)
    /// The shutdown checkpoint writes at most the shared buffers.
    static let stopMax = Duration.seconds(60)

    init(
        directory: DataDirectory, account: ServerAccount,
        durability: EmbeddedCluster.Durability
    ) throws(ClusterError) {
        self.directory = directory
        self.account = account
        installation = try Installation.running(clusterAt: directory.cluster)
        socketDirectory = SocketDirectory(for: directory.path)
        configuration = ClusterConfiguration(
            account: account, socketDirectory: socketDirectory.path, durability: durability)
        log = LogFile(path: directory.log)
    }

    /// The postmaster, if it lives.
    var running: Postmaster? {
        guard let postmaster = Postmaster(of: directory.cluster), postmaster.isRunning else {
            return nil
        }
        return postmaster
    }

    /// Waits until a living postmaster takes connections; nil if there is none, or it ends.
    func adopt(progress: (ClusterProgress) -> Void) throws(ClusterError) -> Postmaster? {
        let deadline = Deadline(after: Self.startMax)
        var isTold = false
        while let postmaster = running {
            if !isTold { progress(.adopting(pid: postmaster.pid)) }
            isTold = true
            if postmaster.isReady { return postmaster }
            guard deadline.pause() else {
                throw .startTimedOut(
                    after: Self.startMax, log: log.path, tail: log.tail(after: 0))
            }
        }
        return nil
    }

    /// Starts PostgreSQL on the cluster, which is created if there is none, and waits until it
    /// takes connections.
    func start(
        holding lock: FileLock, progress: (ClusterProgress) -> Void
    ) throws(ClusterError) -> Postmaster {
        if access(directory.cluster + "/PG_VERSION", F_OK) != 0 {
            try initialize(holding: lock, progress: progress)
        }
        try checkWay()
        try waitForBackends(progress: progress)
        try socketDirectory.prepare(for: account)
        socketDirectory.removeStaleLock()
        try configuration.write(to: directory.cluster)
        progress(.starting(version: installation.version))
        let child: pid_t
        let logStart: Int
        do throws(SystemError) {
            let log = try log.open(for: account)
            logStart = try log.size()
            child = try account.command(
                installation.postgres,
                [
                    "-D", directory.cluster, "-c",
                    "config_file=\(directory.cluster)/\(ClusterConfiguration.mainFileName)",
                ]
            ).startDetached(log: log)
        } catch {
            throw .system(error, path: directory.log)
        }
        return try waitUntilReady(child, logStart: logStart)
    }

    /// Ends a living postmaster by a fast shutdown and waits for its end.
    func stop() throws(ClusterError) {
        guard let postmaster = running else { return }
        postmaster.requestShutdown()
        let deadline = Deadline(after: Self.stopMax)
        while postmaster.isRunning {
            guard deadline.pause() else {
                throw .stopTimedOut(pid: postmaster.pid, after: Self.stopMax)
            }
        }
    }

    /// Refuses a directory that PostgreSQL's account cannot reach.
    func checkWay() throws(ClusterError) {
        let obstacle: String?
        do throws(SystemError) {
            obstacle = try account.obstacle(onTheWayTo: directory.path)
        } catch {
            throw .system(error, path: directory.path)
        }
        if let obstacle { throw .untraversable(path: obstacle, account: account.name) }
    }

    private func waitForBackends(progress: (ClusterProgress) -> Void) throws(ClusterError) {
        guard let dead = Postmaster(of: directory.cluster) else { return }
        if dead.hasBackends {
            progress(.waitingForBackends)
            let deadline = Deadline(after: Self.backendsMax)
            while dead.hasBackends {
                guard deadline.pause() else {
                    throw .backendsRemain(path: directory.cluster, after: Self.backendsMax)
                }
            }
        }
        dead.removeMisleadingFile()
    }

    private func waitUntilReady(
        _ child: pid_t, logStart: Int
    ) throws(ClusterError) -> Postmaster {
        let deadline = Deadline(after: Self.startMax)
        while true {
            var status: Int32 = 0
            if waitpid(child, &status, WNOHANG) == child {
                throw .startFailed(log: log.path, tail: log.tail(after: logStart))
            }
            if let postmaster = Postmaster(of: directory.cluster), postmaster.pid == child,
                postmaster.isReady
            {
                return postmaster
            }
            guard deadline.pause() else {
                throw .startTimedOut(
                    after: Self.startMax, log: log.path, tail: log.tail(after: logStart))
            }
        }
    }
}
