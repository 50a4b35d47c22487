import CNGHTTP2

/// One end of an HTTP/2 connection (RFC 9113) without its socket: bytes in, events out; heads and
/// bodies in, bytes out.
///
/// It belongs to the loop that owns the connection and frees the nghttp2 session at its end. After
/// each call of `receive`, `respond`, `request` or `resume` the owner takes events and output:
///
///     session.receive(bytes)
///     session.takeEvents(into: &events)     // and handle them
///     session.takeOutput(into: &buffer, atMost: 64 * 1024)
///     if session.isFinished { … }           // close once the buffer is sent
///
/// There is one way to the end, whoever ends the connection and why: a GOAWAY is in the output,
/// and when it has been taken `isFinished` is true; `failure` says what was wrong.
///
/// Flow control: a window is opened again as soon as the bytes are in a `data` event, so the owner
/// must limit how much of a body it keeps.
public final class HTTP2Session {
    /// Which side of the connection we are.
    public enum Role: Sendable { case server, client }

    public let role: Role
    /// What ended the connection, if it did not end in peace. Events before it are still reported.
    public private(set) var failure: HTTP2Error?

    let library: OpaquePointer
    /// Requests that take no body in their response.
    var headRequests: Set<Int32> = []
    /// Streams answered before their request was complete.
    var answeredEarly: Set<Int32> = []

    // The run-time checks for overlapping accesses would cost a tenth of the time per request. They
    // can find nothing here: no access to these properties lasts over a call that leads back into
    // the session, since submitting calls nothing and a streaming body is called on a copy.

    /// A header block has begun and is not complete.
    @exclusivity(unchecked) public private(set) var isInHeaderBlock = false
    /// Streams that are open: not yet closed by both sides, or waiting to be (client).
    @exclusivity(unchecked) public private(set) var openStreamCount = 0
    @exclusivity(unchecked) var bodies = OutgoingBodies()
    @exclusivity(unchecked) var outgoing = OutgoingHeaderBlock()
    @exclusivity(unchecked) private var incoming: IncomingHeaderBlock
    @exclusivity(unchecked) private var events: [HTTP2Event] = []
    @exclusivity(unchecked) private var controlFrameCount = 0
    /// WINDOW_UPDATE frames that our DATA has earned the peer.
    @exclusivity(unchecked) private var windowUpdateCredit = 0

    private static let windowUpdateCreditMax = 65_536
    /// A DATA frame that fills all the room it had may have been cut down by the window; from this
    /// size on it is worth its updates anyway.
    private static let dataFrameBytesWorthUpdates = 1_024

    /// Opens our side: SETTINGS (and a client's preface) wait in the output.
    ///
    /// - Throws: `HTTP2Error.library` when memory is short.
    public init(_ role: Role, limits: HTTP2Limits = HTTP2Limits()) throws(HTTP2Error) {
        self.role = role
        incoming = IncomingHeaderBlock(limits: limits)
        library = try Self.makeLibrarySession(role, limits: limits)
        nghttp2_session_set_user_data(library, Unmanaged.passUnretained(self).toOpaque())
        try submitSettings(limits)
    }

    deinit {
        nghttp2_session_del(library)
    }

    private func submitSettings(_ limits: HTTP2Limits) throws(HTTP2Error) {
        var settings: [nghttp2_settings_entry] = []
        func set(_ id: nghttp2_settings_id, to value: UInt32) {
            settings.append(nghttp2_settings_entry(settings_id: Int32(id.rawValue), value: value))
        }
        set(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, to: limits.streamWindowBytes)
        set(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, to: limits.headerBytesMax)
        switch role {
        case .server:
            set(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, to: limits.concurrentStreamsMax)
            // The old priority tree keeps closed streams and lets a peer shuffle them (RFC 9218).
            set(NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, to: 1)
        case .client:
            set(NGHTTP2_SETTINGS_ENABLE_PUSH, to: 0)
        }
        let flags = UInt8(NGHTTP2_FLAG_NONE.rawValue)
        try HTTP2Error.check(nghttp2_submit_settings(library, flags, settings, settings.count))
        try HTTP2Error.check(
            nghttp2_session_set_local_window_size(
                library, flags, 0, Int32(clamping: limits.connectionWindowBytes)))
    }

    // MARK: Input

    /// Takes the peer's bytes, in pieces of any size; what they mean waits in the events.
    ///
    /// After a breach of the protocol the rest of the bytes is ignored.
    public func receive(_ bytes: UnsafeRawBufferPointer) {
        guard failure == nil, let start = bytes.baseAddress else { return }
        let result = nghttp2_session_mem_recv(
            library, start.assumingMemoryBound(to: UInt8.self), bytes.count)
        if result < 0 { fail(.library(code: Int32(result))) }
    }

