import EventLoop
import Glibc

/// A `flock` on a file of the data directory, held until `release()` or the end of this object.
///
/// The kernel drops it with the process, however that ends. The holder's pid stands in the file,
/// for the message to whoever is refused.
final class FileLock: Sendable {
    let descriptor: Descriptor
    private let path: String

    /// Opens the file, creating it for `account` if need be, without locking it.
    init(at path: String, for account: ServerAccount) throws(ClusterError) {
        self.path = path
        do throws(SystemError) {
            descriptor = try Descriptor(
                opening: path, O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
            try descriptor.giveTo(account)
        } catch {
            throw .system(error, path: path)
        }
    }

    /// Takes the lock for this process alone, if nobody holds it.
    ///
    /// A shared lock that this object holds already is exchanged for it; when that is refused, the
    /// shared lock is lost (flock(2)).
    func tryExclusive() -> Bool { flock(descriptor.number, LOCK_EX | LOCK_NB) == 0 }

    /// Takes the lock together with others who take it so.
    func tryShared() -> Bool { flock(descriptor.number, LOCK_SH | LOCK_NB) == 0 }

    func release() { flock(descriptor.number, LOCK_UN) }

    /// The pid that the holder wrote down.
    var holder: Int32? {
        // A file that cannot be read names nobody, as one not yet written does.
        (try? descriptor.text()).flatMap { Int32($0.prefix { $0.isNumber }) }
    }

    /// Writes down that this process holds the lock.
    func sign() throws(ClusterError) {
        do throws(SystemError) {
            try descriptor.truncate()
            try descriptor.write("\(getpid())\n")
        } catch {
            throw .system(error, path: path)
        }
    }
}
