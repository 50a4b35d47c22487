import EventLoop
import Glibc

/// An open file or socket, closed when it goes out of scope and not inherited by programs we start.
struct Descriptor: ~Copyable, Sendable {
    let number: Int32

    init(opening path: String, _ flags: Int32, mode: mode_t = 0) throws(SystemError) {
        number = try SystemError.check("open", open(path, flags | O_CLOEXEC, mode))
    }

    /// Takes over an open descriptor.
    init(adopting number: Int32) { self.number = number }

    deinit { close(number) }

    // The calls are methods, so that the descriptor cannot be closed before they are done.

    func status() throws(SystemError) -> stat {
        var status = stat()
        try SystemError.check("fstat", fstat(number, &status))
        return status
    }

    func size() throws(SystemError) -> Int { try status().st_size }

    func synchronize() throws(SystemError) { try SystemError.check("fsync", fsync(number)) }

    func truncate() throws(SystemError) {
        try SystemError.check("ftruncate", ftruncate(number, 0))
    }

    /// What lies between `offset` and the end, at most `bytesMax` bytes.
    func text(from offset: Int = 0, bytesMax: Int = 1 << 20) throws(SystemError) -> String {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        while bytes.count < bytesMax {
            let count = pread(
                number, &chunk, min(chunk.count, bytesMax - bytes.count), offset + bytes.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw SystemError(call: "read", number: errno) }
            if count == 0 { break }
            bytes += chunk[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Writes `text` over what lies at the beginning.
    func write(_ text: String) throws(SystemError) {
        let bytes = Array(text.utf8)
        var written = 0
        while written < bytes.count {
            let count = bytes[written...].withUnsafeBytes { rest in
                pwrite(number, rest.baseAddress, rest.count, written)
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw SystemError(call: "write", number: errno) }
            written += count
        }
    }

    /// Gives the file to `account`; only root may, and for others it is theirs already.
    func giveTo(_ account: ServerAccount) throws(SystemError) {
        guard geteuid() == 0 else { return }
        try SystemError.check("fchown", fchown(number, account.userID, account.groupID))
    }
}

extension String {
    /// The text of a small file; nil when it cannot be read.
    init?(fileAt path: String) {
        guard let file = try? Descriptor(opening: path, O_RDONLY) else {
            // The callers ask for files that come and go with a process: absence is an answer.
            return nil
        }
        guard let text = try? file.text() else { return nil }  // As above.
        self = text
    }
}
