/// What a session learnt from its peer or finished itself.
public enum HTTP2Event {
    /// A request's head (server) or a final response's head (client; interim ones are skipped).
    ///
    /// A request has passed RFC 9113 section 8.3: it has `:method`, and unless that is CONNECT also
    /// `:scheme`, `:path` and one of `:authority` and `host`; no name is upper case. Bytes of
    /// values that are not UTF-8 have become U+FFFD.
    case headers(stream: Int32, fields: [HeaderField], endsStream: Bool)
    /// A head over `headerBytesMax` or `headerFieldsMax`, of which nothing was kept: answer it
    /// with 431, or reset it (client).
    case headersTooLarge(stream: Int32, endsStream: Bool)
    /// A piece of a body, at least one byte except when it only ends the stream.
    case data(stream: Int32, bytes: [UInt8], endsStream: Bool)
    /// The trailers, which end the stream; trailers over the limits come without fields.
    case trailers(stream: Int32, fields: [HeaderField])
    /// The stream is over, in both directions; its id will not be named again.
    ///
    /// It comes once for each stream, also for one whose head was malformed and not reported.
    case closed(stream: Int32, code: HTTP2ErrorCode)
    /// The peer takes no streams above `lastStream` any more.
    case goAway(lastStream: Int32, code: HTTP2ErrorCode)
    /// The peer answered a `ping()`.
    case pingAcknowledged
}
