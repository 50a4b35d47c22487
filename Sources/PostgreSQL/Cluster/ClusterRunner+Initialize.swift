import EventLoop
import Glibc

extension ClusterRunner {
    /// Creates the cluster with its roles and its database.
    ///
    /// It appears under its name only once it is complete, so that a process killed meanwhile
    /// leaves nothing that looks like a cluster.
    func initialize(
        holding lock: FileLock, progress: (ClusterProgress) -> Void
    ) throws(ClusterError) {
        // The rename below replaces an empty directory, and no other.
        if rmdir(directory.cluster) != 0, errno != ENOENT {
            throw errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR
                ? .notACluster(path: directory.cluster)
                : .system(SystemError(call: "rmdir", number: errno), path: directory.cluster)
        }
        try checkWay()
        progress(.initializing(version: installation.version, path: directory.cluster))
        let unfinished = directory.unfinishedCluster
        do throws(SystemError) {
            _ = try Command(program: "/bin/rm", arguments: ["-rf", "--", unfinished]).run()
            try SystemError.check("mkdir", mkdir(unfinished, 0o700))
            try Descriptor(opening: unfinished, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
                .giveTo(account)
        } catch {
            throw .system(error, path: unfinished)
        }
        try run(account.command(installation.initdb, initdbArguments), holding: lock)
        try run(
            account.command(installation.postgres, singleUserArguments), input: rolesScript,
            holding: lock)
        do throws(SystemError) {
            try SystemError.check("rename", rename(unfinished, directory.cluster))
            let parent = try Descriptor(opening: directory.path, O_RDONLY | O_DIRECTORY)
            if isDurable { try parent.synchronize() }
        } catch {
            throw .system(error, path: directory.cluster)
        }
    }

    private var isDurable: Bool { configuration.durability == .durable }

    private func run(
        _ command: Command, input: String = "", holding lock: FileLock
    ) throws(ClusterError) {
        let outcome: Command.Outcome
        do throws(SystemError) {
            outcome = try command.run(input: input, holding: lock)
        } catch {
            throw .system(error, path: directory.unfinishedCluster)
        }
        guard outcome.status == 0 else {
            throw .initializationFailed(output: outcome.output)
        }
    }

    private var initdbArguments: [String] {
        [
            "-D", directory.unfinishedCluster, "-U", ClusterConfiguration.superuser,
            "--auth=peer", "--data-checksums", "--encoding=UTF8", "--locale=C.UTF-8",
            // The same order as C.UTF-8, but known to PostgreSQL: it compares bytes, and an index
            // serves prefixes.
            "--lc-collate=C", "--text-search-config=simple", "--no-instructions",
        ] + (isDurable ? [] : ["--no-sync"])
    }

    private var singleUserArguments: [String] {
        [
            "--single", "-D", directory.unfinishedCluster, "-c", "exit_on_error=on",
            "-c", "fsync=\(isDurable ? "on" : "off")", "template1",
        ]
    }

    /// Run by PostgreSQL's single-user mode, in which a line is a statement.
    ///
    /// The first two lines make versions before 15 treat the schema `public` as later ones do. The
    /// owner may look up which release of the time zones PostgreSQL reads from the system.
    private var rolesScript: String {
        """
        ALTER SCHEMA public OWNER TO pg_database_owner
        REVOKE CREATE ON SCHEMA public FROM PUBLIC
        CREATE ROLE \(EmbeddedCluster.ownerRole) LOGIN
        CREATE ROLE \(EmbeddedCluster.runtimeRole) LOGIN
        GRANT pg_read_server_files TO \(EmbeddedCluster.ownerRole)
        GRANT EXECUTE ON FUNCTION pg_config(), pg_stat_file(text, boolean), \
        pg_read_file(text, bigint, bigint) TO \(EmbeddedCluster.ownerRole)
        CREATE DATABASE \(EmbeddedCluster.databaseName) OWNER \(EmbeddedCluster.ownerRole)

        """
    }
}
