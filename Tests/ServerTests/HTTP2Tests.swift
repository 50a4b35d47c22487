import HTTP2
import Testing

@Suite struct `Connections in HTTP 2` {
    @Test func `share a listener with HTTP 1`() async throws {
        let (first, second) = try await TestServer.run { server in
            try await server.client { port in
                (try RawClient(port: port).get("/hello"), try HTTP2Client(port: port).get("/hello"))
            }
        }

        #expect(first.body == "hello")
        #expect(second.body == Array("hello".utf8))
        #expect(second.fields.contains { $0 == ("content-length", "5") })
    }

    @Test func `a hundred streams at once are each answered with their own body`() async throws {
        let bodies = try await TestServer.run { server in
            try await server.client { port in
                let client = try HTTP2Client(port: port)
                let streams = try (0..<100).map {
                    try client.request("POST", "/echo", body: Array("body \($0)".utf8))
                }
                return try streams.map {
                    String(decoding: try client.response(to: $0).body, as: UTF8.self)
                }
            }
        }

        #expect(bodies == (0..<100).map { "body \($0)" })
    }

    @Test func `HEAD has no body, of a stream neither, whose source is ended`() async throws {
        let (fixed, streamed, ends) = try await TestServer.run { server in
            let (fixed, streamed) = try await server.client { port in
                let client = try HTTP2Client(port: port)
                return (
                    try client.response(to: client.request("HEAD", "/hello")),
                    try client.response(to: client.request("HEAD", "/endless"))
                )
            }
            return (fixed, streamed, try await server.on { $0.responder.streams.map(\.endCount) })
        }

        #expect(fixed.status == 200)
        #expect(fixed.body == [])
        #expect(streamed.status == 200)
        #expect(streamed.body == [])
        #expect(ends == [1])
    }

    @Test func `a request whose client has reset it is answered to nobody`() async throws {
        let reply = try await TestServer.run { server in
            async let reply = server.client { port in
                let client = try HTTP2Client(port: port)
                let waiting = try client.request("GET", "/wait")
                client.session.reset(waiting, code: .cancel)
                // Answered on the same connection, so the reset has been read.
                _ = try client.get("/hello")
                let released = try client.request("GET", "/wait")
                return try client.response(to: released)
            }
            try await server.on { inside in
                await inside.responder.arrived(3)
                inside.responder.release()
            }
            return try await reply
        }

        #expect(reply.body == Array("waited".utf8))
    }

    @Test func `a body over the limit is refused, and the connection goes on`() async throws {
        let (announced, unannounced, next) = try await TestServer.run(
            limits: { $0.bodyBytesMax = 100_000 }
        ) { server in
            try await server.client { port in
                let client = try HTTP2Client(port: port)
                let body = [UInt8](repeating: 1, count: 200_000)
                let announced = try client.request(
                    "POST", "/size", fields: [("content-length", "200000")], body: body)
                let first = try client.response(to: announced)
                let second = try client.response(to: client.request("POST", "/size", body: body))
                return (first, second, try client.get("/hello"))
            }
        }

        #expect(announced.status == 413)
        #expect(unannounced.status == 413)
        #expect(next.status == 200)
    }

    @Test func `bodies that are too many together are refused with 503`() async throws {
        let statuses = try await TestServer.run(
            limits: {
                $0.bodyBytesMax = 60_000
                $0.connectionBodyBytesMax = 100_000
            }
        ) { server in
            try await server.client { port in
                let client = try HTTP2Client(port: port)
                try client.run { $0.session.peerMaxConcurrentStreams == 128 }
                // The client's session sends its bodies by turns, a frame of each.
                let streams = try (0..<3).map { _ in
                    try client.session.request(
                        fields: [
                            (":method", "POST"), (":scheme", "http"), (":authority", "test"),
                            (":path", "/size"),
                        ], body: [UInt8](repeating: 1, count: 50_000))
                }
                return try streams.map { try client.response(to: $0).status }
            }
        }

        #expect(statuses.contains(503))
        #expect(statuses.contains(200))
    }

    @Test func `a head over the limit is answered with 431, and the connection goes on`()
        async throws
    {
        let (large, next) = try await TestServer.run { server in
            try await server.client { port in
                let client = try HTTP2Client(port: port)
                let large = try client.request(
                    "GET", "/hello", fields: [("x-large", String(repeating: "a", count: 33_000))])
                return (try client.response(to: large), try client.get("/hello"))
            }
        }

        #expect(large.status == 431)
        #expect(next.status == 200)
    }

    @Test func `a client that downloads much is not taken for one that floods`() async throws {
        let (count, failures) = try await TestServer.run(
            limits: { $0.controlFramesPerSecondMax = 10 }
        ) { server in
            let count = try await server.client { port in
                // Small windows bring an update for every few frames.
                var limits = HTTP2Limits()
                limits.streamWindowBytes = 65_535
                limits.connectionWindowBytes = 65_535
                let client = try HTTP2Client(port: port, limits: limits)
                let clock = ContinuousClock()
                let start = clock.now
                var count = 0
                // The server looks once a second.
                while clock.now - start < .milliseconds(1_500) {
                    let response = try client.get("/bytes/4000000")
                    guard response.status == 200 else { break }
                    count += response.body.count
                }
                return count
            }
            return (count, try await server.on { $0.observed.failures })
        }

        #expect(count >= 4_000_000)
        #expect(failures == [])
    }

    @Test func `a client that floods is told to calm down`() async throws {
        let (goAways, failures) = try await TestServer.run(
            limits: { $0.controlFramesPerSecondMax = 100 }
        ) { server in
            let goAways = try await server.client { port in
                let client = try HTTP2Client(port: port)
                try client.run { $0.session.peerMaxConcurrentStreams == 128 }
                while !client.raw.isAtEnd, client.goAways.isEmpty {
                    for _ in 0..<50 { client.session.ping() }
                    let sent = client.pings + 50
                    try client.run { $0.pings >= sent || !$0.goAways.isEmpty }
                }
                return client.goAways
            }
            return (goAways, try await server.on { $0.observed.failures })
        }

        #expect(!goAways.isEmpty)
        #expect(failures.count == 1)
    }

    @Test func `a breach of the protocol is observed, once`() async throws {
        let failures = try await TestServer.run { server in
            try await server.client { port in
                let client = try HTTP2Client(port: port)
                _ = try client.get("/hello")
                // DATA on stream 0.
                try client.raw.send([0, 0, 0, 0, 0, 0, 0, 0, 0])
                try client.run { _ in false }
            }
            return try await server.on { inside in
                await inside.observed.becomes { $0.closed == 1 }
                return inside.observed.failures
            }
        }

        #expect(failures.count == 1)
        #expect(failures[0].contains("PROTOCOL_ERROR"))
    }
}
