import EventLoop
import Glibc
import HTTP2
import TLS

extension ClientConnection {
    /// Connects without blocking the loop.
    ///
    /// - Parameters:
    ///   - host: a name, or an address, IPv6 without brackets.
    ///   - tls: a client's context that offers `h2`; nil for plaintext, where HTTP/2 is taken for
    ///     granted and a server that does not speak it is found out by the first request.
    /// - Throws: `cannotConnect`, `timedOut`.
    public static func connect(
        host: String, port: UInt16, tls context: TLSContext? = nil,
        limits: ClientLimits = ClientLimits(), on loop: isolated EventLoop
    ) async throws(ClientError) -> ClientConnection {
        let deadline = ContinuousClock.now + limits.connectTimeMax
        let origin = Origin(isSecure: context != nil, host: host, port: port)
        let addresses = try await SocketAddress.resolve(host, port: port)
        let socket = try await ClientSocket.open(to: addresses, until: deadline, on: loop)
        let connection: ClientConnection
        do {
            connection = try ClientConnection(
                socket: socket, session: try HTTP2Session(.client),
                tls: try context.map { try TLSStream(client: $0, serverName: host) },
                origin: origin, limits: limits, on: loop)
        } catch {
            Glibc.close(socket)
            throw .cannotConnect("\(error)")
        }
        try await connection.finishHandshake(by: deadline, on: loop)
        return connection
    }
}
