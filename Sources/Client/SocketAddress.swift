import Dispatch
import Glibc

/// An address that a socket can connect to.
struct SocketAddress: Sendable {
    let family: Int32
    /// A `sockaddr` of the family.
    private let bytes: [UInt8]

    /// Threads for lookups, which block.
    private static let lookups = DispatchQueue(label: "Client lookups", attributes: .concurrent)

    private init(_ info: addrinfo) {
        family = info.ai_family
        bytes = Array(UnsafeRawBufferPointer(start: info.ai_addr, count: Int(info.ai_addrlen)))
    }

    /// The addresses of a host, at least one, in the order to be tried.
    ///
    /// Only a name costs a lookup, on a thread of its own.
    static func resolve(_ host: String, port: UInt16) async throws(ClientError) -> [SocketAddress] {
        if case .success(let addresses) = find(host, port, flags: AI_NUMERICHOST) {
            return addresses
        }
        return try await withCheckedContinuation { continuation in
            lookups.async {
                continuation.resume(returning: find(host, port, flags: AI_ADDRCONFIG))
            }
        }.get()
    }

    private static func find(
        _ host: String, _ port: UInt16, flags: Int32
    ) -> Result<[SocketAddress], ClientError> {
        var hints = addrinfo()
        hints.ai_flags = flags | AI_NUMERICSERV
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let result = getaddrinfo(host, String(port), &hints, &list)
        guard result == 0, let list else {
            return .failure(.cannotConnect("\(host): \(String(cString: gai_strerror(result)))"))
        }
        defer { freeaddrinfo(list) }
        let addresses = sequence(first: list, next: { $0.pointee.ai_next })
            .map { SocketAddress($0.pointee) }
        return .success(addresses)
    }

    /// Begins to connect a socket; answers as connect(2).
    func connect(_ descriptor: Int32) -> Int32 {
        bytes.withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress else { return -1 }
            return Glibc.connect(
                descriptor, start.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
        }
    }
}
