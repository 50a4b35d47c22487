import CNGHTTP2

/// What only a server does.
extension HTTP2Session {
    /// Answers a request, once. Does nothing if the stream is gone.
    ///
    /// Of a request with method HEAD and of status 204 and 304 the body is left out. If the request
    /// is not yet complete, the rest of it is cut off after the response.
    ///
    /// - Parameter fields: without `:status`; nothing is added, so with `content-length`.
    public func respond(to stream: Int32, status: Int, fields: [HeaderField], body: [UInt8]) {
        guard prepareResponse(to: stream) else { return }
        let hasBody = !body.isEmpty && allowsBody(stream, status: status)
        submitResponse(
            to: stream, status: status, fields: fields, slot: hasBody ? bodies.add(body) : nil)
    }

    /// Answers a request, once, with a body that is asked for as the peer takes it.
    ///
    /// Several such responses share the connection evenly. Where no body is allowed (see the other
    /// `respond`) the closure is never called.
    public func respond(
        to stream: Int32, status: Int, fields: [HeaderField],
        streaming body: @escaping StreamingBody
    ) {
        guard prepareResponse(to: stream) else { return }
        guard allowsBody(stream, status: status) else {
            return submitResponse(to: stream, status: status, fields: fields, slot: nil)
        }
        // Responses that are not incremental go out one after the other (RFC 9218 section 10): a
        // live stream would keep all later ones from ever starting.
        var priority = nghttp2_extpri(urgency: UInt32(NGHTTP2_EXTPRI_DEFAULT_URGENCY), inc: 1)
        submitted(nghttp2_session_change_extpri_stream_priority(library, stream, &priority, 1))
        submitResponse(to: stream, status: status, fields: fields, slot: bodies.add(body))
    }

    /// Says that a streaming body which answered `waiting` has more. Else does nothing.
    public func resume(_ stream: Int32) {
        // Refused for a stream that does not wait or is gone; both are no mistake.
        _ = nghttp2_session_resume_data(library, stream)
    }

    /// Sends the interim response 100, for a request with `expect: 100-continue`.
    public func sendContinue(to stream: Int32) {
        guard nghttp2_session_find_stream(library, stream) != nil else { return }
        let result = outgoing.withEntries(status: 100, fields: []) { entries, count in
            nghttp2_submit_headers(
                library, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream, nil, entries, count, nil)
        }
        submitted(result)
    }

    /// Asks the client to open no more streams, but still takes those on their way.
    ///
    /// Call `goAway()` a round trip later (RFC 9113 section 6.8).
    public func announceShutdown() {
        submitted(nghttp2_submit_shutdown_notice(library))
    }

    /// False if the stream is gone.
    private func prepareResponse(to stream: Int32) -> Bool {
        precondition(role == .server, "only a server responds")
        switch nghttp2_session_get_stream_remote_close(library, stream) {
        case 1: return true
        case 0:
            answeredEarly.insert(stream)
            return true
        default: return false
        }
    }

    private func allowsBody(_ stream: Int32, status: Int) -> Bool {
        status != 204 && status != 304 && (headRequests.isEmpty || !headRequests.contains(stream))
    }

    private func submitResponse(to stream: Int32, status: Int, fields: [HeaderField], slot: Int?) {
        let result = outgoing.withEntries(status: status, fields: fields) { entries, count in
            guard let slot else {
                return nghttp2_submit_response(library, stream, entries, count, nil)
            }
            _ = nghttp2_session_set_stream_user_data(library, stream, Self.userData(slot: slot))
            var provider = Self.dataProvider(slot: slot)
            return nghttp2_submit_response(library, stream, entries, count, &provider)
        }
        submitted(result)
    }
}
