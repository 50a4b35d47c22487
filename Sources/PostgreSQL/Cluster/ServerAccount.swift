import EventLoop
import Glibc

/// The operating system's user that PostgreSQL runs as.
struct ServerAccount: Equatable, Sendable {
    let userID: uid_t
    let groupID: gid_t
    let name: String

    /// Who runs PostgreSQL on behalf of root, which PostgreSQL refuses to run as.
    static let nameForRoot = "postgres"

    init?(userID: uid_t) {
        self.init { getpwuid_r(userID, $0, $1, $2, $3) }
    }

    init?(name: String) {
        self.init { getpwnam_r(name, $0, $1, $2, $3) }
    }

    private init?(
        _ find: (
            UnsafeMutablePointer<passwd>, UnsafeMutablePointer<CChar>, Int,
            UnsafeMutablePointer<UnsafeMutablePointer<passwd>?>
        ) -> Int32
    ) {
        var entry = passwd()
        var buffer = [CChar](repeating: 0, count: 16 << 10)
        var found: UnsafeMutablePointer<passwd>?
        guard find(&entry, &buffer, buffer.count, &found) == 0, found != nil else { return nil }
        userID = entry.pw_uid
        groupID = entry.pw_gid
        name = String(cString: entry.pw_name)
    }

    /// Who runs the cluster in `path`: its owner if root asks, else the user of this process.
    ///
    /// - Throws: `ClusterError.noAccount` and `.foreignOwner`.
    static func running(clusterAt path: String) throws(ClusterError) -> ServerAccount {
        var status = stat()
        let owner = lstat(path, &status) == 0 ? status.st_uid : nil
        let user = geteuid()
        if user == 0 {
            // An empty directory that root made beforehand becomes PostgreSQL's.
            let account =
                if let owner, owner != 0 { ServerAccount(userID: owner) } else {
                    ServerAccount(name: nameForRoot)
                }
            guard let account else { throw .noAccount(name: owner.map(String.init) ?? nameForRoot) }
            return account
        }
        guard let account = ServerAccount(userID: user) else { throw .noAccount(name: "\(user)") }
        if let owner, owner != user {
            throw .foreignOwner(
                path: path, owner: ServerAccount(userID: owner)?.name ?? "\(owner)")
        }
        return account
    }

    /// The command that runs `program` as this account.
    func command(_ program: String, _ arguments: [String]) -> Command {
        guard geteuid() == 0 else { return Command(program: program, arguments: arguments) }
        return Command(
            program: "/usr/bin/setpriv",
            arguments: [
                "--reuid=\(userID)", "--regid=\(groupID)", "--init-groups", "--", program,
            ] + arguments)
    }

    /// The outermost directory on the way to `path`, itself included, that this account may not
    /// pass through; nil when the way is free.
    ///
    /// It is tried out as the account, since mode bits do not tell of access lists and mounts.
    func obstacle(onTheWayTo path: String) throws(SystemError) -> String? {
        // This process has already been there as the account itself.
        guard geteuid() == 0 else { return nil }
        if try maySearch(path) { return nil }
        var ancestor = ""
        for component in path.split(separator: "/") {
            ancestor += "/" + component
            if try !maySearch(ancestor) { return ancestor }
        }
        return path
    }

    private func maySearch(_ path: String) throws(SystemError) -> Bool {
        try command("/usr/bin/test", ["-x", path]).run().status == 0
    }
}
