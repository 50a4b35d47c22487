import HTTP2
import Testing

@Suite struct `Streaming a response` {
    /// A body fed by the test; a class so that the closure and the test share it.
    private final class Feed {
        var waiting: [UInt8] = []
        var isOver = false
        private(set) var askedCount = 0

        func read(into buffer: UnsafeMutableRawBufferPointer) -> StreamingRead {
            askedCount += 1
            let count = min(buffer.count, waiting.count)
            buffer.copyBytes(from: waiting.prefix(count))
            waiting.removeFirst(count)
            if isOver && waiting.isEmpty { return .finished(bytes: count) }
            return count == 0 ? .waiting : .bytes(count)
        }
    }

    @Test func `a body waits until it is resumed, and ends when it says so`() throws {
        let wire = try Wire()
        let feed = Feed()
        let stream = try wire.client.request(fields: requestFields("GET", path: "/v1/stream"))
        wire.exchange()

        wire.server.respond(to: stream, status: 200, fields: [], streaming: feed.read)
        wire.exchange()
        let beforeResume = wire.clientEvents.body(of: stream)
        let wantedOutputWhileWaiting = wire.server.wantsOutput
        feed.waiting = [1, 2, 3]
        wire.server.resume(stream)
        wire.exchange()
        let afterResume = wire.clientEvents.body(of: stream)
        feed.waiting = [4]
        feed.isOver = true
        wire.server.resume(stream)
        wire.exchange()

        #expect(wire.clientEvents.fields(of: stream) == [":status": "200"])
        #expect(beforeResume.isEmpty)
        #expect(!wantedOutputWhileWaiting)
        #expect(afterResume == [1, 2, 3])
        #expect(wire.clientEvents.body(of: stream) == [1, 2, 3, 4])
        #expect(wire.clientEvents.closing(of: stream) == .noError)
    }

    @Test func `resuming a body that does not wait changes nothing`() throws {
        let wire = try Wire()
        let feed = Feed()
        feed.waiting = [1]
        let stream = try wire.client.request(fields: requestFields())
        wire.exchange()

        wire.server.respond(to: stream, status: 200, fields: [], streaming: feed.read)
        wire.server.resume(stream)
        wire.exchange()

        #expect(wire.clientEvents.body(of: stream) == [1])
    }

    @Test func `a peer that does not read is asked for no more than its window`() throws {
        var limits = HTTP2Limits()
        limits.streamWindowBytes = 10_000
        let wire = try Wire(client: limits)
        let feed = Feed()
        feed.waiting = Array(repeating: 1, count: 100_000)
        let stream = try wire.client.request(fields: requestFields())
        wire.exchange()

        wire.server.respond(to: stream, status: 200, fields: [], streaming: feed.read)
        _ = wire.server.takeAllOutput()

        #expect(feed.waiting.count == 90_000)
        #expect(!wire.server.wantsOutput)
    }

    @Test func `output is produced as it is taken, not ahead`() throws {
        let wire = try Wire()
        let feed = Feed()
        feed.waiting = Array(repeating: 1, count: 500_000)
        let stream = try wire.client.request(fields: requestFields())
        wire.exchange()

        wire.server.respond(to: stream, status: 200, fields: [], streaming: feed.read)
        var buffer: [UInt8] = []
        wire.server.takeOutput(into: &buffer, atMost: 20_000)

        #expect((20_000..<40_000).contains(buffer.count))
        #expect(feed.waiting.count > 460_000)
        #expect(wire.server.wantsOutput)
    }

    @Test func `a body that fails resets its stream`() throws {
        let wire = try Wire()
        let stream = try wire.client.request(fields: requestFields())
        wire.exchange()

        wire.server.respond(to: stream, status: 200, fields: []) { _ in .failed }
        wire.exchange()

        #expect(wire.clientEvents.closing(of: stream) == .internalError)
        #expect(wire.serverEvents.closing(of: stream) == .internalError)
    }

    @Test func `endless bodies share the connection`() throws {
        let wire = try Wire()
        let streams = try (0..<3).map { _ in try wire.client.request(fields: requestFields()) }
        wire.exchange()

        for stream in streams {
            wire.server.respond(to: stream, status: 200, fields: []) { buffer in
                buffer.initializeMemory(as: UInt8.self, repeating: 9)
                return .bytes(buffer.count)
            }
        }
        var buffer: [UInt8] = []
        wire.server.takeOutput(into: &buffer, atMost: 300_000)
        wire.client.receive(buffer)
        let events = wire.client.newEvents()

        for stream in streams {
            #expect((80_000..<120_000).contains(events.body(of: stream).count))
        }
    }

    @Test func `a body is let go when its stream is reset, and with its session`() throws {
        weak var ofReset: Feed?
        weak var ofSession: Feed?
        do {
            let wire = try Wire()
            let first = try wire.client.request(fields: requestFields())
            let second = try wire.client.request(fields: requestFields())
            wire.exchange()
            respond(on: wire, to: first, remembering: &ofReset)
            respond(on: wire, to: second, remembering: &ofSession)
            wire.exchange()

            wire.client.reset(first, code: .cancel)
            wire.exchange()

            #expect(ofReset == nil)
            #expect(ofSession != nil)
        }
        #expect(ofSession == nil)
    }

    private func respond(on wire: Wire, to stream: Int32, remembering: inout Feed?) {
        let feed = Feed()
        remembering = feed
        wire.server.respond(to: stream, status: 200, fields: [], streaming: feed.read)
    }
}
