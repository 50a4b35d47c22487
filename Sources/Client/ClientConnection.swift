import EventLoop
import Glibc
import HTTP2
import TLS

/// A client's HTTP/2 connection, over TLS or by prior knowledge (RFC 9113, section 3).
///
///     let connection = try await ClientConnection.connect(
///         host: "127.0.0.1", port: 8080, on: loop)
///     let response = try await connection.send("GET", "/livez")
///     connection.close()
///
/// Owned by one loop: every call must come from it, and traps otherwise. The loop keeps the
/// connection alive until `close()` or until it is lost. Many tasks may send at a time: requests
/// over the server's limit of streams wait for a free one, and what is sent in one turn of the loop
/// goes out together. There is no reconnecting and no resending: both are for those who know
/// whether a request may be sent twice.
public final class ClientConnection: Watcher {
    private let socket: Int32
    private let session: HTTP2Session
    private let tls: TLSStream?
    private let loop: EventLoop
    private let scheme: String
    private let authority: String
    private let limits: ClientLimits

    private var phase: Phase
    private var handshake: CheckedContinuation<Result<Void, ClientError>, Never>?
    private var exchanges: [Int32: Exchange] = [:]
    /// The server has said that it takes no more requests, or all streams are used up.
    private var isExhausted = false

    private let readBuffer = UnsafeMutableRawBufferPointer.allocate(
        byteCount: 64 * 1024, alignment: 16)
    /// Decrypted bytes on their way in, plain bytes on their way out; empty between calls.
    private var plaintext: [UInt8] = []
    private var events: [HTTP2Event] = []
    /// What is to be written to the socket, from `outboxStart`.
    private var outbox: [UInt8] = []
    private var outboxStart = 0
    private var isFlushScheduled = false

    private enum Phase {
        case handshaking
        case open
        case closed
    }

    /// A request that waits for the rest of its response.
    private struct Exchange {
        let continuation: CheckedContinuation<Result<ClientResponse, ClientError>, Never>
        let deadline: ContinuousClock.Instant
        var status = 0
        var fields: [HeaderField] = []
        var body: [UInt8] = []
    }

    private static let outputBytesPerTake = 64 * 1024
    private static let readsPerTurnMax = 16

    /// Takes over a connected socket and watches it.
    init(
        socket: Int32, session: HTTP2Session, tls: TLSStream?, origin: Origin,
        limits: ClientLimits, on loop: isolated EventLoop
    ) throws(SystemError) {
        self.socket = socket
        self.session = session
        self.tls = tls
        self.loop = loop
        self.limits = limits
        scheme = origin.isSecure ? "https" : "http"
        authority = origin.authority
        phase = tls == nil ? .open : .handshaking
        // Requests are flushed whole; Nagle would only delay their tails.
        var isOn: Int32 = 1
        setsockopt(
            socket, Int32(IPPROTO_TCP), TCP_NODELAY, &isOn, socklen_t(MemoryLayout<Int32>.size))
        try loop.watch(socket, for: .readable, by: self)
        scheduleTick(on: loop)
    }

    deinit { readBuffer.deallocate() }

    /// Whether requests can be sent; false for good once the server goes away or the connection
    /// has ended.
    public var isOpen: Bool { phase == .open && !isExhausted }

    /// How many requests wait for their responses.
    public var outstandingCount: Int { exchanges.count }

    /// Waits for the end of the TLS handshake.
    func finishHandshake(
        by deadline: ContinuousClock.Instant, on loop: isolated EventLoop
    ) async throws(ClientError) {
        flush(on: loop)
        guard phase != .open else { return }
        let timer = loop.schedule(after: deadline - .now) { self.end(.timedOut, on: loop) }
        defer { loop.cancel(timer) }
        try await withCheckedContinuation { handshake = $0 }.get()
    }

    // MARK: Requests

    /// Sends a request and returns the whole response, whatever its status.
    ///
    /// Cancelling the task does not call a request back: what was sent is awaited.
    ///
    /// - Parameters:
    ///   - fields: names in lower case; `:method`, `:scheme`, `:authority` and `:path` come before
    ///     them, and nothing else is added.
    /// - Throws: `refused` also when the connection is not open; `connectionLost`, `reset`,
    ///   `timedOut`, `protocolError`.
    public func send(
        _ method: String, _ path: String, fields: [HeaderField] = [], body: [UInt8] = []
    ) async throws(ClientError) -> ClientResponse {
        loop.preconditionIsolated()
        guard isOpen else { throw .refused }
        var head: [HeaderField] = []
        head.reserveCapacity(4 + fields.count)
        head.append((":method", method))
        head.append((":scheme", scheme))
        head.append((":authority", authority))
        head.append((":path", path))
        head.append(contentsOf: fields)
        let stream: Int32
        do throws(HTTP2Error) {
            stream = try session.request(fields: head, body: body)
        } catch {
            isExhausted = true
            throw .refused
        }
        scheduleFlush()
        let deadline = ContinuousClock.now + limits.requestTimeMax
        return try await withCheckedContinuation {
            exchanges[stream] = Exchange(continuation: $0, deadline: deadline)
        }.get()
    }

