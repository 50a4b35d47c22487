import HTTP
import HTTP2

/// HTTP/2 as the connection sees it.
final class HTTP2Codec: Codec {
    private let session: HTTP2Session
    private var sessionEvents: [HTTP2Event] = []
    private var bodies: [Int32: any BodyStream] = [:]
    /// Streams whose body has nothing to send at the moment.
    private var waiting: Set<Int32> = []
    private var isDraining = false
    /// The notice of a drain has not been taken yet.
    private var isNoticeDue = false
    private var isFailureReported = false

    init(limits: ServerLimits) throws(HTTP2Error) {
        var session = HTTP2Limits()
        session.concurrentStreamsMax = UInt32(limits.streamsMax)
        session.headerBytesMax = UInt32(limits.headBytesMax)
        self.session = try HTTP2Session(.server, limits: session)
    }

    func receive(_ bytes: UnsafeRawBufferPointer) -> [CodecEvent] {
        session.receive(bytes)
        return takeEvents()
    }

    func takeDeferredEvents() -> [CodecEvent] { takeEvents() }

    private func takeEvents() -> [CodecEvent] {
        session.takeEvents(into: &sessionEvents)
        var events: [CodecEvent] = []
        events.reserveCapacity(sessionEvents.count)
        for event in sessionEvents {
            switch event {
            case .headers(let stream, let fields, let endsStream):
                events.append(.head(stream: stream, Self.head(of: fields)))
                if endsStream { events.append(.end(stream: stream)) }
            case .headersTooLarge(let stream, _):
                events.append(
                    .refused(
                        stream: stream,
                        Problem(431, "head.too-large", "The request's head is too large.")))
            case .data(let stream, let bytes, let endsStream):
                if !bytes.isEmpty { events.append(.body(stream: stream, bytes)) }
                if endsStream { events.append(.end(stream: stream)) }
            case .trailers(let stream, _):
                events.append(.end(stream: stream))
            case .closed(let stream, _):
                endBody(of: stream)
                events.append(.cancelled(stream: stream))
            case .pingAcknowledged:
                // The peer has read what was sent before: it knows that we are going away.
                if isDraining { finish() }
            case .goAway:
                break
            }
        }
        // A breach is known only when its GOAWAY has been taken.
        if let failure = session.failure, !isFailureReported {
            isFailureReported = true
            events.append(.failed(nil, reason: "HTTP/2: \(failure)"))
        }
        return events
    }

    private static func head(of fields: [HeaderField]) -> RequestHead {
        var method = ""
        var path = ""
        var rest: [HeaderField] = []
        rest.reserveCapacity(fields.count)
        for field in fields {
            switch field.name {
            case ":method": method = field.value
            case ":path": path = field.value
            case ":authority": rest.append(("host", field.value))
            case ":scheme": break
            default: rest.append(field)
            }
        }
        return RequestHead(
            method: method, target: path, fields: rest,
            expectsContinue: rest.first(named: "expect")?.lowercased() == "100-continue",
            contentLength: rest.first(named: "content-length").flatMap { Int($0) })
    }

    func respond(_ response: Response, to stream: Int32, connection: Connection) {
        switch response.body {
        case .bytes(let bytes):
            var fields = response.fields
            if response.status != 204 { fields.append(("content-length", String(bytes.count))) }
            session.respond(to: stream, status: response.status, fields: fields, body: bytes)
        case .stream(let body):
            guard session.isOpen(stream) else {
                body.end()
                return
            }
            bodies[stream] = body
            body.begin(
                wake: { [weak connection] in connection?.wake(stream) },
                abort: { [weak connection] in connection?.abort(stream) })
            session.respond(to: stream, status: response.status, fields: response.fields) {
                [unowned self] buffer in
                switch body.read(into: buffer) {
                case .bytes(let count): return .bytes(count)
                case .waiting:
                    waiting.insert(stream)
                    return .waiting
                case .finished: return .finished(bytes: 0)
                case .failed: return .failed
                }
            }
        }
    }

    func sendContinue(on stream: Int32) { session.sendContinue(to: stream) }

    func resume(_ stream: Int32) {
        waiting.remove(stream)
        session.resume(stream)
    }

    private func endBody(of stream: Int32) {
        waiting.remove(stream)
        bodies.removeValue(forKey: stream)?.end()
    }

    func abort(_ stream: Int32) {
        endBody(of: stream)
        session.reset(stream, code: .cancel)
    }

    func takeOutput(into buffer: inout [UInt8], atMost: Int) {
        session.takeOutput(into: &buffer, atMost: atMost)
        if isNoticeDue {
            // A ping overtakes all other frames, so it is not queued before the notice is out.
            isNoticeDue = false
            session.ping()
        }
    }

    func drain() {
        guard !isDraining else { return }
        isDraining = true
        isNoticeDue = true
        session.announceShutdown()
    }

    func finish() {
        isDraining = true
        session.goAway()
    }

    func terminate() { session.terminate(.enhanceYourCalm) }

    func end() {
        for body in bodies.values { body.end() }
        bodies.removeAll()
        waiting.removeAll()
    }

    var wantsInput: Bool { true }
    var isFinished: Bool { session.isFinished }
    var hasRunningResponse: Bool { !bodies.isEmpty }
    var busyStreamCount: Int { session.openStreamCount - waiting.count }
    var isInHead: Bool { session.isInHeaderBlock }
    func takeControlFrameCount() -> Int { session.takeControlFrameCount() }
}
