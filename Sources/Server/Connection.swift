import EventLoop
import Glibc
import HTTP
import TLS

/// One client's connection: socket, TLS, codec, and the requests under way.
///
/// Owned by its loop's `Server`; closes its socket exactly once, in `close(on:)`. A handler runs
/// as a task on the loop and comes back by stream: the stream may be gone by then.
final class Connection: Watcher {
    private let socket: Int32
    private let loop: EventLoop
    private let tls: TLSStream?
    private let server: Server
    private var codec: (any Codec)?
    private var phase = Phase.open

    /// Bytes received before the codec is known.
    private var preface: [UInt8] = []
    /// Decrypted bytes on their way to the codec; empty between reads.
    private var plaintext: [UInt8] = []
    /// What is to be written to the socket, from `outboxStart`.
    private var outbox: [UInt8] = []
    private var outboxStart = 0
    private var isFlushScheduled = false
    private var peerFinished = false

    private var incoming: [Int32: Incoming] = [:]
    private var incomingBytes = 0 {
        didSet { server.incomingBytes += incomingBytes - oldValue }
    }
    private var handlersRunning = 0

    private var headDeadline: ContinuousClock.Instant?
    private var idleSince = ContinuousClock.now
    /// Since when output waits that the peer's TCP does not take.
    private var stalledSince: ContinuousClock.Instant?
    /// Since when responses wait and nothing goes out: the peer's HTTP/2 windows are closed.
    private var blockedSince: ContinuousClock.Instant?
    private var hasOutputSinceTick = false
    private var lingerDeadline: ContinuousClock.Instant?
    /// When draining, until when the peer may still begin requests.
    private var finishDeadline: ContinuousClock.Instant?

    private enum Phase {
        case open
        /// Sends what is queued, then shuts down its side.
        case closing
        /// Discards what still arrives, so that the kernel does not reset what was sent last.
        case lingering
        case closed
    }

    private struct Incoming {
        var head: RequestHead
        var body: [UInt8] = []
        var deadline: ContinuousClock.Instant
        /// Answered before its end; the rest of the body is discarded.
        var isAnswered = false
    }

    private static let outputBytesPerTake = 64 * 1024
    /// Others of the loop have their turn after so many reads or takes.
    private static let readsPerTurnMax = 16
    private static let takesPerTurnMax = 16
    /// A buffer larger than this is not kept while nothing is sent.
    private static let idleBufferBytesMax = 16 * 1024
    /// How long a client may take to hear of a drain.
    private static let drainNoticeTimeMax: Duration = .seconds(1)

    init(socket: Int32, tls: TLSStream?, server: Server, loop: EventLoop) {
        self.socket = socket
        self.tls = tls
        self.server = server
        self.loop = loop
        headDeadline = .now + server.limits.headTimeMax
        // Responses are flushed whole; Nagle would only delay their tails.
        setOption(IPPROTO_TCP, TCP_NODELAY, 1)
    }