    /// Replaces the content of `taken` with what has happened since the last call, in order.
    ///
    /// The two arrays change places, so no call allocates.
    public func takeEvents(into taken: inout [HTTP2Event]) {
        taken.removeAll(keepingCapacity: true)
        swap(&taken, &events)
    }

    /// The frames received since the last call that cost us work and the peer next to nothing:
    /// RST_STREAM, PING, SETTINGS, PRIORITY, CONTINUATION, DATA that neither carries a byte nor
    /// ends its stream, and each frame that was refused. Frames of unknown type and on closed
    /// streams are skipped without work and not counted.
    ///
    /// WINDOW_UPDATE is counted beyond two for each DATA frame of ours, one for the stream and one
    /// for the connection: so many a peer sends that acknowledges each frame. A frame that the
    /// peer's window cut down to a few bytes earns none (CVE-2019-9511).
    ///
    /// Their rate is for the owner to limit (CVE-2019-9511 to 9518, CVE-2023-44487).
    public func takeControlFrameCount() -> Int {
        defer { controlFrameCount = 0 }
        return controlFrameCount
    }

    // MARK: Output

    /// True while there are frames to take; false while all bodies wait for `resume` or a window.
    public var wantsOutput: Bool { nghttp2_session_want_write(library) != 0 }

    /// Appends frames to `buffer` until there are none, or the call has appended `atMost` bytes or
    /// up to one frame (16 KiB) more.
    ///
    /// Streams whose last frame is taken are closed: look at the events afterwards.
    public func takeOutput(into buffer: inout [UInt8], atMost byteCountMax: Int) {
        var takenCount = 0
        while takenCount < byteCountMax {
            var frame: UnsafePointer<UInt8>?
            let count = nghttp2_session_mem_send(library, &frame)
            guard count > 0, let frame else {
                if count < 0 { fail(.library(code: Int32(count))) }
                return
            }
            buffer.append(contentsOf: UnsafeBufferPointer(start: frame, count: count))
            takenCount += count
        }
    }

    /// True when nothing will come and nothing has to go: close the connection.
    public var isFinished: Bool {
        nghttp2_session_want_read(library) == 0 && nghttp2_session_want_write(library) == 0
    }

    // MARK: Streams and the connection

    /// False once a stream is over, or was never begun.
    public func isOpen(_ stream: Int32) -> Bool {
        nghttp2_session_find_stream(library, stream) != nil
    }

    /// Ends a stream in both directions; `closed` follows once the frame is taken. Does nothing
    /// if the stream is gone.
    public func reset(_ stream: Int32, code: HTTP2ErrorCode) {
        guard nghttp2_session_find_stream(library, stream) != nil else { return }
        submitted(
            nghttp2_submit_rst_stream(
                library, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream, code.rawValue))
    }

    /// Asks the peer for a sign of life: `pingAcknowledged`.
    public func ping() {
        submitted(nghttp2_submit_ping(library, UInt8(NGHTTP2_FLAG_NONE.rawValue), nil))
    }

    /// Refuses new streams from the peer, finishes those that run, then is finished.
    ///
    /// A server says `announceShutdown()` a round trip earlier, so that no request is lost.
    public func goAway() {
        submitted(
            nghttp2_submit_goaway(
                library, UInt8(NGHTTP2_FLAG_NONE.rawValue),
                nghttp2_session_get_last_proc_stream_id(library), NGHTTP2_NO_ERROR.rawValue, nil,
                0))
    }

    /// Ends the connection at once for a limit that the peer has broken.
    public func terminate(_ code: HTTP2ErrorCode) {
        failure = failure ?? .terminated(code)
        submitted(nghttp2_session_terminate_session(library, code.rawValue))
    }

    /// Ends the connection after a fatal error of the library, which sends no GOAWAY by itself.
    private func fail(_ error: HTTP2Error) {
        guard failure == nil else { return }
        failure = error
        // If memory is too short even for a GOAWAY, the owner's timeouts end the connection.
        _ = nghttp2_session_terminate_session(library, Self.farewellCode(for: error))
    }

    private static func farewellCode(for error: HTTP2Error) -> UInt32 {
        guard case .library(let code) = error else { return HTTP2ErrorCode.internalError.rawValue }
        return switch code {
        case NGHTTP2_ERR_BAD_CLIENT_MAGIC.rawValue: HTTP2ErrorCode.protocolError.rawValue
        case NGHTTP2_ERR_FLOODED.rawValue, NGHTTP2_ERR_TOO_MANY_CONTINUATIONS.rawValue:
            HTTP2ErrorCode.enhanceYourCalm.rawValue
        default: HTTP2ErrorCode.internalError.rawValue
        }
    }

    /// Ends the connection if a frame of ours could not be queued; only short memory can cause it.
    func submitted(_ code: Int32) {
        if code < 0 { fail(.library(code: code)) }
    }

    /// Notes that `request` has opened a stream.
    func streamOpened() { openStreamCount += 1 }
}

