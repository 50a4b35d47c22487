import HTTP2
import Testing

@Suite struct `A peer that misbehaves` {
    @Test func `garbage instead of the preface is answered by GOAWAY`() throws {
        let server = try HTTP2Session(.server)

        server.receive(Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
        let frames = Raw.frames(in: server.takeAllOutput())

        #expect(server.failure == .library(code: -903))
        #expect(frames.last?.errorCode == .protocolError)
        #expect(server.isFinished)
    }

    @Test func `random bytes never trap, and nothing is reported after the failure`() throws {
        var random = SplitMix64(state: 552)
        for _ in 0..<200 {
            let server = try Raw.connectedServer()
            let bytes = (0..<2000).map { _ in UInt8.random(in: 0...255, using: &random) }

            server.receive(bytes)
            _ = server.takeAllOutput()
            _ = server.newEvents()
            let isFinished = server.isFinished
            server.receive(Raw.headers(requestFields(), stream: 101))

            if isFinished { #expect(server.newEvents().isEmpty) }
        }
    }

    @Test func `a breach found inside a frame ends the connection with its code`() throws {
        let server = try Raw.connectedServer()

        server.receive(Raw.data([1], stream: 0))
        let frames = Raw.frames(in: server.takeAllOutput())

        #expect(frames.last?.errorCode == .protocolError)
        #expect(server.failure == .peerBrokeProtocol(.protocolError))
        #expect(server.isFinished)
    }

    @Test(arguments: [
        ("without :path", [(":method", "GET"), (":scheme", "http"), (":authority", "a")]),
        ("without :authority and host", [(":method", "GET"), (":scheme", "http"), (":path", "/")]),
        ("with an upper-case name", requestFields(with: [("X-Upper", "1")])),
        ("with connection", requestFields(with: [("connection", "close")])),
        ("with transfer-encoding", requestFields(with: [("transfer-encoding", "chunked")])),
        ("with te: gzip", requestFields(with: [("te", "gzip")])),
        (
            "with a pseudo-header field at the end",
            requestFields(with: [("a", "b"), (":path", "/")])
        ),
        ("with :path twice", [(":path", "/b")] + requestFields()),
        ("with :status", [(":status", "200")] + requestFields()),
        ("with a line break in a value", requestFields(with: [("a", "b\r\nc: d")])),
        ("with a space in a name", requestFields(with: [("a b", "c")])),
        (
            "with two lengths",
            requestFields(with: [("content-length", "0"), ("content-length", "1")])
        ),
        ("with a length but no body", requestFields(with: [("content-length", "5")])),
    ])
    func `a malformed head is refused and the connection goes on`(
        what: String, fields: [HeaderField]
    ) throws {
        let server = try Raw.connectedServer()

        server.receive(Raw.headers(fields, stream: 1))
        let events = server.newEvents()
        let frames = Raw.frames(in: server.takeAllOutput())
        server.receive(Raw.headers(requestFields(), stream: 3))

        #expect(events.requestCount == 0, "\(what)")
        #expect(frames.contains { $0.type == 3 }, "\(what)")
        #expect(server.takeControlFrameCount() == 1, "\(what)")
        #expect(server.newEvents().fields(of: 3) != nil, "\(what)")
        #expect(server.failure == nil)
    }

    @Test func `a body longer than its content-length is refused`() throws {
        let server = try Raw.connectedServer()

        server.receive(
            Raw.headers(
                requestFields("POST", with: [("content-length", "2")]), stream: 1,
                flags: Raw.endHeaders))
        server.receive(Raw.data([1, 2, 3], stream: 1, flags: Raw.endStream))
        _ = server.takeAllOutput()
        let events = server.newEvents()

        #expect(!events.ends(1))
        #expect(events.closing(of: 1) == .protocolError)
    }

    @Test func `bytes that are not UTF-8 are repaired`() throws {
        let server = try Raw.connectedServer()
        let head = Raw.frames(in: Raw.headers(requestFields(), stream: 1))[0].payload
        let field = [0] + Raw.string(Array("user-agent".utf8)) + Raw.string([0x61, 0xe4, 0x62])

        server.receive(Raw.frame(type: 1, flags: 5, stream: 1, payload: head + field))

        #expect(server.newEvents().fields(of: 1)?["user-agent"] == "a\u{fffd}b")
    }

    @Test(arguments: [true, false])
    func `a head over the limits is reported without being kept, and can be answered`(
        byBytes: Bool
    ) throws {
        var limits = HTTP2Limits()
        limits.headerBytesMax = 1000
        limits.headerFieldsMax = byBytes ? 1000 : 10
        let wire = try Wire(server: limits)
        let more: [HeaderField] =
            byBytes
            ? [("x", String(repeating: "y", count: 20_000))] : (0..<20).map { ("x\($0)", "") }

        let tooLarge = try wire.client.request(fields: requestFields("HEAD", with: more))
        let fine = try wire.client.request(fields: requestFields())
        wire.exchange()
        wire.server.respond(to: tooLarge, status: 431, fields: [], body: [1])
        wire.exchange()

        #expect(
            wire.serverEvents.transcript.first
                == "headersTooLarge(stream: \(tooLarge), endsStream: true)")
        #expect(wire.serverEvents.fields(of: fine) != nil)
        #expect(wire.clientEvents.fields(of: tooLarge) == [":status": "431"])
        #expect(wire.clientEvents.closing(of: tooLarge) == .noError)
    }

    @Test func `a response head over the client's limits is reported too`() throws {
        var limits = HTTP2Limits()
        limits.headerBytesMax = 1000
        let wire = try Wire(client: limits)
        let stream = try wire.client.request(fields: requestFields())
        wire.exchange()

        wire.server.sendContinue(to: stream)
        wire.server.respond(
            to: stream, status: 200, fields: [("x", String(repeating: "y", count: 2000))], body: [])
        wire.exchange()

        #expect(
            wire.clientEvents.transcript.first
                == "headersTooLarge(stream: \(stream), endsStream: true)")
    }

