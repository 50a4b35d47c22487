import EventLoop
import Glibc

/// The directory of the cluster's socket, which only PostgreSQL's account and root may enter.
struct SocketDirectory: Equatable, Sendable {
    let path: String

    /// The port is only a part of the socket's name: nothing listens on the network.
    static let port = 5432
    /// sun_path of sockaddr_un holds 108 bytes, one of them the final zero (unix(7)).
    private static let socketPathBytesMax = 107
    private static let socketName = ".s.PGSQL.\(port)"

    /// Lies in the data directory, or, if that path is too long for a socket or cannot stand in
    /// PostgreSQL's list of directories, in a short one whose name is derived from it.
    init(for dataDirectory: String, userID: uid_t = geteuid()) {
        let inside = dataDirectory + "/socket"
        let socket = inside + "/" + Self.socketName
        let isPlain = !inside.utf8.contains { $0 <= 0x20 || "'\"\\,".utf8.contains($0) }
        if isPlain, socket.utf8.count <= Self.socketPathBytesMax {
            path = inside
        } else {
            let digits = String(Self.hash(dataDirectory), radix: 16)
            path = userID == 0 ? "/run/leitstand-\(digits)" : "/tmp/leitstand-\(userID)-\(digits)"
        }
    }

    /// Creates the directory, or checks that an existing one belongs to `account` alone.
    func prepare(for account: ServerAccount) throws(ClusterError) {
        do throws(SystemError) {
            let isCreated = mkdir(path, 0o700) == 0
            if !isCreated, errno != EEXIST {
                throw SystemError(call: "mkdir", number: errno)
            }
            // /tmp is everybody's: a link or a directory that somebody else put there is refused.
            let directory = try Descriptor(opening: path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            if isCreated { try directory.giveTo(account) }
            let status = try directory.status()
            if status.st_uid == account.userID, status.st_mode & 0o077 == 0 { return }
        } catch {
            guard [EACCES, ELOOP, ENOTDIR].contains(error.number) else {
                throw .system(error, path: path)
            }
        }
        throw .insecureSocketDirectory(path: path)
    }

    /// Removes the lock file that a killed postmaster left beside its socket.
    ///
    /// PostgreSQL would refuse to start if the number in it names a living process by now, or a
    /// zombie. Only postmasters of this data directory work here, and whoever calls this knows
    /// that none lives.
    func removeStaleLock() { unlink(path + "/" + Self.socketName + ".lock") }

    /// FNV-1a, since Swift's own hash differs from run to run.
    private static func hash(_ text: String) -> UInt64 {
        text.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }
}