    /// Says goodbye and closes at once; requests still waiting are `connectionLost`.
    public func close() {
        // Sound: the connection belongs to this loop, and assumeIsolated traps anywhere else.
        nonisolated(unsafe) let connection = self
        loop.assumeIsolated { loop in
            guard connection.phase != .closed else { return }
            connection.session.goAway()
            connection.flush(on: loop)
            connection.end(.connectionLost("closed by this side"), on: loop)
        }
    }

    // MARK: Receiving

    /// Called by the loop when the socket is ready.
    public func ready(_ readiness: Readiness, on loop: isolated EventLoop) {
        if readiness.contains(.writable) { flush(on: loop) }
        if readiness.contains(.readable) || readiness.contains(.hangup) { read(on: loop) }
    }

    private func read(on loop: isolated EventLoop) {
        for _ in 0..<Self.readsPerTurnMax {
            guard phase != .closed else { return }
            let count = Glibc.read(socket, readBuffer.baseAddress, readBuffer.count)
            if count > 0 {
                received(UnsafeRawBufferPointer(rebasing: readBuffer[..<count]), on: loop)
                // A short read emptied the socket; epoll tells when there is more.
                if count < readBuffer.count { return }
                continue
            }
            if count < 0, errno == EAGAIN || errno == EINTR { return }
            let reason = count == 0 ? "the server closed it" : ClientSocket.text(of: errno)
            end(.connectionLost(reason), on: loop)
            return
        }
    }

    private func received(_ bytes: UnsafeRawBufferPointer, on loop: isolated EventLoop) {
        guard let tls else {
            process(bytes, on: loop)
            return
        }
        var received: [UInt8] = []
        swap(&received, &plaintext)
        do throws(TLSError) {
            try tls.receive(bytes, into: &received)
        } catch {
            // The server is owed the alert.
            flush(on: loop)
            end(.connectionLost(error.description), on: loop)
            return
        }
        if phase == .handshaking, tls.isHandshakeComplete {
            handshakeEnded(tls, on: loop)
        } else if tls.hasCiphertext {
            scheduleFlush(on: loop)
        }
        if !received.isEmpty, phase == .open {
            received.withUnsafeBytes { process($0, on: loop) }
        }
        received.removeAll(keepingCapacity: true)
        swap(&received, &plaintext)
        if tls.peerClosed { end(.connectionLost("the server closed it"), on: loop) }
    }

    private func handshakeEnded(_ tls: TLSStream, on loop: isolated EventLoop) {
        guard tls.negotiatedProtocol == "h2" else {
            end(.cannotConnect("the server speaks no HTTP/2 over TLS"), on: loop)
            return
        }
        phase = .open
        handshake?.resume(returning: .success(()))
        handshake = nil
        scheduleFlush(on: loop)
    }

    private func process(_ bytes: UnsafeRawBufferPointer, on loop: isolated EventLoop) {
        session.receive(bytes)
        handleEvents()
        if session.wantsOutput || session.isFinished { scheduleFlush(on: loop) }
    }

    private func handleEvents() {
        session.takeEvents(into: &events)
        for event in events {
            switch event {
            case .headers(let stream, let fields, let endsStream):
                take(fields, on: stream)
                if endsStream { complete(stream) }
            case .headersTooLarge(let stream, _):
                fail(stream, .protocolError("the response's head is too large"))
                session.reset(stream, code: .cancel)
            case .data(let stream, let bytes, let endsStream):
                take(bytes, on: stream)
                if endsStream { complete(stream) }
            case .trailers(let stream, _):
                complete(stream)
            case .closed(let stream, let code):
                // Comes last for each stream: one that is complete is no longer known here.
                fail(stream, code == .refusedStream ? .refused : .reset(code.description))
            case .goAway:
                isExhausted = true
            case .pingAcknowledged:
                break
            }
        }
    }

    private func take(_ fields: [HeaderField], on stream: Int32) {
        guard exchanges[stream] != nil else { return }
        // The session reports no response whose head does not begin with a status of three digits.
        exchanges[stream]?.status = fields.first.flatMap { Int($0.value) } ?? 0
        exchanges[stream]?.fields = Array(fields.dropFirst())
    }