// MARK: What the callbacks report

extension HTTP2Session {
    func frameBegan(_ frame: nghttp2_frame_hd) {
        let type = nghttp2_frame_type(UInt32(frame.type))
        isInHeaderBlock =
            type == NGHTTP2_HEADERS || (isInHeaderBlock && type == NGHTTP2_CONTINUATION)
        switch type {
        case NGHTTP2_HEADERS, NGHTTP2_GOAWAY:
            break
        case NGHTTP2_DATA where frame.length > 0 || frame.endsStream:
            break
        case NGHTTP2_WINDOW_UPDATE where windowUpdateCredit > 0:
            windowUpdateCredit -= 1
        default:
            controlFrameCount += 1
        }
    }

    /// Notes a DATA frame of ours of `count` bytes where `room` were allowed.
    func bodyRead(_ count: Int, room: Int) {
        guard count < room || count >= Self.dataFrameBytesWorthUpdates else { return }
        windowUpdateCredit = min(windowUpdateCredit + 2, Self.windowUpdateCreditMax)
    }

    func frameWasInvalid() {
        isInHeaderBlock = false
        controlFrameCount += 1
    }

    /// Notes that the library refuses the message of the current block.
    func headerWasInvalid() { isInHeaderBlock = false }

    func headersBegan(_ frame: nghttp2_headers) {
        incoming.begin()
        // A client has counted its streams when it asked for them.
        if frame.cat == NGHTTP2_HCAT_REQUEST { openStreamCount += 1 }
    }

    func headerArrived(name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>) {
        incoming.append(name: name, value: value)
    }

    func headersEnded(_ frame: nghttp2_headers) {
        isInHeaderBlock = false
        let stream = frame.hd.stream_id
        let endsStream = frame.hd.endsStream
        let (fields, isTooLarge) = incoming.take()
        let hasStatus = fields.first?.name == ":status"
        // A response after an interim one and trailers are of the same category.
        guard frame.cat != NGHTTP2_HCAT_HEADERS || hasStatus else {
            events.append(.trailers(stream: stream, fields: isTooLarge ? [] : fields))
            return
        }
        if hasStatus, fields[0].value.hasPrefix("1") { return }
        // Pseudo-header fields come first, and a request has at most four.
        if role == .server, fields.prefix(4).contains(where: { $0 == (":method", "HEAD") }) {
            headRequests.insert(stream)
        }
        events.append(
            isTooLarge
                ? .headersTooLarge(stream: stream, endsStream: endsStream)
                : .headers(stream: stream, fields: fields, endsStream: endsStream))
    }

    func dataArrived(_ bytes: UnsafeBufferPointer<UInt8>, on stream: Int32) {
        events.append(.data(stream: stream, bytes: Array(bytes), endsStream: false))
    }

    func dataEnded(on stream: Int32) {
        if case .data(stream, let bytes, endsStream: false)? = events.last {
            events[events.count - 1] = .data(stream: stream, bytes: bytes, endsStream: true)
        } else {
            events.append(.data(stream: stream, bytes: [], endsStream: true))
        }
    }

    func goAwayArrived(_ frame: nghttp2_goaway) {
        events.append(
            .goAway(
                lastStream: frame.last_stream_id, code: HTTP2ErrorCode(rawValue: frame.error_code)))
    }

    func pingAcknowledged() { events.append(.pingAcknowledged) }

    func streamClosed(_ stream: Int32, code: UInt32) {
        openStreamCount -= 1
        if let slot = bodySlot(of: stream) { bodies.remove(slot) }
        if !headRequests.isEmpty { headRequests.remove(stream) }
        if !answeredEarly.isEmpty { answeredEarly.remove(stream) }
        events.append(.closed(stream: stream, code: HTTP2ErrorCode(rawValue: code)))
    }

    /// A response may end before its request does; the rest of that is then of no use, and the
    /// stream would stay open for it (RFC 9113 section 8.1).
    func streamEnded(byUs stream: Int32) {
        guard !answeredEarly.isEmpty, answeredEarly.contains(stream),
            nghttp2_session_get_stream_remote_close(library, stream) == 0
        else { return }
        reset(stream, code: .noError)
    }

    func goAwaySent(code: UInt32) {
        guard failure == nil, code != NGHTTP2_NO_ERROR.rawValue else { return }
        failure = .peerBrokeProtocol(HTTP2ErrorCode(rawValue: code))
    }

    /// A head that could not be sent, say because it is too large, would leave its stream open for
    /// ever.
    func headersNotSent(on stream: Int32) {
        reset(stream, code: .internalError)
    }
}

extension nghttp2_frame_hd {
    var endsStream: Bool { flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0 }
    var isAcknowledgement: Bool { flags & UInt8(NGHTTP2_FLAG_ACK.rawValue) != 0 }
}
