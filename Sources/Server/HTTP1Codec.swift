import HTTP
import HTTP1

/// HTTP/1.1 as the connection sees it: one stream, number 1, used by one request after the other.
final class HTTP1Codec: Codec {
    private let session: HTTP1Session
    /// Encoded and not yet taken.
    private var output: [UInt8] = []
    /// The body that is being streamed.
    private var body: (any BodyStream)?
    private var bodyWaits = false
    private var responseIsDue = false
    private var isClosing = false
    private var chunk: [UInt8] = []

    private static let stream: Int32 = 1
    private static let chunkBytes = 16 * 1024

    init(limits: ServerLimits) {
        var session = HTTP1Limits()
        session.headBytesMax = limits.headBytesMax
        session.bodyBytesMax = limits.bodyBytesMax
        self.session = HTTP1Session(limits: session)
    }

    func receive(_ bytes: UnsafeRawBufferPointer) -> [CodecEvent] {
        do throws(HTTP1Error) {
            return events(of: try session.receive(bytes))
        } catch {
            return [failure(error)]
        }
    }

    func takeDeferredEvents() -> [CodecEvent] {
        guard !responseIsDue, body == nil, output.isEmpty, session.isRequestComplete,
            session.keepsAlive
        else { return [] }
        do throws(HTTP1Error) {
            return events(of: try session.resumeAfterResponse())
        } catch {
            return [failure(error)]
        }
    }

    private func events(of events: [HTTP1Event]) -> [CodecEvent] {
        events.map { event in
            switch event {
            case .head(let head):
                responseIsDue = true
                let length: Int? = if case .length(let bytes) = head.framing { bytes } else { nil }
                return .head(
                    stream: Self.stream,
                    RequestHead(
                        method: head.method, target: head.target, fields: head.fields,
                        expectsContinue: head.expectsContinue, contentLength: length))
            case .body(let bytes): return .body(stream: Self.stream, bytes)
            case .end: return .end(stream: Self.stream)
            }
        }
    }

    private func failure(_ error: HTTP1Error) -> CodecEvent {
        isClosing = true
        // Who speaks another protocol would not understand an answer, and no answer can follow
        // one that was given before the body was found to be broken.
        guard !error.isForeignProtocol, session.canRespond else {
            return .failed(nil, reason: error.detail)
        }
        return .failed(Self.problem(error), reason: error.detail)
    }

    private static func problem(_ error: HTTP1Error) -> Problem {
        let code =
            switch error.status {
            case 413: "body.too-large"
            case 414: "target.too-long"
            case 417: "expectation.unsupported"
            case 431: "head.too-large"
            case 501: "transfer-encoding.unsupported"
            case 505: "version.unsupported"
            default: "request.malformed"
            }
        return Problem(error.status, code, error.detail)
    }

    func respond(_ response: Response, to stream: Int32, connection: Connection) {
        // Also when none is due: the last word to a client whose request cannot be read.
        guard session.canRespond else {
            if case .stream(let body) = response.body { body.end() }
            return
        }
        responseIsDue = false
        switch response.body {
        case .bytes(let bytes):
            session.encodeResponse(
                status: response.status, fields: response.fields, body: bytes, into: &output)
        case .stream(let stream):
            session.encodeStreamingHead(
                status: response.status, fields: response.fields, into: &output)
            guard !session.omitsStreamedBody else {
                session.encodeEnd(into: &output)
                stream.end()
                return
            }
            body = stream
            bodyWaits = false
            stream.begin(
                wake: { [weak connection] in connection?.wake(Self.stream) },
                abort: { [weak connection] in connection?.abort(Self.stream) })
        }
    }

    func sendContinue(on stream: Int32) {
        output.append(contentsOf: session.encodeContinue())
    }

    func resume(_ stream: Int32) { bodyWaits = false }

    func abort(_ stream: Int32) {
        // Without its last chunk, the response is seen to be incomplete.
        endBody()
        isClosing = true
        session.closeAfterResponse()
    }

    func takeOutput(into buffer: inout [UInt8], atMost: Int) {
        if output.isEmpty { fillFromBody() }
        if buffer.isEmpty {
            swap(&buffer, &output)
        } else {
            buffer.append(contentsOf: output)
            output.removeAll(keepingCapacity: true)
        }
    }

    private func fillFromBody() {
        guard let body, !bodyWaits else { return }
        var read = BodyRead.waiting
        chunk = Array(unsafeUninitializedCapacity: Self.chunkBytes) { buffer, count in
            read = body.read(into: UnsafeMutableRawBufferPointer(buffer))
            if case .bytes(let bytes) = read { count = bytes }
        }
        switch read {
        case .bytes:
            session.encodeChunk(chunk, into: &output)
        case .waiting:
            bodyWaits = true
        case .finished:
            session.encodeEnd(into: &output)
            endBody()
        case .failed:
            abort(Self.stream)
        }
    }

    private func endBody() {
        body?.end()
        body = nil
    }

    func drain() {
        session.closeAfterResponse()
        isClosing = true
    }

    func finish() { drain() }
    func terminate() { drain() }
    func end() { endBody() }

    // While a live stream is sent, reading goes on, only to see the client leave.
    var wantsInput: Bool { session.wantsInput || body != nil }

    var isFinished: Bool {
        guard output.isEmpty, body == nil, !responseIsDue else { return false }
        return isClosing || !session.keepsAlive
    }

    var hasRunningResponse: Bool { body != nil }
    var busyStreamCount: Int { 0 }
    var isInHead: Bool { session.isInHead }
    func takeControlFrameCount() -> Int { 0 }
}
