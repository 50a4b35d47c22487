/// The server's side of one HTTP/1.1 or HTTP/1.0 connection: bytes in, events out; responses are
/// encoded to bytes. It does no input or output itself.
///
/// Owned by one connection on one loop, hence neither Sendable nor locked. Requests are strictly
/// sequential: after `.end` nothing more is read until the response is finished and
/// `resumeAfterResponse()` is called.
///
///     for event in try session.receive(bytes) { … }
///     session.encodeResponse(status: 200, fields: fields, body: body, into: &output)
///     for event in try session.resumeAfterResponse() { … }
public final class HTTP1Session {
    let limits: HTTP1Limits
    private let parser: Parser
    private var head: HeadGuard
    private var phase: Phase = .head

    /// The beginning of a line whose end has not been received.
    private var partialLine: [UInt8] = []
    /// Received ahead of the response in progress; read from `unreadStart` on.
    private var unread: [UInt8] = []
    private var unreadStart = 0

    /// The request whose head has been read last, until its response is finished.
    var exchange: Exchange?
    var response: ResponseProgress = .none
    private var isClosing = false

    private enum Phase {
        case head
        case body
        /// The request is complete and its response is not known to be.
        case awaitingResponse
        case failed(HTTP1Error)
    }

    /// What the response has to know of its request.
    struct Exchange {
        let isHead: Bool
        let minorVersion: Int
        let keepsAlive: Bool
    }

    public init(limits: HTTP1Limits = HTTP1Limits()) {
        precondition(limits.targetBytesMax < limits.headBytesMax, "no head could hold the target")
        self.limits = limits
        parser = Parser(limits: limits)
        head = HeadGuard(limits: limits)
    }

    // MARK: Receiving

    /// Takes bytes from the peer and returns what they contain, none when they are too few.
    ///
    /// While a response is due, the bytes are kept, at most `unreadBytesMax`. After an error the
    /// session only encodes a last response; the events of the same call are lost with it.
    public func receive(_ bytes: UnsafeRawBufferPointer) throws(HTTP1Error) -> [HTTP1Event] {
        var events: [HTTP1Event] = []
        let consumed = try take(bytes, into: &events)
        try keep(UnsafeRawBufferPointer(rebasing: bytes[consumed...]))
        return events
    }

