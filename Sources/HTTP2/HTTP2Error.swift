import CNGHTTP2

/// What can go wrong with a whole HTTP/2 connection; what befalls one stream is an `HTTP2Event`.
public enum HTTP2Error: Error, Equatable, Sendable, CustomStringConvertible {
    /// nghttp2 refused a call or the peer's bytes; `code` is its `nghttp2_error`.
    case library(code: Int32)
    /// The peer broke the protocol and has been told so by a GOAWAY with this code.
    case peerBrokeProtocol(HTTP2ErrorCode)
    /// We ended the connection by `HTTP2Session.terminate(_:)`.
    case terminated(HTTP2ErrorCode)

    public var description: String {
        switch self {
        case .library(let code): "nghttp2: \(String(cString: nghttp2_strerror(code))) (\(code))"
        case .peerBrokeProtocol(let code): "the peer broke the protocol: \(code)"
        case .terminated(let code): "connection ended by us: \(code)"
        }
    }

    static func check(_ code: Int32) throws(HTTP2Error) {
        if code < 0 { throw .library(code: code) }
    }
}
