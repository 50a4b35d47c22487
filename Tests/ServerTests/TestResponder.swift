import HTTP
import Server

/// Answers a few paths, and notes what a test wants to know afterwards.
///
///     /hello          "hello"
///     /echo           the request's body
///     /size           how many bytes the body had
///     /wait           "waited", once the test calls `release()`
///     /bytes/COUNT    so many bytes at once
///     /endless        bytes without end, as fast as they are taken
///     /finite/COUNT   so many bytes, streamed
///     /silent         a stream that says nothing
///     /broken         a stream that fails after its first bytes
final class TestResponder: Responder {
    private(set) var paths: [String] = []
    private(set) var streams: [TestStream] = []
    private var waiting: [CheckedContinuation<Void, Never>] = []
    private var arrivals: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []

    func respond(to request: Request) async -> Response {
        let path = request.target.segments
        paths.append("/" + path.joined(separator: "/"))
        noteArrival()
        switch path.first {
        case "hello": return Response(status: 200, body: Array("hello".utf8))
        case "echo": return Response(status: 200, body: request.body)
        case "size": return Response(status: 200, body: Array("\(request.body.count)".utf8))
        case "bytes":
            let count = path.last.flatMap { Int($0) } ?? 0
            return Response(status: 200, body: Array(repeating: UInt8(ascii: "#"), count: count))
        case "wait":
            await withCheckedContinuation { waiting.append($0) }
            return Response(status: 200, body: Array("waited".utf8))
        case "endless": return streaming(.endless)
        case "finite": return streaming(.finite(path.last.flatMap { Int($0) } ?? 0))
        case "silent": return streaming(.silent)
        case "broken": return streaming(.broken)
        default: return Response(status: 404)
        }
    }

    func respond(to problem: Problem, requestID: String) -> Response {
        problem.response(requestID: requestID)
    }

    private func streaming(_ content: TestStream.Content) -> Response {
        let stream = TestStream(content)
        streams.append(stream)
        return Response(streaming: stream, contentType: "text/plain")
    }

    private func noteArrival() {
        for arrival in arrivals where paths.count >= arrival.count { arrival.continuation.resume() }
        arrivals.removeAll { paths.count >= $0.count }
    }

    /// Suspends until so many requests have reached the responder.
    func arrived(_ count: Int) async {
        guard paths.count < count else { return }
        await withCheckedContinuation { arrivals.append((count, $0)) }
    }

    /// Lets the requests that wait be answered.
    func release() {
        for continuation in waiting { continuation.resume() }
        waiting = []
    }
}

/// A body that counts what is done with it.
final class TestStream: BodyStream {
    enum Content: Equatable {
        case endless
        case finite(Int)
        case silent
        case broken
    }

    private let content: Content
    private(set) var bytesTaken = 0
    private(set) var beginCount = 0
    private(set) var endCount = 0
    private(set) var abort: (() -> Void)?
    private var whenEnded: CheckedContinuation<Void, Never>?

    init(_ content: Content) { self.content = content }

    func begin(wake: @escaping () -> Void, abort: @escaping () -> Void) {
        beginCount += 1
        self.abort = abort
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) -> BodyRead {
        let count: Int
        switch content {
        case .endless: count = buffer.count
        case .finite(let size): count = min(buffer.count, size - bytesTaken)
        case .silent: return .waiting
        case .broken: count = bytesTaken == 0 ? min(buffer.count, 10) : -1
        }
        guard count >= 0 else { return .failed }
        guard count > 0 else { return .finished }
        buffer.initializeMemory(as: UInt8.self, repeating: UInt8(ascii: "#"))
        bytesTaken += count
        return .bytes(count)
    }

    func end() {
        endCount += 1
        whenEnded?.resume()
        whenEnded = nil
    }

    /// Suspends until the stream was ended.
    func ended() async {
        guard endCount == 0 else { return }
        await withCheckedContinuation { whenEnded = $0 }
    }
}
