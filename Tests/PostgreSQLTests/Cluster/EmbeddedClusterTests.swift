import Glibc
import Testing

@testable import PostgreSQL

@Suite struct `Embedded cluster` {
    private let scratch: ScratchDirectory

    init() throws { scratch = try ScratchDirectory() }

    // MARK: Creating and starting

    @Test func `the first start creates a cluster that both roles log in to`() throws {
        var steps: [ClusterProgress] = []

        let cluster = try scratch.open(.serve) { steps.append($0) }

        let owner = cluster.ownerConnectionInfo
        let runtime = cluster.runtimeConnectionInfo
        #expect(
            steps == [
                .initializing(
                    version: cluster.version, path: cluster.dataDirectory + "/postgresql"),
                .starting(version: cluster.version),
            ])
        #expect(
            try psql(owner, "SELECT current_user, current_database()")
                == "leitstand_owner|leitstand")
        #expect(
            try psql(runtime, "SELECT current_user, current_database()") == "leitstand|leitstand")
        #expect(try psql(owner, "SHOW data_checksums") == "on")
        #expect(try psql(owner, "SHOW server_encoding") == "UTF8")
        #expect(try psql(owner, "SELECT lower('ÄÖÜ')") == "äöü")
        #expect(try psql(owner, "SHOW listen_addresses") == "")
        try cluster.close()
        #expect(!cluster.isAlive)
    }

    @Test func `the runtime role owns nothing and may create nothing`() throws {
        let cluster = try scratch.open(.serve)

        let owned = try psql(
            cluster.runtimeConnectionInfo,
            """
            SELECT count(*) FROM pg_shdepend JOIN pg_roles ON pg_roles.oid = refobjid
            WHERE rolname = 'leitstand' AND deptype = 'o'
            """)

        #expect(owned == "0")
        #expect(throws: PSQLFailure.self) {
            try psql(cluster.runtimeConnectionInfo, "CREATE TABLE forbidden ()")
        }
        #expect(throws: Never.self) {
            try psql(cluster.ownerConnectionInfo, "CREATE TABLE permitted ()")
        }
        try cluster.close()
    }

    @Test(arguments: [EmbeddedCluster.Durability.durable, .throwAway])
    func `a second start is fast and finds the data`(
        durability: EmbeddedCluster.Durability
    ) throws {
        let first = try scratch.open(.serve, durability: durability)
        _ = try psql(first.ownerConnectionInfo, "CREATE TABLE kept AS SELECT 7 AS number")
        try first.close()
        let clock = ContinuousClock()

        let start = clock.now
        let second = try scratch.open(.serve, durability: durability)
        let duration = clock.now - start

        #expect(try psql(second.ownerConnectionInfo, "SELECT number FROM kept") == "7")
        #expect(
            try psql(second.ownerConnectionInfo, "SHOW fsync")
                == (durability == .durable ? "on" : "off"))
        // A tenth of that on an idle machine.
        #expect(duration < .seconds(2))
        try second.close()
    }

    @Test func `an interrupted creation is begun anew`() throws {
        mkdir(scratch.path + "/postgresql.new", 0o700)
        try scratch.write("15\n", to: "postgresql.new/PG_VERSION")

        let cluster = try scratch.open(.serve)

        #expect(try psql(cluster.ownerConnectionInfo, "SELECT 1") == "1")
        try cluster.close()
    }

    @Test func `a data directory with a path too long for a socket works`() throws {
        let path = scratch.path + "/" + String(repeating: "l", count: 120)

        let cluster = try EmbeddedCluster.open(
            dataDirectory: path, purpose: .serve, durability: .throwAway)

        #expect(try psql(cluster.runtimeConnectionInfo, "SELECT 1") == "1")
        try cluster.close()
        rmdir(SocketDirectory(for: path).path)
    }

    @Test func `PostgreSQL inherits neither session nor descriptors`() throws {
        // Without close-on-exec, as a careless library opens its files.
        let inheritable = open("/proc/self/status", O_RDONLY)
        defer { close(inheritable) }

        let cluster = try scratch.open(.serve)

        let pid = try #require(scratch.postmaster?.pid)
        #expect(getsid(pid) == pid)
        let leaked = try Command(
            program: "/bin/sh", arguments: ["-c", "ls -l /proc/\(pid)/fd | grep -c /status"]
        ).run()
        #expect(leaked.output == "0\n")
        try cluster.close()
    }

    // MARK: Several processes

    @Test func `a second serve is refused and told the pid of the first`() throws {
        let cluster = try scratch.open(.serve)

        #expect(throws: ClusterError.served(directory: cluster.dataDirectory, pid: getpid())) {
            try scratch.open(.serve)
        }

        #expect(cluster.isAlive)
        try cluster.close()
    }

    @Test func `joining a server's cluster does not stop it`() throws {
        let server = try scratch.open(.serve)
        let pid = scratch.postmaster?.pid

        let subcommand = try scratch.open(.join)
        #expect(try psql(subcommand.ownerConnectionInfo, "SELECT 1") == "1")
        try subcommand.close()

        #expect(server.isAlive)
        #expect(scratch.postmaster?.pid == pid)
        try server.close()
    }

    @Test func `joining alone starts the cluster and stops it`() throws {
        let subcommand = try scratch.open(.join)
        #expect(try psql(subcommand.ownerConnectionInfo, "SELECT 1") == "1")

        try subcommand.close()

        #expect(!subcommand.isAlive)
    }

    @Test(arguments: [EmbeddedCluster.Purpose.join, .serve])
    func `whoever leaves first leaves the cluster to the other, who stops it`(
        first: EmbeddedCluster.Purpose
    ) throws {
        let starter = try scratch.open(first)
        let other = try scratch.open(.join)

        try starter.close()
        #expect(try psql(other.ownerConnectionInfo, "SELECT 1") == "1")
        try other.close()

        #expect(!other.isAlive)
    }

    // MARK: After a crash

    @Test func `serve adopts the PostgreSQL of a killed server`() throws {
        var killed: EmbeddedCluster? = try scratch.open(.serve)
        let pid = try #require(scratch.postmaster?.pid)
        #expect(killed?.isAlive == true)
        // The kernel closes a killed process's descriptors, and no more happens here.
        killed = nil
        var steps: [ClusterProgress] = []

        let server = try scratch.open(.serve) { steps.append($0) }

        #expect(steps == [.adopting(pid: pid)])
        #expect(try psql(server.runtimeConnectionInfo, "SELECT 1") == "1")
        try server.close()
        #expect(!server.isAlive)
    }

    @Test func `joining the PostgreSQL of a killed server does not stop it`() throws {
        var killed: EmbeddedCluster? = try scratch.open(.serve)
        #expect(killed?.isAlive == true)
        killed = nil

        let subcommand = try scratch.open(.join)
        try subcommand.close()

        #expect(subcommand.isAlive)
    }

    @Test func `a dead PostgreSQL is started again once its backends have ended`() throws {
        let cluster = try scratch.open(.serve)
        let pid = try #require(scratch.postmaster?.pid)
        _ = try psql(cluster.ownerConnectionInfo, "CREATE TABLE kept AS SELECT 7 AS number")
        let output = try Descriptor(opening: "/dev/null", O_WRONLY)
        // Computes without ever waiting, so it does not notice the postmaster's death.
        let client = try psqlCommand(
            cluster.ownerConnectionInfo,
            "SELECT count(*) FROM generate_series(1, 6000000) AS n WHERE md5(n::text) = ''"
        ).startDetached(log: output)
        let isBusy = """
            SELECT count(*) FROM pg_stat_activity
            WHERE query LIKE 'SELECT count(*) FROM generate_series%' AND state = 'active'
            """
        while try psql(cluster.ownerConnectionInfo, isBusy) != "1" {}
        kill(pid, SIGKILL)
        while cluster.isAlive {}
        var steps: [ClusterProgress] = []

        let isRestarted = try cluster.restartIfDead { steps.append($0) }

        #expect(isRestarted)
        #expect(steps == [.waitingForBackends, .starting(version: cluster.version)])
        #expect(scratch.postmaster?.pid != pid)
        #expect(try psql(cluster.ownerConnectionInfo, "SELECT number FROM kept") == "7")
        #expect(try !cluster.restartIfDead())
        waitpid(client, nil, 0)
        try cluster.close()
        #expect(try !cluster.restartIfDead())
    }

    @Test func `stale lock files that name a living process do not stop the start`()
        throws
    {
        let cluster = try scratch.open(.serve)
        let postmaster = try #require(scratch.postmaster)
        let file = postmaster.cluster + "/postmaster.pid"
        let text = try #require(String(fileAt: file))
        try cluster.close()
        // PostgreSQL believes any living process of its own user to be a postmaster.
        let account = try ServerAccount.running(clusterAt: postmaster.cluster)
        let output = try Descriptor(opening: "/dev/null", O_WRONLY)
        let stranger = try account.command("/bin/sleep", ["60"]).startDetached(log: output)
        try scratch.write(
            "\(stranger)\n" + text.drop { $0 != "\n" }.dropFirst(), to: "postgresql/postmaster.pid")
        try scratch.write("\(stranger)\n", to: "socket/.s.PGSQL.5432.lock")

        let next = try scratch.open(.serve)

        #expect(try psql(next.ownerConnectionInfo, "SELECT 1") == "1")
        try next.close()
        kill(stranger, SIGKILL)
        waitpid(stranger, nil, 0)
    }

    // MARK: Refusals

    @Test func `a cluster of a version that is not installed is refused`() throws {
        let cluster = try scratch.open(.serve)
        try cluster.close()
        try scratch.write("13\n", to: "postgresql/PG_VERSION")

        let error = try #require(throws: ClusterError.self) { try scratch.open(.serve) }

        guard case .otherMajorVersion(let path, "13", let installed) = error else {
            Issue.record("another error: \(error)")
            return
        }
        #expect(path == cluster.dataDirectory + "/postgresql")
        #expect(installed.contains(cluster.version))
        #expect(error.description.contains("postgresql-13"))
        #expect(error.description.contains("pg_upgrade"))
    }

    @Test func `no installed server is answered with the package to install`() throws {
        let error = try #require(throws: ClusterError.self) {
            try Installation.running(clusterAt: scratch.path, searching: [scratch.path])
        }

        #expect(error == .noPostgreSQL(searched: [scratch.path]))
        #expect(error.description.contains("Install the package postgresql"))
    }

    @Test(.enabled(if: geteuid() == 0, "only root runs PostgreSQL as another user"))
    func `a directory that PostgreSQL may not pass through is named`() throws {
        let closed = scratch.path + "/closed"
        mkdir(closed, 0o700)

        #expect(throws: ClusterError.untraversable(path: closed, account: "postgres")) {
            try EmbeddedCluster.open(
                dataDirectory: closed + "/data", purpose: .serve, durability: .throwAway)
        }
    }

    @Test func `a directory with other contents is refused and left as it is`() throws {
        mkdir(scratch.path + "/postgresql", 0o755)
        try scratch.write("mine", to: "postgresql/notes")
        if geteuid() == 0 { chown(scratch.path + "/postgresql", 0, 0) }

        #expect(throws: ClusterError.notACluster(path: scratch.path + "/postgresql")) {
            try scratch.open(.serve)
        }

        #expect(String(fileAt: scratch.path + "/postgresql/notes") == "mine")
    }

    @Test func `a socket directory that others may enter is refused`() throws {
        mkdir(scratch.path + "/socket", 0o700)
        chmod(scratch.path + "/socket", 0o755)

        #expect(throws: ClusterError.insecureSocketDirectory(path: scratch.path + "/socket")) {
            try scratch.open(.serve)
        }
    }

    @Test func `a failed start is answered with the end of the log`() throws {
        let cluster = try scratch.open(.serve)
        try cluster.close()
        try scratch.write("no_such_setting = 1\n", to: "postgresql/local.conf")

        let error = try #require(throws: ClusterError.self) { try scratch.open(.serve) }

        guard case .startFailed(let log, let tail) = error else {
            Issue.record("another error: \(error)")
            return
        }
        #expect(log == cluster.dataDirectory + "/postgresql.log")
        #expect(tail.contains("no_such_setting"))
    }

    // MARK: Housekeeping

    @Test func `a long log is moved aside while PostgreSQL goes on writing`() throws {
        let cluster = try scratch.open(.serve)
        let log = LogFile(path: cluster.dataDirectory + "/postgresql.log")
        let before = try #require(String(fileAt: log.path))

        try log.trim(over: before.utf8.count - 1)
        #expect(throws: PSQLFailure.self) {
            try psql(cluster.ownerConnectionInfo, "SELECT no_such_column")
        }

        #expect(String(fileAt: log.path + ".old")?.hasPrefix(before) == true)
        let after = try #require(String(fileAt: log.path))
        #expect(after.hasPrefix("2"), "no hole where the old lines were")
        #expect(after.contains("no_such_column"))
        try cluster.close()
    }
}
