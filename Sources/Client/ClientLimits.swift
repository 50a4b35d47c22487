/// What a connection waits for and keeps at most.
public struct ClientLimits: Sendable {
    /// From the call of `connect` to a connection, the TLS handshake included.
    ///
    /// A name server that does not answer is waited for as long as the system's resolver is set to.
    public var connectTimeMax: Duration = .seconds(5)
    /// From the call of `send` to the whole response, waiting for a free stream included; kept to
    /// within a second.
    public var requestTimeMax: Duration = .seconds(30)
    /// One response's body.
    public var responseBodyBytesMax = 64 * 1024 * 1024

    public init() {}
}