    private func take(_ bytes: [UInt8], on stream: Int32) {
        guard !bytes.isEmpty, let known = exchanges[stream]?.body.count else { return }
        if known == 0 {
            exchanges[stream]?.body = bytes
        } else {
            exchanges[stream]?.body.append(contentsOf: bytes)
        }
        if known + bytes.count > limits.responseBodyBytesMax {
            fail(stream, .protocolError("the response's body is too large"))
            session.reset(stream, code: .cancel)
        }
    }

    private func complete(_ stream: Int32) {
        guard let exchange = exchanges.removeValue(forKey: stream) else { return }
        exchange.continuation.resume(
            returning: .success(
                ClientResponse(
                    status: exchange.status, fields: exchange.fields, body: exchange.body)))
    }

    private func fail(_ stream: Int32, _ error: ClientError) {
        exchanges.removeValue(forKey: stream)?.continuation.resume(returning: .failure(error))
    }

    // MARK: Sending

    private func scheduleFlush() {
        // Sound: the connection belongs to this loop, and assumeIsolated traps anywhere else.
        nonisolated(unsafe) let connection = self
        loop.assumeIsolated { connection.scheduleFlush(on: $0) }
    }

    /// Flushes once the jobs that are ready have run, so that their requests go out together.
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
        while phase != .closed {
            if outboxStart == outbox.count {
                outbox.removeAll(keepingCapacity: true)
                outboxStart = 0
                guard fillOutbox(on: loop) else { break }
            }
            let count = outbox.withUnsafeBytes {
                Glibc.send(
                    socket, $0.baseAddress?.advanced(by: outboxStart), $0.count - outboxStart,
                    Int32(MSG_NOSIGNAL))
            }
            if count >= 0 {
                outboxStart += count
            } else if errno == EAGAIN {
                break
            } else if errno != EINTR {
                // What the server sent last may still be unread, and says more than this error.
                peerIsDeaf(errno, on: loop)
                return
            }
        }
        guard phase != .closed else { return }
        let isWaiting = outboxStart < outbox.count
        loop.setInterest(isWaiting ? [.readable, .writable] : .readable, of: socket)
    }

    private func peerIsDeaf(_ number: Int32, on loop: isolated EventLoop) {
        outbox.removeAll()
        outboxStart = 0
        read(on: loop)
        end(.connectionLost(ClientSocket.text(of: number)), on: loop)
    }

    /// Takes the session's next bytes; false when there are none.
    private func fillOutbox(on loop: isolated EventLoop) -> Bool {
        if let tls {
            if phase == .open {
                session.takeOutput(into: &plaintext, atMost: Self.outputBytesPerTake)
                defer { plaintext.removeAll(keepingCapacity: true) }
                do {
                    try plaintext.withUnsafeBytes { try tls.write($0) }
                } catch {
                    end(.connectionLost("\(error)"), on: loop)
                    return false
                }
            }
            tls.takeCiphertext(into: &outbox)
        } else {
            session.takeOutput(into: &outbox, atMost: Self.outputBytesPerTake)
        }
        // Requests that cannot be sent any more end while output is taken.
        handleEvents()
        if !outbox.isEmpty { return true }
        if session.isFinished { end(farewell, on: loop) }
        return false
    }

    // MARK: Ending

    /// Why the session is finished: a GOAWAY was the last that was sent or received.
    private var farewell: ClientError {
        session.failure.map { .protocolError($0.description) }
            ?? .connectionLost("the server went away")
    }

    /// Ends the connection and all that waits for it; idempotent.
    private func end(_ error: ClientError, on loop: isolated EventLoop) {
        guard phase != .closed else { return }
        phase = .closed
        loop.unwatch(socket)
        Glibc.close(socket)
        if let handshake {
            self.handshake = nil
            handshake.resume(returning: .failure(Self.handshakeError(error)))
        }
        let waiting = exchanges
        exchanges = [:]
        for exchange in waiting.values { exchange.continuation.resume(returning: .failure(error)) }
    }

    private static func handshakeError(_ error: ClientError) -> ClientError {
        guard case .connectionLost(let reason) = error else { return error }
        return .cannotConnect(reason)
    }

    private func scheduleTick(on loop: isolated EventLoop) {
        loop.schedule(after: min(.seconds(1), limits.requestTimeMax)) { [weak self] in
            guard let self, phase != .closed else { return }
            tick(at: .now, on: loop)
            scheduleTick(on: loop)
        }
    }

    /// Gives up what has taken too long.
    private func tick(at now: ContinuousClock.Instant, on loop: isolated EventLoop) {
        for (stream, exchange) in exchanges where exchange.deadline <= now {
            session.reset(stream, code: .cancel)
            fail(stream, .timedOut)
            scheduleFlush(on: loop)
        }
    }
}
