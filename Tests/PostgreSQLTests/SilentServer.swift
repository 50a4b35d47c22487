import EventLoop
import Glibc

/// Accepts connections on loopback, by the kernel's backlog, and never says a word.
final class SilentServer: Sendable {
    let port: UInt16
    private let socket: Int32

    init() throws(SystemError) {
        socket = try SystemError.check(
            "socket", Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let socket = socket
        let result = withUnsafeMutablePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                if bind(socket, address, length) < 0 || listen(socket, 8) < 0 { return Int32(-1) }
                return getsockname(socket, address, &length)
            }
        }
        try SystemError.check("bind", result)
        port = UInt16(bigEndian: address.sin_port)
    }

    var conninfo: String { "host=127.0.0.1 port=\(port) sslmode=disable" }

    deinit {
        close(socket)
    }
}
