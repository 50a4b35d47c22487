/// What one peer may cost. Every bound of the server that is not a codec's own has its name here.
public struct ServerLimits: Sendable {
    /// Connections of one loop; more are accepted and closed at once.
    public var connectionsMax = 4_096
    /// Streams of one HTTP/2 connection, and requests of one connection whose handlers run.
    public var streamsMax = 128
    /// A request's head.
    public var headBytesMax = 32 * 1024
    /// A request's body.
    public var bodyBytesMax = 4 * 1024 * 1024
    /// All bodies that one connection has under way.
    public var connectionBodyBytesMax = 16 * 1024 * 1024
    /// All bodies that the connections of one loop have under way, of whoever may send none too: who
    /// asks is known only once a request is complete.
    public var loopBodyBytesMax = 256 * 1024 * 1024
    /// From a connection's start, or a request's first byte, to the end of its head.
    public var headTimeMax: Duration = .seconds(10)
    /// From the end of a request's head to the end of its body.
    public var bodyTimeMax: Duration = .seconds(60)
    /// How long a connection may stay without a request.
    public var idleTimeMax: Duration = .seconds(120)
    /// How long a peer may take nothing of what waits for it.
    public var stallTimeMax: Duration = .seconds(20)
    /// How long a closed connection goes on discarding, so that its last answer is not lost.
    public var lingerTimeMax: Duration = .seconds(2)
    /// Resets, pings, settings and the like, which cost us but carry nothing.
    public var controlFramesPerSecondMax = 2_000
    /// Kernel send buffer of a connection with a live stream: what a stalled reader costs.
    public var streamSendBufferBytes = 32 * 1024

    public init() {}
}
