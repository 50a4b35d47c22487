/// Why a request has no response, or a connection could not be made.
public enum ClientError: Error, Equatable, Sendable {
    /// No connection came about: nobody listens there, or who does speaks no HTTP/2.
    case cannotConnect(String)
    /// The connection broke before the response was complete; the request may have taken effect.
    case connectionLost(String)
    /// The server has not taken the request up: it may be sent again, on another connection when
    /// this one is no longer open.
    case refused
    /// The server took the request up and then reset its stream, for the reason that is named.
    case reset(String)
    /// No connection or no complete response in time; the request may have taken effect.
    case timedOut
    /// The server broke HTTP/2 or one of our limits; the request may have taken effect.
    case protocolError(String)
}

extension ClientError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .cannotConnect(let reason): "cannot connect: \(reason)"
        case .connectionLost(let reason): "the connection is lost: \(reason)"
        case .refused: "the server did not take the request up"
        case .reset(let reason): "the server gave the request up: \(reason)"
        case .timedOut: "the server did not answer in time"
        case .protocolError(let reason): "the server broke the protocol: \(reason)"
        }
    }
}
