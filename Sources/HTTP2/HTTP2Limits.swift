/// What one HTTP/2 connection may cost us, whatever its peer does.
///
/// Not in here: body bytes and the rate of control frames. Their owner sees each `data` event and
/// asks for `HTTP2Session.takeControlFrameCount()`. The library itself ends a connection whose
/// peer resets more than 1000 streams at once and 33 a second after that.
public struct HTTP2Limits: Sendable {
    /// Streams that the peer may have open at once (SETTINGS_MAX_CONCURRENT_STREAMS).
    public var concurrentStreamsMax: UInt32 = 128
    /// Bytes of one header block: names, values and 32 for each field, as RFC 9113 section 6.5.2
    /// counts them (SETTINGS_MAX_HEADER_LIST_SIZE).
    public var headerBytesMax: UInt32 = 16 * 1024
    /// Fields of one header block.
    public var headerFieldsMax = 128
    /// CONTINUATION frames of one header block; more end the connection.
    public var continuationFramesMax = 8
    /// Body bytes that the peer may send ahead on one stream.
    public var streamWindowBytes: UInt32 = 1024 * 1024
    /// Body bytes that the peer may send ahead on all streams together.
    public var connectionWindowBytes: UInt32 = 8 * 1024 * 1024
    /// Acknowledgements of SETTINGS and PING that wait for a peer which does not read; more end
    /// the connection.
    public var waitingAcknowledgementsMax = 256
    /// Entries of one SETTINGS frame; more end the connection.
    public var settingsEntriesMax = 32

    public init() {}
}
