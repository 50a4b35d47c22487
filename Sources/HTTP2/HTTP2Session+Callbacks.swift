import CNGHTTP2

/// The way from nghttp2 to the session: C functions that only find their object and tell it.
///
/// None of them may take input or output; submitting frames is allowed (nghttp2's programmer's
/// guide).
extension HTTP2Session {
    static func makeLibrarySession(
        _ role: Role, limits: HTTP2Limits
    ) throws(HTTP2Error) -> OpaquePointer {
        var callbacks: OpaquePointer?
        try HTTP2Error.check(nghttp2_session_callbacks_new(&callbacks))
        defer { nghttp2_session_callbacks_del(callbacks) }
        nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, onFrameBegan)
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, onFrameReceived)
        nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, onInvalidFrame)
        nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, onHeadersBegan)
        nghttp2_session_callbacks_set_on_header_callback(callbacks, onHeader)
        nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, onInvalidHeader)
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, onData)
        nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, onFrameSent)
        nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, onFrameNotSent)
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, onStreamClosed)

        var option: OpaquePointer?
        try HTTP2Error.check(nghttp2_option_new(&option))
        defer { nghttp2_option_del(option) }
        nghttp2_option_set_max_outbound_ack(option, limits.waitingAcknowledgementsMax)
        nghttp2_option_set_max_settings(option, limits.settingsEntriesMax)
        nghttp2_option_set_max_continuations(option, limits.continuationFramesMax)
        nghttp2_option_set_max_reserved_remote_streams(option, 0)
        nghttp2_option_set_no_closed_streams(option, 1)

        var session: OpaquePointer?
        switch role {
        case .server:
            try HTTP2Error.check(nghttp2_session_server_new2(&session, callbacks, nil, option))
        case .client:
            try HTTP2Error.check(nghttp2_session_client_new2(&session, callbacks, nil, option))
        }
        guard let session else { throw .library(code: NGHTTP2_ERR_NOMEM.rawValue) }
        return session
    }

    /// The data source that reads the body in `slot`.
    static func dataProvider(slot: Int) -> nghttp2_data_provider {
        nghttp2_data_provider(
            source: nghttp2_data_source(fd: Int32(slot)), read_callback: onBodyWanted)
    }
}

/// The session behind a callback's context, which outlives the nghttp2 session that calls.
@inline(__always)
private func session(_ context: UnsafeMutableRawPointer) -> HTTP2Session {
    Unmanaged<HTTP2Session>.fromOpaque(context).takeUnretainedValue()
}

private let callbackFailure = NGHTTP2_ERR_CALLBACK_FAILURE.rawValue

private func onFrameBegan(
    _: OpaquePointer?, _ header: UnsafePointer<nghttp2_frame_hd>?,
    _ context: UnsafeMutableRawPointer?
) -> Int32 {
    guard let header, let context else { return callbackFailure }
    session(context).frameBegan(header.pointee)
    return 0
}

private func onFrameReceived(
    _: OpaquePointer?, _ frame: UnsafePointer<nghttp2_frame>?, _ context: UnsafeMutableRawPointer?
) -> Int32 {
    guard let frame, let context else { return callbackFailure }
    let header = frame.pointee.hd
    switch nghttp2_frame_type(UInt32(header.type)) {
    case NGHTTP2_HEADERS:
        session(context).headersEnded(frame.pointee.headers)
    case NGHTTP2_DATA where header.endsStream:
        session(context).dataEnded(on: header.stream_id)
    case NGHTTP2_GOAWAY:
        session(context).goAwayArrived(frame.pointee.goaway)
    case NGHTTP2_PING where header.isAcknowledgement:
        session(context).pingAcknowledged()
    default:
        break
    }
    return 0
}

private func onInvalidFrame(
    _: OpaquePointer?, _: UnsafePointer<nghttp2_frame>?, _: Int32,
    _ context: UnsafeMutableRawPointer?
) -> Int32 {
    guard let context else { return callbackFailure }
    session(context).frameWasInvalid()
    return 0
}

