import EventLoop
import Glibc

/// What PostgreSQL prints: one file beside the cluster, bounded by keeping one old generation.
struct LogFile: Sendable {
    let path: String

    static let bytesMax = 16 << 20
    private static let tailLinesMax = 20
    private static let tailBytesMax = 16 << 10

    /// Opens the file for PostgreSQL to append to.
    func open(for account: ServerAccount) throws(SystemError) -> Descriptor {
        let file = try Descriptor(
            opening: path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, mode: 0o600)
        try file.giveTo(account)
        return file
    }

    /// The last lines of what was written after the first `offset` bytes.
    func tail(after offset: Int) -> String {
        // A log that cannot be read must not hide the failure it is wanted for.
        guard let file = try? Descriptor(opening: path, O_RDONLY),
            let size = try? file.size(),
            let text = try? file.text(from: max(offset, size - Self.tailBytesMax))
        else { return "(the log cannot be read)" }
        return text.split(separator: "\n").suffix(Self.tailLinesMax).joined(separator: "\n")
    }

    /// Moves the contents to `….old` once they exceed `bytesMax` bytes.
    ///
    /// They are copied and cut off, since PostgreSQL keeps the file itself open. A line written
    /// between the two is lost.
    func trim(over bytesMax: Int = Self.bytesMax) throws(SystemError) {
        let log = try Descriptor(opening: path, O_RDWR)
        let size = try log.size()
        guard size > bytesMax else { return }
        let old = try Descriptor(
            opening: path + ".old", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode: 0o600)
        try old.write(try log.text(bytesMax: size))
        try log.truncate()
    }
}
