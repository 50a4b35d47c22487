import EventLoop
import Glibc
import TLS

/// A listening socket of one loop.
///
/// Each loop has its own socket on the same address (SO_REUSEPORT), so the kernel spreads the
/// connections and no loop hands one to another.
final class Listener: Watcher {
    let descriptor: Int32
    let tls: TLSContext?
    private let server: Server

    /// Connections accepted in one go; others of the loop have their turn between.
    private static let acceptsPerTurnMax = 64
    /// How long a listener rests when the process is out of descriptors.
    private static let exhaustionRest: Duration = .milliseconds(100)

    init(descriptor: Int32, tls: TLSContext?, server: Server) {
        self.descriptor = descriptor
        self.tls = tls
        self.server = server
    }

    func ready(_ readiness: Readiness, on loop: isolated EventLoop) {
        for _ in 0..<Self.acceptsPerTurnMax {
            let socket = Glibc.accept(descriptor, nil, nil)
            if socket >= 0 {
                _ = fcntl(socket, F_SETFL, O_NONBLOCK)
                _ = fcntl(socket, F_SETFD, FD_CLOEXEC)
                server.accept(socket, tls: tls, on: loop)
                continue
            }
            switch errno {
            case EMFILE, ENFILE, ENOBUFS, ENOMEM:
                // Level-triggered: without a rest the loop would spin until one is free.
                loop.setInterest([], of: descriptor)
                loop.schedule(after: Self.exhaustionRest) { [weak self] in
                    // Once closed, its number may name a connection.
                    guard let self else { return }
                    loop.setInterest(.readable, of: descriptor)
                }
                return
            case EINTR, ECONNABORTED:
                continue
            default:
                return
            }
        }
    }

    /// Opens a non-blocking listening socket that shares its port with the other loops'.
    ///
    /// - Returns: the descriptor and the port that it got.
    static func open(_ address: ListenAddress, sharesPort: Bool = true) throws(SystemError)
        -> (Int32, UInt16)
    {
        var hints = addrinfo()
        hints.ai_flags = AI_PASSIVE
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(address.host, String(address.port), &hints, &list) == 0, let list else {
            throw SystemError(call: "getaddrinfo \(address.host)", number: EADDRNOTAVAIL)
        }
        defer { freeaddrinfo(list) }
        let first = list.pointee
        let descriptor = try SystemError.check(
            "socket",
            socket(
                first.ai_family,
                first.ai_socktype | Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0))
        do throws(SystemError) {
            try setOption(SO_REUSEADDR, 1, of: descriptor)
            if sharesPort { try setOption(SO_REUSEPORT, 1, of: descriptor) }
            try SystemError.check(
                "bind \(address)", bind(descriptor, first.ai_addr, first.ai_addrlen))
            try SystemError.check("listen", listen(descriptor, 1_024))
            return (descriptor, try port(of: descriptor))
        } catch {
            close(descriptor)
            throw error
        }
    }

    /// Throws EADDRINUSE when another process listens there. SO_REUSEPORT would let a second
    /// server join the first unnoticed, each getting half of the connections.
    static func refuseOccupied(_ address: ListenAddress) throws(SystemError) {
        let (probe, _) = try open(address, sharesPort: false)
        close(probe)
    }

    private static func setOption(_ option: Int32, _ value: Int32, of descriptor: Int32)
        throws(SystemError)
    {
        var value = value
        try SystemError.check(
            "setsockopt",
            setsockopt(
                descriptor, SOL_SOCKET, option, &value, socklen_t(MemoryLayout<Int32>.size)))
    }

    private static func port(of descriptor: Int32) throws(SystemError) -> UInt16 {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutablePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                getsockname(descriptor, $0, &length)
            }
        }
        try SystemError.check("getsockname", result)
        // The port lies at the same place in sockaddr_in and sockaddr_in6.
        return withUnsafePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                UInt16(bigEndian: $0.pointee.sin_port)
            }
        }
    }
}