private func onHeadersBegan(
    _: OpaquePointer?, _ frame: UnsafePointer<nghttp2_frame>?, _ context: UnsafeMutableRawPointer?
) -> Int32 {
    guard let frame, let context else { return callbackFailure }
    session(context).headersBegan(frame.pointee.headers)
    return 0
}

private func onHeader(
    _: OpaquePointer?, _: UnsafePointer<nghttp2_frame>?, _ name: UnsafePointer<UInt8>?,
    _ nameCount: Int, _ value: UnsafePointer<UInt8>?, _ valueCount: Int, _: UInt8,
    _ context: UnsafeMutableRawPointer?
) -> Int32 {
    guard let context else { return callbackFailure }
    session(context).headerArrived(
        name: UnsafeBufferPointer(start: name, count: nameCount),
        value: UnsafeBufferPointer(start: value, count: valueCount))
    return 0
}

/// The library would drop a malformed field in silence; RFC 9113 section 8.1.1 wants the whole
/// message refused.
private func onInvalidHeader(
    _: OpaquePointer?, _: UnsafePointer<nghttp2_frame>?, _: UnsafePointer<UInt8>?, _: Int,
    _: UnsafePointer<UInt8>?, _: Int, _: UInt8, _ context: UnsafeMutableRawPointer?
) -> Int32 {
    guard let context else { return callbackFailure }
    session(context).headerWasInvalid()
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue
}

private func onData(
    _: OpaquePointer?, _: UInt8, _ stream: Int32, _ bytes: UnsafePointer<UInt8>?, _ count: Int,
    _ context: UnsafeMutableRawPointer?
) -> Int32 {
    guard let context else { return callbackFailure }
    session(context).dataArrived(UnsafeBufferPointer(start: bytes, count: count), on: stream)
    return 0
}

private func onBodyWanted(
    _: OpaquePointer?, _: Int32, _ buffer: UnsafeMutablePointer<UInt8>?, _ count: Int,
    _ flags: UnsafeMutablePointer<UInt32>?, _ source: UnsafeMutablePointer<nghttp2_data_source>?,
    _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let buffer, let flags, let source, let context else { return Int(callbackFailure) }
    return session(context).readBody(
        slot: Int(source.pointee.fd),
        into: UnsafeMutableRawBufferPointer(start: buffer, count: count), flags: &flags.pointee)
}

private func onFrameSent(
    _: OpaquePointer?, _ frame: UnsafePointer<nghttp2_frame>?, _ context: UnsafeMutableRawPointer?
) -> Int32 {
    guard let frame, let context else { return callbackFailure }
    let header = frame.pointee.hd
    switch nghttp2_frame_type(UInt32(header.type)) {
    case NGHTTP2_DATA, NGHTTP2_HEADERS:
        if header.endsStream { session(context).streamEnded(byUs: header.stream_id) }
    case NGHTTP2_GOAWAY:
        session(context).goAwaySent(code: frame.pointee.goaway.error_code)
    default:
        break
    }
    return 0
}

private func onFrameNotSent(
    _: OpaquePointer?, _ frame: UnsafePointer<nghttp2_frame>?, _: Int32,
    _ context: UnsafeMutableRawPointer?
) -> Int32 {
    guard let frame, let context else { return callbackFailure }
    if frame.pointee.hd.type == UInt8(NGHTTP2_HEADERS.rawValue) {
        session(context).headersNotSent(on: frame.pointee.hd.stream_id)
    }
    return 0
}

private func onStreamClosed(
    _: OpaquePointer?, _ stream: Int32, _ code: UInt32, _ context: UnsafeMutableRawPointer?
) -> Int32 {
    guard let context else { return callbackFailure }
    session(context).streamClosed(stream, code: code)
    return 0
}