    /// Goes on to the next request once the response to the last one has been encoded whole.
    ///
    /// Returns what the bytes received ahead contain of it; nothing if the connection is to close.
    public func resumeAfterResponse() throws(HTTP1Error) -> [HTTP1Event] {
        precondition(response == .complete, "the response must be finished first")
        guard keepsAlive else { return [] }
        phase = .head
        head = HeadGuard(limits: limits)
        parser.reset()
        exchange = nil
        response = .none

        let pending = unread
        let start = unreadStart
        var events: [HTTP1Event] = []
        let consumed = try pending.withUnsafeBufferPointer {
            (buffer) throws(HTTP1Error) -> Int in
            try take(
                UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[start...]),
                into: &events)
        }
        unreadStart += consumed
        if unreadStart == unread.count {
            unread = []
            unreadStart = 0
        }
        return events
    }

    private func keep(_ bytes: UnsafeRawBufferPointer) throws(HTTP1Error) {
        // After the last response nobody reads them.
        guard !bytes.isEmpty, keepsAlive else { return }
        guard unread.count - unreadStart + bytes.count <= limits.unreadBytesMax else {
            throw fail(.pipelineTooLong(maximum: limits.unreadBytesMax))
        }
        unread.removeFirst(unreadStart)
        unreadStart = 0
        unread.append(contentsOf: bytes)
    }

    /// Reads up to the end of a request; returns the number of bytes read.
    private func take(
        _ bytes: UnsafeRawBufferPointer, into events: inout [HTTP1Event]
    ) throws(HTTP1Error) -> Int {
        var rest = bytes
        do throws(HTTP1Error) {
            while !rest.isEmpty {
                let consumed: Int
                switch phase {
                case .head: consumed = try takeHead(rest, into: &events)
                case .body: consumed = try takeBody(rest, into: &events)
                case .awaitingResponse: return bytes.count - rest.count
                case .failed(let error): throw error
                }
                rest = UnsafeRawBufferPointer(rebasing: rest[consumed...])
            }
        } catch {
            throw fail(error)
        }
        return bytes.count
    }

    private func fail(_ error: HTTP1Error) -> HTTP1Error {
        phase = .failed(error)
        partialLine = []
        unread = []
        unreadStart = 0
        return error
    }

    // MARK: Head

    /// Reads one line or the beginning of one.
    private func takeHead(
        _ bytes: UnsafeRawBufferPointer, into events: inout [HTTP1Event]
    ) throws(HTTP1Error) -> Int {
        if head.isUntouched {
            let opening = partialLine.prefix(2) + bytes.prefix(2 - min(partialLine.count, 2))
            try head.checkOpening(opening[0], opening.count > 1 ? opening[1] : nil)
        }
        guard let lineFeed = bytes.firstIndex(of: .lineFeed) else {
            try head.checkSize(ofLine: partialLine.count + bytes.count)
            partialLine.append(contentsOf: bytes)
            return bytes.count
        }

        let piece = UnsafeRawBufferPointer(rebasing: bytes[...lineFeed])
        if partialLine.isEmpty {
            try takeLine(piece, into: &events)
        } else {
            try head.checkSize(ofLine: partialLine.count + piece.count)
            var line = partialLine
            partialLine = []
            line.append(contentsOf: piece)
            try line.withUnsafeBufferPointer { (line) throws(HTTP1Error) in
                try takeLine(UnsafeRawBufferPointer(line), into: &events)
            }
        }
        return piece.count
    }

    private func takeLine(
        _ line: UnsafeRawBufferPointer, into events: inout [HTTP1Event]
    ) throws(HTTP1Error) {
        switch try head.read(line) {
        case .skipped: break
        case .request(let requestLine): try parser.takeRequestLine(line, requestLine)
        case .field: try parser.takeLine(line)
        case .end(let requestLine):
            let (head, keepsAlive) = try head.finish(requestLine)
            try parser.takeLine(line)
            // Two readings of where the body ends are how requests are smuggled.
            guard parser.bodyFraming == head.framing else { throw .ambiguousFraming }
            exchange = Exchange(
                isHead: head.method == "HEAD", minorVersion: head.minorVersion,
                keepsAlive: keepsAlive)
            events.append(.head(head))
            if parser.isMessageComplete {
                endRequest(into: &events)
            } else {
                phase = .body
            }
        }
    }

    // MARK: Body

    private func takeBody(
        _ bytes: UnsafeRawBufferPointer, into events: inout [HTTP1Event]
    ) throws(HTTP1Error) -> Int {
        let (body, consumed) = try parser.takeBody(bytes)
        if !body.isEmpty { events.append(.body(body)) }
        if parser.isMessageComplete { endRequest(into: &events) }
        return consumed
    }

    private func endRequest(into events: inout [HTTP1Event]) {
        phase = .awaitingResponse
        events.append(.end)
    }

    // MARK: State

    /// Whether the server should read from the socket: not while a response is due, not after an
    /// error.
    public var wantsInput: Bool {
        switch phase {
        case .head, .body: true
        case .awaitingResponse, .failed: false
        }
    }

    /// Whether the connection outlives the response in progress.
    ///
    /// False once the peer or the server asked to close, after an error, and when the response
    /// was begun before the request had been read whole.
    public var keepsAlive: Bool {
        if isClosing { return false }
        if case .failed = phase { return false }
        return exchange?.keepsAlive ?? true
    }

    /// Makes the response in progress, or the next one, the last; for draining.
    public func closeAfterResponse() { isClosing = true }

    /// Between requests, with nothing of the next one received.
    public var isIdle: Bool {
        guard case .head = phase else { return false }
        return head.isUntouched && partialLine.isEmpty
    }

    /// A head has begun and is not complete.
    public var isInHead: Bool {
        guard case .head = phase else { return false }
        return !isIdle
    }

    /// A body is being received.
    public var isInBody: Bool {
        guard case .body = phase else { return false }
        return true
    }

    /// The request has been read whole; `resumeAfterResponse()` goes on to the next.
    public var isRequestComplete: Bool {
        guard case .awaitingResponse = phase else { return false }
        return true
    }
}
