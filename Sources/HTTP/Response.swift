/// A response; lives on the loop that sends it.
public struct Response {
    /// The status code, 200 to 599.
    public var status: Int
    public var fields: [HeaderField]
    public var body: Body

    public enum Body {
        case bytes([UInt8])
        case stream(any BodyStream)
    }

    public init(status: Int, fields: [HeaderField] = [], body: [UInt8] = []) {
        self.status = status
        self.fields = fields
        self.body = .bytes(body)
    }

    /// 200 with a body that is made while it is sent.
    public init(streaming stream: any BodyStream, contentType: String) {
        status = 200
        fields = [("content-type", contentType)]
        body = .stream(stream)
    }

    /// A response with a JSON body.
    public static func json(_ body: [UInt8], status: Int = 200, fields: [HeaderField] = [])
        -> Response
    {
        Response(
            status: status, fields: [("content-type", "application/json")] + fields, body: body)
    }
}

/// A body made while it is sent: the connection pulls what it can send, so a slow reader holds
/// back only itself. Lives on one loop.
public protocol BodyStream: AnyObject {
    /// Writes what there is, at most `buffer.count` bytes. Must not suspend or call back into the
    /// connection.
    func read(into buffer: UnsafeMutableRawBufferPointer) -> BodyRead

    /// Called once by the connection before the first `read`. After a `read` that returned
    /// `.waiting`, the stream calls `wake` when there is more. `abort` cuts a reader off that
    /// takes nothing: its stream is reset, or its connection closed.
    func begin(wake: @escaping () -> Void, abort: @escaping () -> Void)

    /// Called once when the body is finished, failed, or the peer went away. No `read` follows.
    func end()
}

/// What came of reading a body.
public enum BodyRead: Equatable, Sendable {
    /// That many bytes were written, at least one.
    case bytes(Int)
    /// Nothing now; the stream wakes the connection.
    case waiting
    /// The body is complete.
    case finished
    /// The body cannot be completed: the response is aborted so that no reader takes it for whole.
    case failed
}
