/// The head of one request, checked.
public struct HTTP1Head: Sendable {
    /// As the peer wrote it; any token, known to the server or not.
    public let method: String
    /// Path and query (`/v1/alarms?limit=5`); `*` for OPTIONS; `host:port` for CONNECT.
    ///
    /// A target in absolute form (`http://host/path`) is given without its scheme and authority.
    public let target: String
    /// Whom the request is for: the authority of an absolute target, otherwise the Host field
    /// (RFC 9112 section 3.2.2); nil only in HTTP/1.0.
    public let authority: String?
    /// In the order received.
    public let fields: [HeaderField]
    /// 1 for HTTP/1.1, 0 for HTTP/1.0.
    public let minorVersion: Int
    /// How the body that follows is delimited.
    public let framing: Framing
    /// The peer waits for `encodeContinue()` before it sends the body (RFC 9110 section 10.1.1).
    public let expectsContinue: Bool

    /// How the body of a request is delimited (RFC 9112 section 6.3).
    public enum Framing: Equatable, Sendable {
        case empty
        /// Content-Length, in bytes; not zero.
        case length(Int)
        case chunked
    }

    public var hasBody: Bool { framing != .empty }
}