    @Test func `streams over the limit are refused before the peer knows it`() throws {
        var limits = HTTP2Limits()
        limits.concurrentStreamsMax = 2
        let server = try HTTP2Session(.server, limits: limits)

        server.receive(Raw.preface + Raw.settings)
        for stream: UInt32 in [1, 3, 5] {
            server.receive(Raw.headers(requestFields(), stream: stream))
        }
        let frames = Raw.frames(in: server.takeAllOutput())

        #expect(server.newEvents().requestCount == 2)
        #expect(frames.compactMap(\.errorCode) == [.refusedStream])
        #expect(server.failure == nil)
    }

    @Test func `streams over the acknowledged limit end the connection`() throws {
        var limits = HTTP2Limits()
        limits.concurrentStreamsMax = 2
        let server = try Raw.connectedServer(limits)

        for stream: UInt32 in [1, 3, 5] {
            server.receive(Raw.headers(requestFields(), stream: stream))
        }
        let frames = Raw.frames(in: server.takeAllOutput())

        #expect(server.newEvents().requestCount == 2)
        #expect(frames.last?.errorCode == .protocolError)
    }

    @Test func `rapid resets are counted, and stopped at last`() throws {
        let server = try Raw.connectedServer()

        for number: UInt32 in 0..<500 {
            let stream = number * 2 + 1
            server.receive(Raw.headers(requestFields(), stream: stream))
            server.receive(Raw.reset(stream, code: .cancel))
        }
        let count = server.takeControlFrameCount()
        let openCount = server.openStreamCount
        for number: UInt32 in 500..<3000 {
            let stream = number * 2 + 1
            server.receive(Raw.headers(requestFields(), stream: stream))
            server.receive(Raw.reset(stream, code: .cancel))
        }
        _ = server.takeAllOutput()

        #expect(count == 500)
        #expect(openCount == 0)
        #expect(server.isFinished)
    }

    @Test(arguments: [
        ("PING", Raw.ping),
        ("SETTINGS", Raw.settings),
        ("PRIORITY", Raw.frame(type: 2, stream: 9, payload: [0, 0, 0, 0, 16])),
        ("WINDOW_UPDATE", Raw.frame(type: 8, payload: [0, 0, 0, 1])),
        ("empty DATA", Raw.data([], stream: 1)),
    ])
    func `cheap frames are counted`(what: String, frame: [UInt8]) throws {
        let server = try Raw.connectedServer()
        server.receive(Raw.headers(requestFields("POST"), stream: 1, flags: Raw.endHeaders))

        for _ in 0..<100 { server.receive(frame) }

        #expect(server.takeControlFrameCount() == 100, "\(what)")
        #expect(server.takeControlFrameCount() == 0, "\(what)")
    }

    @Test func `frames that carry a request are not counted`() throws {
        let server = try Raw.connectedServer()

        server.receive(Raw.headers(requestFields("POST"), stream: 1, flags: Raw.endHeaders))
        server.receive(Raw.data([1], stream: 1))
        server.receive(Raw.data([], stream: 1, flags: Raw.endStream))

        #expect(server.takeControlFrameCount() == 0)
    }

    @Test(arguments: [("PING", Raw.ping), ("SETTINGS", Raw.settings)])
    func `acknowledgements do not pile up for a peer that does not read`(
        what: String, frame: [UInt8]
    ) throws {
        let server = try Raw.connectedServer()

        var count = 0
        while server.failure == nil && count < 10_000 {
            server.receive(frame)
            count += 1
        }
        let frames = Raw.frames(in: server.takeAllOutput())

        #expect(count == 257, "\(what)")
        #expect(server.failure == .library(code: -904), "\(what)")
        #expect(frames.last?.errorCode == .enhanceYourCalm, "\(what)")
        #expect(server.isFinished, "\(what)")
    }

    @Test func `a head without end is stopped after a few CONTINUATION frames`() throws {
        let server = try Raw.connectedServer()

        server.receive(Raw.headers(requestFields(), stream: 1, flags: 0))
        for _ in 0..<20 { server.receive(Raw.frame(type: 9, stream: 1, payload: [])) }

        #expect(server.failure == .library(code: -905))
        #expect(Raw.frames(in: server.takeAllOutput()).last?.errorCode == .enhanceYourCalm)
    }

    @Test func `the owner can end the connection for a limit of its own`() throws {
        let server = try Raw.connectedServer()
        server.receive(Raw.headers(requestFields(), stream: 1))

        server.terminate(.enhanceYourCalm)
        let frames = Raw.frames(in: server.takeAllOutput())

        #expect(frames.last?.errorCode == .enhanceYourCalm)
        #expect(server.failure == .terminated(.enhanceYourCalm))
        #expect(server.isFinished)
    }

    @Test func `trailers end the stream and are told from heads`() throws {
        let server = try Raw.connectedServer()

        server.receive(Raw.headers(requestFields("POST"), stream: 1, flags: Raw.endHeaders))
        server.receive(Raw.data([1], stream: 1))
        server.receive(Raw.headers([("checksum", "7")], stream: 1))
        let events = server.newEvents()

        #expect(events.ends(1))
        #expect(
            events.transcript.last
                == #"trailers(stream: 1, fields: [(name: "checksum", value: "7")])"#)
    }
}
