/// What one HTTP/1.1 connection may make the server hold or work through.
public struct HTTP1Limits: Sendable {
    /// The request line and all header fields with their line ends; over: 431.
    public var headBytesMax = 32 * 1024
    /// The request target as the peer wrote it; over: 414.
    public var targetBytesMax = 8 * 1024
    /// The header fields of one request; over: 431.
    public var headerFieldsMax = 100
    /// The largest Content-Length let past the head; over: 413.
    ///
    /// A chunked body has no length to look at: whoever takes the body events counts those.
    public var bodyBytesMax = 8 * 1024 * 1024
    /// Chunk lines, chunk extensions and trailers, beyond eight bytes for each byte of body that
    /// they brought; over: 431.
    public var chunkFramingBytesMax = 16 * 1024
    /// Pipelined bytes kept until the response in progress is finished; over: 400.
    ///
    /// At least as large as the largest buffer given to `receive`.
    public var unreadBytesMax = 256 * 1024

    public init() {}
}
