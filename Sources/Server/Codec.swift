import HTTP

/// One connection's HTTP version: turns bytes into requests and responses into bytes.
///
/// A stream is one request and its response: HTTP/2's stream id, or always 1 in HTTP/1.1, where
/// one request follows the other.
protocol Codec: AnyObject {
    /// Takes in what the peer sent.
    func receive(_ bytes: UnsafeRawBufferPointer) -> [CodecEvent]

    /// Queues a response; one for a stream that is gone is dropped, its body ended.
    func respond(_ response: Response, to stream: Int32, connection: Connection)

    /// Tells a client that waits for it to send the body (`Expect: 100-continue`).
    func sendContinue(on stream: Int32)

    /// A body that had nothing to send has something now.
    func resume(_ stream: Int32)

    /// Ends a stream at once, so that the client cannot take the response for complete.
    func abort(_ stream: Int32)

    /// Appends bytes to send, about `atMost`; appends none when there is nothing to send now.
    func takeOutput(into buffer: inout [UInt8], atMost: Int)

    /// Tells the peer to begin no further request; those that it has begun are answered.
    ///
    /// HTTP/2 takes requests that are on their way until the peer has heard of it, or `finish()`.
    func drain()

    /// Takes no further request from now on; the running ones finish.
    func finish()

    /// Ends the connection at once for a limit that the peer has broken.
    func terminate()

    /// Ends all response bodies; the connection is gone.
    func end()

    /// What the codec still has of a request that was held back until a response was finished.
    func takeDeferredEvents() -> [CodecEvent]

    /// False: the peer has sent enough for now, leave the rest in the socket.
    var wantsInput: Bool { get }
    /// Nothing more is to come or to go: close once the output is sent.
    var isFinished: Bool { get }
    /// A response's body is being made while it is sent.
    var hasRunningResponse: Bool { get }
    /// HTTP/2's streams that are open and do not wait for more of a response's body.
    var busyStreamCount: Int { get }
    /// A request's head has begun and is not complete.
    var isInHead: Bool { get }
    /// Frames since the last call that cost us but carry nothing.
    func takeControlFrameCount() -> Int
}

enum CodecEvent {
    case head(stream: Int32, RequestHead)
    case body(stream: Int32, [UInt8])
    case end(stream: Int32)
    /// The client gave the stream up.
    case cancelled(stream: Int32)
    /// A request that broke a rule; the answer goes to that stream.
    case refused(stream: Int32, Problem)
    /// The connection cannot go on. With a problem, it is the last response (HTTP/1.1).
    case failed(Problem?, reason: String)
}

struct RequestHead {
    var method: String
    var target: String
    var fields: [HeaderField]
    var expectsContinue: Bool
    var contentLength: Int?
}
