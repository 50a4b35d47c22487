import HTTP2
import Testing

@Suite struct `Streamed responses` {
    private static let get = "GET /endless HTTP/1.1\r\nhost: t\r\n\r\n"

    @Test func `a finite one arrives whole, by HTTP 1 and HTTP 2`() async throws {
        let (first, second, ends) = try await TestServer.run { server in
            let bodies = try await server.client { port in
                let client = try RawClient(port: port)
                try client.send("GET /finite/300000 HTTP/1.1\r\nhost: t\r\n\r\n")
                let text = try client.receive(through: "\r\n0\r\n\r\n")
                let second = try HTTP2Client(port: port).get("/finite/300000")
                return (text.utf8.count { $0 == UInt8(ascii: "#") }, second)
            }
            return (
                bodies.0, bodies.1, try await server.on { $0.responder.streams.map(\.endCount) }
            )
        }

        #expect(first == 300_000)
        #expect(second.body.count == 300_000)
        #expect(second.closed == .noError)
        #expect(ends == [1, 1])
    }

    @Test func `a half-closed client still gets a finite one whole`() async throws {
        let count = try await TestServer.run { server in
            try await server.client { port in
                let client = try RawClient(port: port, receiveBufferBytes: 4_096)
                try client.send("GET /finite/1000000 HTTP/1.1\r\nhost: t\r\n\r\n")
                try client.finishSending()
                let text = try client.receiveToEnd()
                #expect(text.hasSuffix("\r\n0\r\n\r\n"))
                return text.utf8.count { $0 == UInt8(ascii: "#") }
            }
        }

        #expect(count == 1_000_000)
    }

    /// What one reader leaves lying is held in socket buffers and in one outbox, and no more is
    /// taken from the source.
    @Test func `a reader that takes nothing holds back only itself`() async throws {
        let (reply, taken, ends) = try await TestServer.run { server in
            let slow = try await server.client { port in
                let slow = try RawClient(port: port, receiveBufferBytes: 4_096)
                try slow.send(Self.get)
                _ = try slow.receive(through: "\r\n\r\n")
                return Kept(slow)
            }
            let reply = try await server.client { port in
                // By the time of the last answer the stream has filled what it could.
                let quick = try RawClient(port: port)
                for _ in 0..<100 { _ = try quick.get("/hello") }
                return try quick.get("/hello")
            }
            let (taken, ends) = try await server.on { inside in
                (
                    inside.responder.streams.map(\.bytesTaken),
                    inside.responder.streams.map(\.endCount)
                )
            }
            slow.drop()
            return (reply, taken, ends)
        }

        #expect(reply.status == 200)
        #expect(taken.count == 1)
        #expect(taken[0] < 512 * 1024)
        #expect(ends == [0])
    }

    @Test func `a closed HTTP 2 window holds back the stream, not its neighbours`() async throws {
        let (reply, taken) = try await TestServer.run { server in
            let reply = try await server.client { port in
                let client = try HTTP2Client(port: port)
                let endless = try client.request("GET", "/endless")
                // The client's session opens its windows as it reads; this one reads only the head.
                try client.run { $0.streams[endless]?.status != nil }
                return try HTTP2Client(port: port).get("/hello")
            }
            let taken = try await server.on { inside in
                await inside.responder.streams[0].ended()
                return inside.responder.streams[0].bytesTaken
            }
            return (reply, taken)
        }

        #expect(reply.status == 200)
        #expect(taken < 16 * 1024 * 1024)
    }

    @Test(arguments: ["/endless", "/silent"])
    func `a client that leaves ends the stream, once`(path: String) async throws {
        let (ends, begins) = try await TestServer.run { server in
            try await server.client { port in
                let client = try RawClient(port: port)
                try client.send("GET \(path) HTTP/1.1\r\nhost: t\r\n\r\n")
                _ = try client.receive(through: "\r\n\r\n")
            }
            return try await server.on { inside in
                await inside.responder.streams[0].ended()
                await inside.observed.becomes { $0.closed == 1 }
                let stream = inside.responder.streams[0]
                return (stream.endCount, stream.beginCount)
            }
        }

        #expect(ends == 1)
        #expect(begins == 1)
    }

    @Test func `a half-close ends a stream that never would end`() async throws {
        let text = try await TestServer.run { server in
            try await server.client { port in
                let client = try RawClient(port: port)
                try client.send("GET /silent HTTP/1.1\r\nhost: t\r\n\r\n")
                _ = try client.receive(through: "\r\n\r\n")
                try client.finishSending()
                return try client.receiveToEnd()
            }
        }

        #expect(text == "")
    }

    @Test func `a reset of its HTTP 2 stream ends it, and the connection goes on`() async throws {
        let (reply, ends) = try await TestServer.run { server in
            let reply = try await server.client { port in
                let client = try HTTP2Client(port: port)
                let silent = try client.request("GET", "/silent")
                try client.run { $0.streams[silent]?.status != nil }
                client.session.reset(silent, code: .cancel)
                return try client.get("/hello")
            }
            let ends = try await server.on { inside in
                await inside.responder.streams[0].ended()
                return inside.responder.streams[0].endCount
            }
            return (reply, ends)
        }

        #expect(reply.status == 200)
        #expect(ends == 1)
    }

    @Test func `one that fails is not taken for whole`() async throws {
        let (first, second) = try await TestServer.run { server in
            try await server.client { port in
                let client = try RawClient(port: port)
                try client.send("GET /broken HTTP/1.1\r\nhost: t\r\n\r\n")
                return (try client.receiveToEnd(), try HTTP2Client(port: port).get("/broken"))
            }
        }

        #expect(!first.hasSuffix("0\r\n\r\n"))
        #expect(second.closed == .internalError)
    }

    @Test func `one that aborts its reader is broken off`() async throws {
        let (first, second) = try await TestServer.run { server in
            async let http1 = server.client { port in
                let client = try RawClient(port: port)
                try client.send("GET /silent HTTP/1.1\r\nhost: t\r\n\r\n")
                return try client.receiveToEnd()
            }
            async let http2 = server.client { port in
                try HTTP2Client(port: port).get("/silent")
            }
            try await server.on { inside in
                await inside.responder.arrived(2)
                // The responses are begun in the jobs after the handlers' ends.
                while inside.responder.streams.contains(where: { $0.abort == nil }) {
                    await Task.yield()
                }
                for stream in inside.responder.streams { stream.abort?() }
            }
            return (try await http1, try await http2)
        }

        #expect(first.contains("transfer-encoding: chunked"))
        #expect(!first.hasSuffix("0\r\n\r\n"))
        #expect(second.closed == .cancel)
    }

    @Test func `a client that keeps talking to a live stream is closed without a second answer`()
        async throws
    {
        let (text, reply) = try await TestServer.run { server in
            try await server.client { port in
                let client = try RawClient(port: port)
                try client.send("GET /silent HTTP/1.1\r\nhost: t\r\n\r\n")
                _ = try client.receive(through: "\r\n\r\n")
                let noise = [UInt8](repeating: UInt8(ascii: "x"), count: 64 * 1024)
                do {
                    for _ in 0..<64 { try client.send(noise) }
                } catch is RawClient.Failure {
                    // The server may close before it has read all.
                }
                let text = (try? client.receiveToEnd()) ?? ""
                return (text, try RawClient(port: port).get("/hello"))
            }
        }

        #expect(text == "")
        #expect(reply.status == 200)
    }
}
