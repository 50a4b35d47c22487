import EventLoop
import Glibc

/// The configuration files that the server writes into the cluster before each start.
struct ClusterConfiguration: Sendable {
    let account: ServerAccount
    let socketDirectory: String
    let durability: EmbeddedCluster.Durability

    /// The cluster's superuser, for backups and repairs by whoever owns the files anyway.
    static let superuser = "postgres"
    static let mainFileName = "leitstand.conf"
    private static let localFileName = "local.conf"

    /// Writes the files where they differ from what is there.
    func write(to cluster: String) throws(ClusterError) {
        try replace(cluster + "/" + Self.mainFileName, with: settings)
        try replace(cluster + "/pg_hba.conf", with: clientAuthentication)
        try replace(cluster + "/pg_ident.conf", with: userNameMap)
        let local = cluster + "/" + Self.localFileName
        if access(local, F_OK) != 0 { try replace(local, with: localSettings) }
    }

    private func replace(_ path: String, with text: String) throws(ClusterError) {
        if String(fileAt: path) == text { return }
        do throws(SystemError) {
            // Whole or not at all: a start must never meet half a file.
            let temporary = path + ".new"
            unlink(temporary)
            let file = try Descriptor(
                opening: temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
            try file.write(text)
            try file.giveTo(account)
            if durability == .durable { try file.synchronize() }
            try SystemError.check("rename", rename(temporary, path))
        } catch {
            throw .system(error, path: path)
        }
    }

    private var settings: String {
        """
        # Written by leitstand before each start. Put settings of your own into \(Self.localFileName).
        include_if_exists = 'postgresql.conf'

        # Only this machine's processes that pg_hba.conf names may connect; no network.
        listen_addresses = ''
        port = \(SocketDirectory.port)
        unix_socket_directories = '\(socketDirectory)'
        unix_socket_permissions = 0700
        # Shown by ps, to tell this cluster from others.
        cluster_name = 'leitstand'

        # Each loop owns a few connections, and one as many more to keep house; the rest is for
        # subcommands and people.
        max_connections = 80
        # The pages of the open alarms and the newest partitions; the kernel caches the others.
        shared_buffers = 128MB
        # A sort or hash of a report stays in memory; with 80 connections still bounded.
        work_mem = 8MB
        # Index builds of migrations and vacuum of large partitions.
        maintenance_work_mem = 128MB
        # On two cores one report must not take both from the detections.
        max_parallel_workers_per_gather = 0
        # Compiling costs more than it saves on short statements, and stalls the first ones.
        jit = off
        # The data lies on solid-state storage, where a random read costs about a sequential one.
        random_page_cost = 1.1

        # An answer of 2xx promises that the detection survives a power failure.
        fsync = \(durability == .durable ? "on" : "off")
        synchronous_commit = on
        full_page_writes = \(durability == .durable ? "on" : "off")
        # Base backups and a standby can be added without a restart.
        wal_level = replica
        # Fewer checkpoints while data is imported, so fewer full pages in the WAL.
        max_wal_size = 2GB

        # A client that stops inside its transaction would hold the position's lock, and with it
        # every commit.
        idle_in_transaction_session_timeout = 10s
        # A killed server leaves no query running for nobody.
        client_connection_check_interval = 10s

        # Times are stored and printed in UTC; a site's zone is applied in SQL.
        timezone = 'UTC'
        log_timezone = 'UTC'
        datestyle = 'ISO, YMD'
        # The server recognises messages and bounds the log itself.
        lc_messages = 'C'
        logging_collector = off
        log_destination = 'stderr'
        log_line_prefix = '%m [%p] %q%u '
        # Slow statements are worth a look; their parameters are personal data.
        log_min_duration_statement = 2s
        log_parameter_max_length = 0
        log_parameter_max_length_on_error = 0

        include_if_exists = '\(Self.localFileName)'

        """
    }

    private var localSettings: String {
        """
        # Settings of your own. They override \(Self.mainFileName), and leitstand leaves them alone.

        """
    }

    private var clientAuthentication: String {
        """
        # Written by leitstand before each start.
        # TYPE  DATABASE     USER  METHOD
        local   all          all   peer map=leitstand
        local   replication  all   peer map=leitstand

        """
    }

    private var userNameMap: String {
        let users = Set(["root", account.name]).sorted()
        let roles = [EmbeddedCluster.ownerRole, EmbeddedCluster.runtimeRole, Self.superuser]
        let lines = users.flatMap { user in
            roles.map { #"leitstand  "\#(user)"  \#($0)"# }
        }
        return """
            # Written by leitstand before each start.
            # MAP      SYSTEM USER  ROLE
            \(lines.joined(separator: "\n"))

            """
    }
}
