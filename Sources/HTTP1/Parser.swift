import CLLHTTP

/// llhttp's state machine for the requests of one connection, one request at a time.
///
/// Owned by its session; frees the machine with itself. llhttp decodes the body and is the second
/// opinion about the head: it never sees a line that the guard has not passed.
final class Parser {
    private let machine: UnsafeMutablePointer<llhttp_t>
    private let limits: HTTP1Limits
    private var framing: ChunkFraming
    /// What `recordBody` refused; llhttp only knows that something was.
    private var refusal: HTTP1Error?
    /// In the buffer being executed, the first byte that is neither body nor counted as framing.
    private var unaccounted: UnsafeRawPointer?
    private var body: [UInt8] = []

    /// How llhttp would delimit the body, once it has seen the whole head.
    private(set) var bodyFraming: HTTP1Head.Framing?
    private(set) var isMessageComplete = false

    init(limits: HTTP1Limits) {
        self.limits = limits
        framing = ChunkFraming(limits: limits)
        machine = .allocate(capacity: 1)
        llhttp_init(machine, HTTP_REQUEST, callbacks.settings)
        machine.pointee.data = Unmanaged.passUnretained(self).toOpaque()
    }

    deinit { machine.deallocate() }

    /// Begins the next request.
    func reset() {
        llhttp_reset(machine)
        framing = ChunkFraming(limits: limits)
        bodyFraming = nil
        isMessageComplete = false
    }

    // MARK: Head

    /// Takes the request line, given with its CRLF.
    ///
    /// llhttp knows a closed list of methods, and PRI, SOURCE and the RTSP ones lead it elsewhere.
    /// The method delimits nothing (RFC 9112 section 6), so llhttp reads POST for each of them;
    /// only CONNECT stays, for the sake of its target.
    func takeRequestLine(
        _ bytes: UnsafeRawBufferPointer, _ line: RequestLine
    ) throws(HTTP1Error) {
        var method = line.method == "CONNECT" ? "CONNECT" : "POST"
        let afterMethod = UnsafeRawBufferPointer(rebasing: bytes[line.methodCount...])
        let outcome = method.withUTF8 { execute(UnsafeRawBufferPointer($0)) }
        try check(outcome)
        try check(execute(afterMethod))
    }

    /// Takes a field line or the empty line, given with its CRLF.
    func takeLine(_ line: UnsafeRawBufferPointer) throws(HTTP1Error) {
        try check(execute(line))
    }

    // MARK: Body

    /// Takes bytes of the body up to the end of the request; returns what they contain and how
    /// many they were.
    func takeBody(
        _ bytes: UnsafeRawBufferPointer
    ) throws(HTTP1Error) -> (body: [UInt8], consumed: Int) {
        guard let start = bytes.baseAddress else { return ([], 0) }
        unaccounted = start
        defer {
            unaccounted = nil
            body = []
        }
        let outcome = execute(bytes)
        if let refusal { throw refusal }

        var consumed = bytes.count
        if outcome != HPE_OK, let stop = llhttp_get_error_pos(machine) {
            consumed = start.distance(to: UnsafeRawPointer(stop))
        }
        try noteFraming(upTo: start + consumed)
        try check(outcome)
        if isMessageComplete { try framing.endRun() }
        return (body, consumed)
    }

    private func noteFraming(upTo end: UnsafeRawPointer) throws(HTTP1Error) {
        guard let start = unaccounted, start < end else { return }
        try framing.note(UnsafeRawBufferPointer(start: start, count: start.distance(to: end)))
        unaccounted = end
    }

    // MARK: The machine

    private func execute(_ bytes: UnsafeRawBufferPointer) -> llhttp_errno_t {
        llhttp_execute(machine, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
    }

    /// A pause is our own, at the end of the message.
    private func check(_ outcome: llhttp_errno_t) throws(HTTP1Error) {
        guard outcome != HPE_OK, outcome != HPE_PAUSED else { return }
        throw .refusedByParser(
            code: Int32(outcome.rawValue), name: String(cString: llhttp_errno_name(outcome)))
    }

    // MARK: What the callbacks record

    fileprivate func recordHeadComplete() {
        let flags = UInt32(machine.pointee.flags)
        let length = Int(clamping: machine.pointee.content_length)
        bodyFraming =
            flags & F_CHUNKED.rawValue != 0 ? .chunked : length == 0 ? .empty : .length(length)
        // `Upgrade: h2c` and CONNECT are requests like any other here. With the flag left on,
        // llhttp would skip the body of CONNECT, which would then be read as the next request.
        machine.pointee.upgrade = 0
    }

    fileprivate func recordBody(_ piece: UnsafeRawBufferPointer) -> Int32 {
        guard let start = piece.baseAddress else { return 0 }
        do throws(HTTP1Error) {
            try noteFraming(upTo: start)
            try framing.endRun()
        } catch {
            refusal = error
            return Int32(HPE_USER.rawValue)
        }
        framing.pay(forBodyBytes: piece.count)
        body.append(contentsOf: piece)
        unaccounted = start + piece.count
        return 0
    }

    fileprivate func recordMessageComplete() -> Int32 {
        isMessageComplete = true
        return Int32(HPE_PAUSED.rawValue)
    }
}

// MARK: - Callbacks

/// The table of callbacks that every machine points to.
private struct Callbacks: @unchecked Sendable {
    // Unchecked because it is a pointer: written here once, only read afterwards, never freed.
    let settings: UnsafePointer<llhttp_settings_t>

    init() {
        let settings = UnsafeMutablePointer<llhttp_settings_t>.allocate(capacity: 1)
        llhttp_settings_init(settings)
        settings.pointee.on_headers_complete = headersComplete
        settings.pointee.on_body = bodyReceived
        settings.pointee.on_message_complete = messageComplete
        self.settings = UnsafePointer(settings)
    }
}

private let callbacks = Callbacks()

private func parser(of machine: UnsafeMutablePointer<llhttp_t>?) -> Parser? {
    guard let context = machine?.pointee.data else { return nil }
    return Unmanaged<Parser>.fromOpaque(context).takeUnretainedValue()
}

private func headersComplete(_ machine: UnsafeMutablePointer<llhttp_t>?) -> Int32 {
    guard let parser = parser(of: machine) else { return -1 }
    parser.recordHeadComplete()
    return 0
}

private func bodyReceived(
    _ machine: UnsafeMutablePointer<llhttp_t>?, _ bytes: UnsafePointer<CChar>?, _ count: Int
) -> Int32 {
    guard let parser = parser(of: machine) else { return -1 }
    return parser.recordBody(UnsafeRawBufferPointer(start: bytes, count: count))
}

private func messageComplete(_ machine: UnsafeMutablePointer<llhttp_t>?) -> Int32 {
    guard let parser = parser(of: machine) else { return -1 }
    return parser.recordMessageComplete()
}
