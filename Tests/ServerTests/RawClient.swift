import Glibc
import TLS

/// A blocking client of bytes, with or without TLS; used by one thread.
final class RawClient {
    struct Failure: Error {
        let what: String
    }

    /// The whole bytes received that were not yet taken.
    private var received: [UInt8] = []
    private let descriptor: Int32
    private let tls: TLSStream?
    private(set) var isAtEnd = false

    /// So long a test waits for bytes before it fails.
    private static let patienceSeconds = 10

    /// - Parameter receiveBufferBytes: a small one makes a slow reader.
    init(port: UInt16, tls context: TLSContext? = nil, receiveBufferBytes: Int32? = nil) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.descriptor = descriptor
        if var bytes = receiveBufferBytes {
            setsockopt(
                descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, socklen_t(MemoryLayout<Int32>.size))
        }
        var patience = timeval(tv_sec: Self.patienceSeconds, tv_usec: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(
            descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        tls = try context.map { try TLSStream(client: $0, serverName: "localhost") }
        guard result == 0 else { throw Failure(what: "connect: errno \(errno)") }
        try shakeHands()
    }

    deinit { close(descriptor) }

    var negotiatedProtocol: String? { tls?.negotiatedProtocol }

    private func shakeHands() throws {
        guard let tls else { return }
        try sendCiphertext()
        while !tls.isHandshakeComplete, !isAtEnd { try receiveMore() }
    }

    // MARK: Sending

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) throws {
        guard let tls else { return try sendRaw(bytes) }
        try bytes.withUnsafeBytes { try tls.write($0) }
        try sendCiphertext()
    }

    /// Sends `text` and, in the same packet, that nothing more is sent; by TLS only.
    func sendLast(_ text: String) throws {
        try Array(text.utf8).withUnsafeBytes { try tls?.write($0) }
        tls?.close()
        try sendCiphertext()
    }

    private func sendCiphertext() throws {
        var bytes: [UInt8] = []
        tls?.takeCiphertext(into: &bytes)
        try sendRaw(bytes)
    }

    private func sendRaw(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(
                    descriptor, $0.baseAddress?.advanced(by: sent), $0.count - sent,
                    Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw Failure(what: "send: errno \(errno)") }
            sent += count
        }
    }

    /// Says that nothing more is sent: `close_notify` under TLS, the socket's end without.
    func finishSending() throws {
        if let tls {
            tls.close()
            try sendCiphertext()
        } else {
            shutdown(descriptor, Int32(SHUT_WR))
        }
    }

    // MARK: Receiving

    /// Waits for bytes; at the end `isAtEnd` is true.
    func receiveMore() throws {
        var buffer = [UInt8](repeating: 0, count: 64 * 1024)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        guard count >= 0 else { throw Failure(what: "recv: errno \(errno)") }
        if count == 0 { isAtEnd = true }
        guard let tls else {
            received += buffer[..<count]
            return
        }
        try buffer[..<count].withUnsafeBytes { try tls.receive($0, into: &received) }
        try sendCiphertext()
        if tls.peerClosed { isAtEnd = true }
    }

    func takeReceived() -> [UInt8] {
        defer { received = [] }
        return received
    }

    /// What comes up to and with `text`.
    func receive(through text: String) throws -> String {
        let pattern = Array(text.utf8)
        var start = 0
        while true {
            if let end = received.firstEnd(of: pattern, from: start) {
                defer { received.removeFirst(end) }
                return String(decoding: received[..<end], as: UTF8.self)
            }
            start = max(0, received.count - pattern.count)
            guard !isAtEnd else {
                throw Failure(
                    what: "the end instead of \(text): \(String(decoding: received, as: UTF8.self))"
                )
            }
            try receiveMore()
        }
    }

    func receive(_ count: Int) throws -> [UInt8] {
        while received.count < count {
            guard !isAtEnd else { throw Failure(what: "the end after \(received.count) bytes") }
            try receiveMore()
        }
        defer { received.removeFirst(count) }
        return Array(received[..<count])
    }

    /// All that still comes, up to the end.
    func receiveToEnd() throws -> String {
        while !isAtEnd { try receiveMore() }
        return String(decoding: takeReceived(), as: UTF8.self)
    }

    // MARK: HTTP/1.1

    struct Reply: Equatable {
        let status: Int
        /// Lines of the head but the first, names in lower case.
        let fields: [String]
        let body: String
    }

    /// Reads one response that has a length, or none and no body.
    func receiveReply(toHead: Bool = false) throws -> Reply {
        let head = try receive(through: "\r\n\r\n").split(separator: "\r\n").map(String.init)
        let status = head.first?.split(separator: " ").dropFirst().first.flatMap { Int($0) }
        let length = head.first { $0.hasPrefix("content-length: ") }
            .flatMap { Int($0.dropFirst("content-length: ".count)) }
        let body = toHead ? [] : try receive(length ?? 0)
        return Reply(
            status: status ?? 0, fields: Array(head.dropFirst()),
            body: String(decoding: body, as: UTF8.self))
    }

    func get(_ path: String) throws -> Reply {
        try send("GET \(path) HTTP/1.1\r\nhost: test\r\n\r\n")
        return try receiveReply()
    }
}

extension [UInt8] {
    /// The index after the first occurrence of `pattern`.
    fileprivate func firstEnd(of pattern: [UInt8], from start: Int) -> Int? {
        guard count >= pattern.count else { return nil }
        return (start...count - pattern.count).first { self[$0...].starts(with: pattern) }
            .map { $0 + pattern.count }
    }
}
