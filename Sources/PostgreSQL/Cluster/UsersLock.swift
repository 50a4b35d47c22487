import EventLoop
import Glibc

/// Shared by all processes that use the cluster, so that the last one knows that it is the last.
///
/// Whoever takes or leaves it holds the transition lock.
struct UsersLock: Sendable {
    private let lock: FileLock
    private let path: String

    /// Whether the last user is to stop PostgreSQL even if it is no `serve`.
    ///
    /// It stands in the file, since the one who started PostgreSQL may leave before others.
    var stopsWhenUnused: Bool {
        get throws(ClusterError) {
            do throws(SystemError) {
                return try !lock.descriptor.text().isEmpty
            } catch {
                throw .system(error, path: path)
            }
        }
    }

    init(joining directory: DataDirectory, account: ServerAccount) throws(ClusterError) {
        path = directory.usersLock
        lock = try FileLock(at: path, for: account)
        // Only a leaving user takes it alone, and under the transition lock.
        guard lock.tryShared() else { throw .busy(directory: directory.path, pid: nil) }
    }

    func setStopsWhenUnused(_ stops: Bool) throws(ClusterError) {
        do throws(SystemError) {
            if stops {
                try lock.descriptor.write("stop when unused\n")
            } else {
                try lock.descriptor.truncate()
            }
        } catch {
            throw .system(error, path: path)
        }
    }

    /// Gives up this process's share; true if no other process has one.
    func leave() -> Bool {
        let isLast = lock.tryExclusive()
        lock.release()
        return isLast
    }
}
