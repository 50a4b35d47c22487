import ArgumentParser
import Glibc

/// Where a command's result goes: a file that is made or replaced, or standard output.
struct OutputFile {
    private let path: String?

    /// - Parameter path: nil: standard output.
    init(_ path: String?) { self.path = path }

    func write(_ bytes: [UInt8]) throws {
        guard let path else { return try write(bytes, to: STDOUT_FILENO, named: "standard output") }
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw fault(path, errno) }
        defer { close(descriptor) }
        try write(bytes, to: descriptor, named: path)
    }

    private func write(_ bytes: [UInt8], to descriptor: Int32, named name: String) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw fault(name, errno) }
            rest = rest.dropFirst(count)
        }
    }

    private func fault(_ name: String, _ number: Int32) -> ValidationError {
        ValidationError("\(name) cannot be written: \(String(cString: strerror(number)))")
    }
}
