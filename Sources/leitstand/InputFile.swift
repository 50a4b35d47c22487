import ArgumentParser
import Glibc
import Imports

/// A file that a command reads piece by piece, as often as it takes; closes it in the end.
final class InputFile {
    let byteCount: Int
    private(set) var bytesRead = 0
    private let descriptor: Int32
    private var isBroken = false

    private static let pieceBytes = 256 * 1024

    init(_ path: String) throws {
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw ValidationError("\(path): \(String(cString: strerror(errno)))")
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw ValidationError("\(path) is no plain file, which can be read twice")
        }
        byteCount = Int(status.st_size)
    }

    deinit { close(descriptor) }

    var bytes: HistoryFile.Bytes {
        HistoryFile.Bytes(
            read: { self.read() },
            rewind: {
                self.bytesRead = 0
                if lseek(self.descriptor, 0, SEEK_SET) != 0 { self.isBroken = true }
            }, isBroken: { self.isBroken })
    }

    /// All of it, for what is small.
    func contents(bytesMax: Int) throws -> [UInt8] {
        guard byteCount <= bytesMax else {
            throw ValidationError("the file has more than \(bytesMax) bytes")
        }
        var contents: [UInt8] = []
        while let piece = read() { contents += piece }
        guard !isBroken else { throw ValidationError("the file could not be read to its end") }
        return contents
    }

    private func read() -> [UInt8]? {
        guard !isBroken else { return nil }
        let piece = [UInt8](unsafeUninitializedCapacity: Self.pieceBytes) { buffer, count in
            let result = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
            if result < 0 { isBroken = true }
            count = max(0, result)
        }
        bytesRead += piece.count
        return piece.isEmpty ? nil : piece
    }
}
