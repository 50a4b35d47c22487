import CNGHTTP2

/// What only a client does.
extension HTTP2Session {
    /// Sends a request and returns the id of its stream.
    ///
    /// Requests over the server's `peerMaxConcurrentStreams` wait in the session. One that waits
    /// when the server goes away is `closed` with REFUSED_STREAM.
    ///
    /// - Parameter fields: `:method`, `:scheme`, `:authority`, `:path`, then the others; nothing is
    ///   added.
    /// - Throws: `HTTP2Error.library` when all ids are used or either side has ended the connection:
    ///   take a new one.
    public func request(fields: [HeaderField], body: [UInt8] = []) throws(HTTP2Error) -> Int32 {
        precondition(role == .client, "only a client requests")
        guard nghttp2_session_check_request_allowed(library) != 0 else {
            throw .library(code: NGHTTP2_ERR_START_STREAM_NOT_ALLOWED.rawValue)
        }
        let slot = body.isEmpty ? nil : bodies.add(body)
        let stream = outgoing.withEntries(fields: fields) { entries, count in
            guard let slot else {
                return nghttp2_submit_request(library, nil, entries, count, nil, nil)
            }
            var provider = Self.dataProvider(slot: slot)
            return nghttp2_submit_request(
                library, nil, entries, count, &provider, Self.userData(slot: slot))
        }
        if stream < 0 {
            if let slot { bodies.remove(slot) }
            throw .library(code: stream)
        }
        streamOpened()
        return stream
    }

    /// How many streams the server allows at once; 2³² − 1 until it has said so.
    public var peerMaxConcurrentStreams: UInt32 {
        nghttp2_session_get_remote_settings(library, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS)
    }
}
