import HTTP2
import Testing

@Suite struct `Request and response over HTTP2` {
    @Test func `a request without a body arrives complete and is answered`() throws {
        let wire = try Wire()

        let stream = try wire.client.request(fields: requestFields(with: [("accept", "text/html")]))
        wire.exchange()
        wire.server.respond(
            to: stream, status: 200, fields: [("Content-Type", "text/plain")],
            body: Array("good".utf8))
        wire.exchange()

        #expect(
            wire.serverEvents.fields(of: stream) == [
                ":method": "GET", ":scheme": "https", ":authority": "leitstand.example",
                ":path": "/v1/alarms", "accept": "text/html",
            ])
        #expect(wire.serverEvents.ends(stream))
        #expect(
            wire.clientEvents.fields(of: stream) == [
                ":status": "200", "content-type": "text/plain",
            ])
        #expect(wire.clientEvents.body(of: stream) == Array("good".utf8))
        #expect(wire.serverEvents.closing(of: stream) == .noError)
        #expect(wire.clientEvents.closing(of: stream) == .noError)
        #expect(wire.client.openStreamCount == 0 && wire.server.openStreamCount == 0)
    }

    @Test func `an empty response ends with its head`() throws {
        let wire = try Wire()
        let stream = try wire.client.request(fields: requestFields())
        wire.exchange()

        wire.server.respond(to: stream, status: 404, fields: [], body: [])
        wire.exchange()

        #expect(wire.clientEvents.transcript.first?.contains("endsStream: true") == true)
    }

    @Test func `bodies larger than every window arrive both ways`() throws {
        var limits = HTTP2Limits()
        limits.streamWindowBytes = 1000
        limits.connectionWindowBytes = 65_535
        let wire = try Wire(client: limits, server: limits)
        let body = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }

        let stream = try wire.client.request(fields: requestFields("POST"), body: body)
        wire.exchange()
        wire.server.respond(to: stream, status: 200, fields: [], body: body)
        wire.exchange()

        #expect(wire.serverEvents.body(of: stream) == body)
        #expect(wire.serverEvents.ends(stream))
        #expect(wire.clientEvents.body(of: stream) == body)
        #expect(wire.clientEvents.closing(of: stream) == .noError)
    }

    @Test func `a hundred streams run at once and end in any order`() throws {
        let wire = try Wire()

        let streams = try (0..<100).map {
            try wire.client.request(fields: requestFields(path: "/\($0)"), body: [UInt8($0)])
        }
        wire.exchange()
        for stream in streams.reversed() {
            let body = wire.serverEvents.body(of: stream)
            wire.server.respond(to: stream, status: 200, fields: [], body: body)
        }
        wire.exchange()

        for (number, stream) in streams.enumerated() {
            #expect(wire.clientEvents.body(of: stream) == [UInt8(number)])
        }
        #expect(wire.server.openStreamCount == 0)
    }

    @Test(arguments: [("HEAD", 200), ("GET", 204), ("GET", 304), ("HEAD", 404)])
    func `a response that may have no body is sent without it`(method: String, status: Int) throws {
        let wire = try Wire()
        let plain = try wire.client.request(fields: requestFields(method))
        let streaming = try wire.client.request(fields: requestFields(method))
        wire.exchange()

        let length = method == "HEAD" ? [("content-length", "4")] : []
        wire.server.respond(to: plain, status: status, fields: length, body: Array("gone".utf8))
        wire.server.respond(to: streaming, status: status, fields: length) { _ in
            Issue.record("a body was asked for")
            return .failed
        }
        wire.exchange()

        for stream in [plain, streaming] {
            #expect(wire.clientEvents.fields(of: stream)?[":status"] == "\(status)")
            #expect(wire.clientEvents.body(of: stream).isEmpty)
            #expect(wire.clientEvents.closing(of: stream) == .noError)
        }
    }

    @Test(arguments: ["CONNECT", "BREW"])
    func `a method that we do not know comes through`(method: String) throws {
        let wire = try Wire()
        let fields =
            method == "CONNECT"
            ? [(":method", method), (":authority", "a.example:443")] : requestFields(method)

        let stream = try wire.client.request(fields: fields)
        wire.exchange()

        #expect(wire.serverEvents.fields(of: stream)?[":method"] == method)
    }

    @Test func `100 Continue is sent before the response and skipped by the client`() throws {
        let wire = try Wire()
        let stream = try wire.client.request(
            fields: requestFields("POST", with: [("expect", "100-continue")]), body: [1])
        wire.exchange()

        wire.server.sendContinue(to: stream)
        wire.exchange()
        wire.server.respond(to: stream, status: 201, fields: [], body: [])
        wire.exchange()

        #expect(wire.clientEvents.requestCount == 1)
        #expect(wire.clientEvents.fields(of: stream) == [":status": "201"])
    }

    @Test func `an early response cuts off the rest of the request`() throws {
        var limits = HTTP2Limits()
        limits.streamWindowBytes = 1000
        let wire = try Wire(server: limits)
        let stream = try wire.client.request(
            fields: requestFields("POST"), body: Array(repeating: 7, count: 200_000))
        wire.deliverToServer()

        wire.server.respond(to: stream, status: 413, fields: [], body: Array("too much".utf8))
        wire.exchange()

        #expect(wire.clientEvents.fields(of: stream) == [":status": "413"])
        #expect(wire.clientEvents.body(of: stream) == Array("too much".utf8))
        #expect(wire.clientEvents.closing(of: stream) == .noError)
        #expect(wire.serverEvents.body(of: stream).count < 200_000)
        #expect(wire.server.openStreamCount == 0)
    }

    @Test func `a reset by the client closes the stream and a late answer is dropped`() throws {
        let wire = try Wire()
        let stream = try wire.client.request(fields: requestFields())
        wire.exchange()

        wire.client.reset(stream, code: .cancel)
        wire.exchange()
        wire.server.respond(to: stream, status: 200, fields: [], body: [1])
        wire.server.respond(to: stream, status: 200, fields: []) { _ in .failed }
        wire.server.resume(stream)
        wire.server.reset(stream, code: .internalError)

        #expect(wire.serverEvents.closing(of: stream) == .cancel)
        #expect(!wire.server.wantsOutput)
    }

    @Test func `a reset by the server reaches the client with its code`() throws {
        let wire = try Wire()
        let stream = try wire.client.request(fields: requestFields())
        wire.exchange()

        wire.server.reset(stream, code: .enhanceYourCalm)
        wire.exchange()

        #expect(wire.clientEvents.closing(of: stream) == .enhanceYourCalm)
        #expect(wire.serverEvents.closing(of: stream) == .enhanceYourCalm)
    }

    @Test func `a head too large to send resets its stream`() throws {
        let wire = try Wire()
        let stream = try wire.client.request(fields: requestFields())
        wire.exchange()

        let long = String(repeating: "x", count: 100_000)
        wire.server.respond(to: stream, status: 200, fields: [("x", long)], body: [1])
        wire.exchange()

        #expect(wire.clientEvents.closing(of: stream) == .internalError)
    }

    @Test func `a ping is answered`() throws {
        let wire = try Wire()

        wire.client.ping()
        wire.exchange()

        #expect(wire.clientEvents.transcript == ["pingAcknowledged"])
    }

    @Test func `the client learns how many streams it may open, and queues the rest`() throws {
        var limits = HTTP2Limits()
        limits.concurrentStreamsMax = 2
        let wire = try Wire(server: limits)
        wire.exchange()

        let streams = try (0..<5).map { _ in try wire.client.request(fields: requestFields()) }
        wire.exchange()
        let atFirst = wire.serverEvents.requestCount
        for stream in streams {
            wire.server.respond(to: stream, status: 200, fields: [], body: [])
            wire.exchange()
        }

        #expect(wire.client.peerMaxConcurrentStreams == 2)
        #expect(atFirst == 2)
        #expect(wire.serverEvents.requestCount == 5)
        #expect(wire.client.openStreamCount == 0)
    }

    @Test func `the same bytes give the same events however they are cut`() throws {
        let wire = try Wire()
        for number in 0..<20 {
            let body = (0..<number * 500).map { UInt8(truncatingIfNeeded: $0) }
            let stream = try wire.client.request(
                fields: requestFields("POST", with: [("x-number", "\(number)")]), body: body)
            if number % 5 == 4 {
                wire.deliverToServer()
                wire.client.reset(stream, code: .cancel)
            }
        }
        wire.client.ping()
        wire.deliverToServer()
        let expected = wire.serverEvents.transcript
        var random = SplitMix64(state: 20_231_031)

        for _ in 0..<50 {
            let server = try HTTP2Session(.server)
            var events: [HTTP2Event] = []
            var rest = wire.sentByClient[...]
            while !rest.isEmpty {
                let piece = rest.prefix(Int.random(in: 1...3000, using: &random))
                rest = rest.dropFirst(piece.count)
                server.receive(Array(piece))
                events += server.newEvents()
            }
            try #require(events.transcript == expected)
        }
    }
}
