import HTTP

/// What answers requests: the API. Lives on one loop.
public protocol Responder: AnyObject {
    /// Answers one request; every failure is a response too.
    func respond(to request: Request) async -> Response

    /// The response for a request that never reached a handler: its head or body broke a rule.
    func respond(to problem: Problem, requestID: String) -> Response
}

/// What a server tells about itself, for logs and metrics.
public enum ServerObservation: Sendable {
    case connectionOpened
    case connectionClosed
    case connectionRefused
    /// A peer broke the protocol or a limit; the text says how.
    case peerFailed(String)
}