    private func setOption(_ level: Int, _ option: Int32, _ value: Int32) {
        var value = value
        setsockopt(socket, Int32(level), option, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    // MARK: Receiving

    func ready(_ readiness: Readiness, on loop: isolated EventLoop) {
        if readiness.contains(.writable) { flush(on: loop) }
        let isHungUp = readiness.contains(.hangup)
        if isHungUp || readiness.contains(.readable) { read(isHungUp: isHungUp, on: loop) }
    }

    /// - Parameter isHungUp: nothing can be sent any more, which the kernel reports until the
    ///   socket is closed: reads to the end, wanted or not.
    private func read(isHungUp: Bool, on loop: isolated EventLoop) {
        for _ in 0..<Self.readsPerTurnMax {
            guard phase != .closed else { return }
            guard isHungUp || phase != .open || wantsInput else { break }
            let buffer = server.readBuffer
            let count = Glibc.read(socket, buffer.baseAddress, buffer.count)
            if count > 0 {
                if phase == .open {
                    received(UnsafeRawBufferPointer(rebasing: buffer[..<count]), on: loop)
                }
                // A short read emptied the socket; epoll tells when there is more.
                if count < buffer.count { break }
                continue
            }
            if count < 0, errno == EAGAIN || errno == EINTR { break }
            if count < 0 || isHungUp {
                close(on: loop)
                return
            }
            peerEnded(on: loop)
            return
        }
        updateInterest(on: loop)
    }

    private var wantsInput: Bool { !peerFinished && codec?.wantsInput ?? true }

    /// The peer sends nothing more. What it asked for is still answered, but a live stream, which
    /// would never end by itself, is ended.
    private func peerEnded(on loop: isolated EventLoop) {
        guard phase != .lingering else {
            close(on: loop)
            return
        }
        peerFinished = true
        // A flush that finds nothing to send ends the connection.
        scheduleFlush(on: loop)
        updateInterest(on: loop)
    }

    private func received(_ bytes: UnsafeRawBufferPointer, on loop: isolated EventLoop) {
        guard let tls else {
            process(bytes, on: loop)
            return
        }
        do throws(TLSError) {
            plaintext.removeAll(keepingCapacity: true)
            try tls.receive(bytes, into: &plaintext)
        } catch {
            failTLS(error, on: loop)
            return
        }
        if tls.hasCiphertext { scheduleFlush(on: loop) }
        if !plaintext.isEmpty {
            let received = plaintext
            received.withUnsafeBytes { process($0, on: loop) }
        }
        if tls.peerClosed, !peerFinished { peerEnded(on: loop) }
    }

    private func failTLS(_ error: TLSError, on loop: isolated EventLoop) {
        server.peerFailed("TLS: \(error)")
        if case .peerSpeaksPlaintextHTTP = error {
            // In the clear, since that is what the client understands.
            let problem = Problem(
                400, "connection.tls-required", "This port speaks TLS; use https://.")
            let plain = HTTP1Codec(limits: server.limits)
            let response = server.responder.respond(
                to: problem, requestID: requestID(of: nil))
            plain.respond(response, to: 1, connection: self)
            plain.takeOutput(into: &outbox, atMost: Self.outputBytesPerTake)
            var alert: [UInt8] = []
            tls?.takeCiphertext(into: &alert)
        } else {
            tls?.takeCiphertext(into: &outbox)
        }
        beginClosing(on: loop)
    }

    private func process(_ bytes: UnsafeRawBufferPointer, on loop: isolated EventLoop) {
        if let codec {
            handle(codec.receive(bytes), on: loop)
            return
        }
        preface.append(contentsOf: bytes)
        guard let chosen = chooseCodec() else { return }
        codec = chosen
        let first = preface
        preface = []
        handle(first.withUnsafeBytes { chosen.receive($0) }, on: loop)
    }

    /// HTTP/2 by ALPN, or by prior knowledge when the first bytes are its preface (RFC 9113,
    /// section 3.4); else HTTP/1.1. Nil while the bytes could become either.
    private func chooseCodec() -> (any Codec)? {
        if let negotiated = tls?.negotiatedProtocol {
            return negotiated == "h2" ? makeHTTP2() : HTTP1Codec(limits: server.limits)
        }
        let expected = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
        if preface.starts(with: expected) { return makeHTTP2() }
        return expected.starts(with: preface) ? nil : HTTP1Codec(limits: server.limits)
    }

    private func makeHTTP2() -> (any Codec)? {
        do {
            let codec = try HTTP2Codec(limits: server.limits)
            // Its client may connect ahead of need; from here on it is idle.
            headDeadline = nil
            return codec
        } catch {
            server.peerFailed("HTTP/2: \(error)")
            return nil
        }
    }

    private func handle(_ events: [CodecEvent], on loop: isolated EventLoop) {
        for event in events {
            guard phase == .open else { break }
            switch event {
            case .head(let stream, let head): begin(stream, head, on: loop)
            case .body(let stream, let bytes): append(bytes, to: stream, on: loop)
            case .end(let stream): complete(stream, on: loop)
            case .cancelled(let stream): forget(stream)
            case .refused(let stream, let problem): refuse(stream, problem, on: loop)
            case .failed(let problem, let reason): fail(problem, reason, on: loop)
            }
        }
        if let codec {
            if codec.isInHead {
                headDeadline = headDeadline ?? .now + server.limits.headTimeMax
            } else if !events.isEmpty {
                headDeadline = nil
            }
        }
        scheduleFlush(on: loop)
    }

    private func begin(_ stream: Int32, _ head: RequestHead, on loop: isolated EventLoop) {
        incoming[stream] = Incoming(head: head, deadline: .now + server.limits.bodyTimeMax)
        if let length = head.contentLength, length > server.limits.bodyBytesMax {
            refuse(stream, bodyTooLarge, on: loop)
            return
        }
        if head.expectsContinue { codec?.sendContinue(on: stream) }
    }

    private func append(_ bytes: [UInt8], to stream: Int32, on loop: isolated EventLoop) {
        guard incoming[stream]?.isAnswered == false else { return }
        incomingBytes += bytes.count
        // In place: with a copy of the request in hand, each piece would copy the whole body.
        incoming[stream]?.body.append(contentsOf: bytes)
        if let count = incoming[stream]?.body.count, count > server.limits.bodyBytesMax {
            refuse(stream, bodyTooLarge, on: loop)
        } else if incomingBytes > server.limits.connectionBodyBytesMax {
            refuse(
                stream,
                Problem(
                    503, "server.overloaded",
                    "This connection has too many request bodies under way; send fewer at a time.",
                    fields: [("retry-after", "1")]),
                on: loop)
        } else if server.incomingBytes > server.limits.loopBodyBytesMax {
            refuse(
                stream,
                Problem(
                    503, "server.overloaded", "Too many request bodies are under way.",
                    fields: [("retry-after", "1")]),
                on: loop)
        }
    }

    private var bodyTooLarge: Problem {
        Problem(
            413, "body.too-large",
            "The body is larger than the \(server.limits.bodyBytesMax) bytes taken at once.")
    }

    private func complete(_ stream: Int32, on loop: isolated EventLoop) {
        guard let request = forget(stream), !request.isAnswered else { return }
        guard handlersRunning < server.limits.streamsMax else {
            // A client that resets what it has just asked for could start handlers without end.
            answer(
                stream,
                Problem(
                    503, "server.overloaded", "This connection has too many requests under way.",
                    fields: [("retry-after", "1")]),
                requestID: requestID(of: request.head), on: loop)
            return
        }
        let id = requestID(of: request.head)
        guard let target = Target(request.head.target) else {
            answer(
                stream,
                Problem(
                    400, "target.invalid",
                    "The request's target must be a path with valid percent escapes and UTF-8."),
                requestID: id, on: loop)
            return
        }
        run(
            Request(
                id: id, method: Method(rawValue: request.head.method), target: target,
                fields: request.head.fields, body: request.body),
            on: stream, loop: loop)
    }

    @discardableResult
    private func forget(_ stream: Int32) -> Incoming? {
        guard let request = incoming.removeValue(forKey: stream) else { return nil }
        incomingBytes -= request.body.count
        return request
    }

    /// Answers before the request is complete; the rest of it is discarded.
    private func refuse(_ stream: Int32, _ problem: Problem, on loop: isolated EventLoop) {
        let head = incoming[stream]?.head
        if var request = incoming[stream] {
            incomingBytes -= request.body.count
            request.body = []
            request.isAnswered = true
            incoming[stream] = request
        }
        answer(stream, problem, requestID: requestID(of: head), on: loop)
    }

    private func answer(
        _ stream: Int32, _ problem: Problem, requestID: String, on loop: isolated EventLoop
    ) {
        var response = server.responder.respond(to: problem, requestID: requestID)
        response.fields.append(("date", server.dateValue()))
        response.fields.append(("x-request-id", requestID))
        codec?.respond(response, to: stream, connection: self)
        scheduleFlush(on: loop)
    }

    private func fail(_ problem: Problem?, _ reason: String, on loop: isolated EventLoop) {
        server.peerFailed(reason)
        if let problem {
            answer(1, problem, requestID: requestID(of: nil), on: loop)
        }
        beginClosing(on: loop)
    }

    /// The client's `X-Request-ID` where it is a UUID or another long number in hexadecimal digits,
    /// else one of ours. The journal keeps it for ever, so it may have no room for a name.
    private func requestID(of head: RequestHead?) -> String {
        if let given = head?.fields.first(named: "x-request-id"),
            (16...64).contains(given.utf8.count),
            given.utf8.allSatisfy({ Self.requestIDBytes.contains($0) })
        {
            return given
        }
        return server.makeRequestID()
    }

    private static let requestIDBytes = Set("0123456789abcdefABCDEF-".utf8)

    // MARK: Answering

    private func run(_ request: Request, on stream: Int32, loop: isolated EventLoop) {
        handlersRunning += 1
        Task {
            _ = loop
            var response = await self.server.responder.respond(to: request)
            self.handlersRunning -= 1
            response.fields.append(("date", self.server.dateValue()))
            response.fields.append(("x-request-id", request.id))
            self.finish(stream, response, on: loop)
        }
    }

    private func finish(_ stream: Int32, _ response: Response, on loop: isolated EventLoop) {
        guard phase == .open, let codec else {
            if case .stream(let body) = response.body { body.end() }
            return
        }
        if case .stream = response.body {
            setOption(Int(SOL_SOCKET), SO_SNDBUF, Int32(server.limits.streamSendBufferBytes))
        }
        codec.respond(response, to: stream, connection: self)
        idleSince = .now
        scheduleFlush(on: loop)
    }

    /// Called by a response body on the loop when it has more to send.
    func wake(_ stream: Int32) {
        codec?.resume(stream)
        scheduleFlush()
    }

    /// Called by a response body on the loop to cut its reader off.
    func abort(_ stream: Int32) {
        codec?.abort(stream)
        scheduleFlush()
    }

    private func scheduleFlush() {
        // Sound: the connection belongs to this loop, and assumeIsolated traps anywhere else.
        nonisolated(unsafe) let connection = self
        loop.assumeIsolated { connection.scheduleFlush(on: $0) }
    }

    // MARK: Sending

    /// Flushes once the jobs that are ready have run, so that their responses go out together.
    private func scheduleFlush(on loop: isolated EventLoop) {
        guard !isFlushScheduled else { return }
        isFlushScheduled = true
        Task {
            _ = loop
            self.isFlushScheduled = false
            self.flush(on: loop)
        }
    }

    private func flush(on loop: isolated EventLoop) {
        var takeCount = 0
        while phase == .open || phase == .closing {
            if outboxStart == outbox.count {
                outbox.removeAll(keepingCapacity: true)
                outboxStart = 0
                guard fillOutbox(on: loop) else { break }
                hasOutputSinceTick = true
                takeCount += 1
                // What waits in the outbox brings the next turn.
                if takeCount > Self.takesPerTurnMax { break }
            }
            let count = outbox.withUnsafeBytes {
                send(
                    socket, $0.baseAddress?.advanced(by: outboxStart), $0.count - outboxStart,
                    Int32(MSG_NOSIGNAL))
            }
            if count >= 0 {
                outboxStart += count
                stalledSince = nil
            } else if errno == EAGAIN {
                stalledSince = stalledSince ?? .now
                break
            } else if errno != EINTR {
                close(on: loop)
                return
            }
        }
        updateInterest(on: loop)
    }

    /// Takes the next bytes from the codec; false when there are none, which may end the
    /// connection.
    private func fillOutbox(on loop: isolated EventLoop) -> Bool {
        if let codec {
            if let tls, tls.isHandshakeComplete {
                plaintext.removeAll(keepingCapacity: true)
                codec.takeOutput(into: &plaintext, atMost: Self.outputBytesPerTake)
                if !plaintext.isEmpty {
                    do {
                        try plaintext.withUnsafeBytes { try tls.write($0) }
                    } catch {
                        close(on: loop)
                        return false
                    }
                }
            } else if tls == nil {
                codec.takeOutput(into: &outbox, atMost: Self.outputBytesPerTake)
            }
        }
        tls?.takeCiphertext(into: &outbox)
        if !outbox.isEmpty { return true }

        releaseBuffers()
        // Responses are out: streams are closed, and a pipelined request may have waited for that.
        if let deferred = codec?.takeDeferredEvents(), !deferred.isEmpty {
            handle(deferred, on: loop)
            return false
        }
        if phase == .closing || codec?.isFinished == true
            || (peerFinished && handlersRunning == 0)
        {
            shutDown(on: loop)
        }
        return false
    }

    /// Keeps no large buffers for a connection that may be idle for long.
    private func releaseBuffers() {
        if outbox.capacity > Self.idleBufferBytesMax { outbox = [] }
        if plaintext.capacity > Self.idleBufferBytesMax { plaintext = [] }
    }

    private func updateInterest(on loop: isolated EventLoop) {
        var interest: Readiness = []
        switch phase {
        case .open:
            if wantsInput { interest.insert(.readable) }
            if outboxStart < outbox.count { interest.insert(.writable) }
        case .closing:
            if outboxStart < outbox.count { interest.insert(.writable) }
        case .lingering:
            interest = .readable
        case .closed:
            return
        }
        loop.setInterest(interest, of: socket)
    }

    // MARK: Ending

    /// Begins no further request; finishes what runs.
    func drain(on loop: isolated EventLoop) {
        guard phase == .open else { return }
        guard let codec else {
            close(on: loop)
            return
        }
        codec.drain()
        finishDeadline = .now + Self.drainNoticeTimeMax
        scheduleFlush(on: loop)
    }

    private func beginClosing(on loop: isolated EventLoop) {
        guard phase == .open else { return }
        phase = .closing
        flush(on: loop)
    }

    private func shutDown(on loop: isolated EventLoop) {
        guard phase == .open || phase == .closing else { return }
        if let tls {
            tls.close()
            tls.takeCiphertext(into: &outbox)
            outbox.withUnsafeBytes {
                _ = send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
        }
        guard !peerFinished else {
            close(on: loop)
            return
        }
        shutdown(socket, Int32(SHUT_WR))
        codec?.end()
        phase = .lingering
        lingerDeadline = .now + server.limits.lingerTimeMax
        updateInterest(on: loop)
    }

    /// Closes at once; idempotent.
    func close(on loop: isolated EventLoop) {
        guard phase != .closed else { return }
        phase = .closed
        incoming = [:]
        incomingBytes = 0
        loop.unwatch(socket)
        Glibc.close(socket)
        codec?.end()
        server.closed(self)
    }

    /// Enforces the time limits; called once a second.
    func tick(at now: ContinuousClock.Instant, on loop: isolated EventLoop) {
        let limits = server.limits
        if let lingerDeadline {
            if now >= lingerDeadline { close(on: loop) }
            return
        }
        if let stalledSince, now - stalledSince >= limits.stallTimeMax {
            server.peerFailed("took nothing for \(limits.stallTimeMax)")
            close(on: loop)
            return
        }
        if let codec, codec.takeControlFrameCount() > limits.controlFramesPerSecondMax {
            server.peerFailed(
                "more than \(limits.controlFramesPerSecondMax) control frames a second")
            codec.terminate()
            beginClosing(on: loop)
            return
        }
        if isBlocked(at: now) {
            server.peerFailed("opened no window for \(limits.stallTimeMax)")
            close(on: loop)
            return
        }
        if let finishDeadline, now >= finishDeadline {
            self.finishDeadline = nil
            codec?.finish()
            scheduleFlush(on: loop)
        }
        if let headDeadline, now >= headDeadline {
            server.peerFailed("no request head within \(limits.headTimeMax)")
            timeOut(on: loop)
            return
        }
        for (stream, request) in incoming where !request.isAnswered && now >= request.deadline {
            refuse(
                stream,
                Problem(
                    408, "body.too-slow", "The body was not complete within \(limits.bodyTimeMax)."),
                on: loop)
        }
        let isIdle = incoming.isEmpty && handlersRunning == 0 && outboxStart == outbox.count
        if !isIdle || codec?.hasRunningResponse == true {
            idleSince = now
        } else if now - idleSince >= limits.idleTimeMax {
            codec?.finish()
            beginClosing(on: loop)
        }
    }

    /// Whether answered HTTP/2 streams have stayed open for too long with nothing going out.
    private func isBlocked(at now: ContinuousClock.Instant) -> Bool {
        defer { hasOutputSinceTick = false }
        let incomplete = incoming.values.count { !$0.isAnswered }
        guard let codec, !hasOutputSinceTick,
            codec.busyStreamCount > incomplete + handlersRunning
        else {
            blockedSince = nil
            return false
        }
        let since = blockedSince ?? now
        blockedSince = since
        return now - since >= server.limits.stallTimeMax
    }

    /// Half a request and then silence: says so where HTTP was spoken, else just closes.
    private func timeOut(on loop: isolated EventLoop) {
        if codec is HTTP1Codec {
            answer(
                1,
                Problem(
                    408, "head.too-slow",
                    "The request's head was not complete within \(server.limits.headTimeMax)."),
                requestID: requestID(of: nil), on: loop)
        } else {
            codec?.finish()
        }
        beginClosing(on: loop)
    }
}
