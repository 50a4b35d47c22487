import HTTP2
import Testing

@Suite struct `Limits of a connection` {
    @Test func `a head over the limit is answered with 431 and the end`() async throws {
        let (reply, end) = try await TestServer.run { server in
            try await server.client { port in
                let client = try RawClient(port: port)
                try client.send(
                    "GET /hello HTTP/1.1\r\nhost: t\r\nx: " + String(repeating: "a", count: 40_000))
                return (try client.receiveReply(), try client.receiveToEnd())
            }
        }

        #expect(reply.status == 431)
        #expect(end == "")
    }

    @Test func `a chunked body over the limit is answered with 413, however it goes on`()
        async throws
    {
        let (reply, end, next) = try await TestServer.run(
            limits: { $0.bodyBytesMax = 100_000 }
        ) { server in
            try await server.client { port in
                let client = try RawClient(port: port)
                try client.send(
                    "POST /size HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n"
                        + "40000\r\n")
                // Enough to fill several reads, then what is no chunk.
                try client.send([UInt8](repeating: 1, count: 0x40000))
                try client.send("\r\nno chunk\r\n" + String(repeating: "x", count: 200_000))
                let reply = try client.receiveReply()
                return (reply, try client.receiveToEnd(), try RawClient(port: port).get("/hello"))
            }
        }

        #expect(reply.status == 413)
        #expect(end == "")
        #expect(next.status == 200)
    }

    @Test func `bodies of all connections that are too many together are refused with 503`()
        async throws
    {
        let (refused, completed, next) = try await TestServer.run(
            limits: { $0.loopBodyBytesMax = 50_000 }
        ) { server in
            try await server.client { port in
                func head(_ length: Int) -> String {
                    "POST /size HTTP/1.1\r\nhost: t\r\ncontent-length: \(length)\r\n\r\n"
                }
                let slow = try RawClient(port: port)
                try slow.send(head(45_000))
                try slow.send([UInt8](repeating: 1, count: 40_000))
                // Once this is answered, what came before it has been read.
                _ = try RawClient(port: port).get("/hello")
                let other = try RawClient(port: port)
                try other.send(head(20_000))
                try other.send([UInt8](repeating: 1, count: 20_000))
                let refused = try other.receiveReply()
                do {
                    let gone = try RawClient(port: port)
                    try gone.send(head(20_000))
                    try gone.send([UInt8](repeating: 1, count: 5_000))
                }
                try slow.send([UInt8](repeating: 1, count: 5_000))
                let completed = try slow.receiveReply()
                _ = try RawClient(port: port).get("/hello")
                let later = try RawClient(port: port)
                try later.send(head(46_000))
                try later.send([UInt8](repeating: 1, count: 46_000))
                return (refused, completed, try later.receiveReply())
            }
        }

        #expect(refused.status == 503)
        #expect(completed.status == 200)
        // What whoever is gone had sent counts no longer.
        #expect(next.status == 200)
    }

    @Test func `connections over the limit are closed at once, and later ones taken again`()
        async throws
    {
        let (end, refused, reply) = try await TestServer.run(
            limits: { $0.connectionsMax = 2 }
        ) { server in
            let end = try await server.client { port in
                let first = try RawClient(port: port)
                let second = try RawClient(port: port)
                _ = (try first.get("/hello"), try second.get("/hello"))
                return try RawClient(port: port).receiveToEnd()
            }
            let refused = try await server.on { inside in
                await inside.observed.becomes { $0.closed == 2 }
                return inside.observed.refused
            }
            let reply = try await server.client { port in try RawClient(port: port).get("/hello") }
            return (end, refused, reply)
        }

        #expect(end == "")
        #expect(refused == 1)
        #expect(reply.status == 200)
    }

    @Test(arguments: ["", "GET /hel", "GET /hello HTTP/1.1\r\nhost: t\r\n", "PRI * HT"])
    func `a head that does not come in time ends the connection`(begun: String) async throws {
        let text = try await TestServer.run(
            limits: { $0.headTimeMax = .milliseconds(100) }
        ) { server in
            try await server.client { port in
                let client = try RawClient(port: port)
                if !begun.isEmpty { try client.send(begun) }
                return try client.receiveToEnd()
            }
        }

        // Who has said nothing, or nothing that is HTTP 1 for certain, is told nothing.
        #expect(begun.hasPrefix("GET") ? text.hasPrefix("HTTP/1.1 408") : text.isEmpty)
    }

    @Test func `a body that does not come in time is answered with 408`() async throws {
        let text = try await TestServer.run(
            limits: { $0.bodyTimeMax = .milliseconds(100) }
        ) { server in
            try await server.client { port in
                let client = try RawClient(port: port)
                try client.send("POST /echo HTTP/1.1\r\nhost: t\r\ncontent-length: 5\r\n\r\nab")
                return try client.receiveToEnd()
            }
        }

        #expect(text.hasPrefix("HTTP/1.1 408"))
    }

    @Test func `an idle connection is closed, HTTP 2 with a GOAWAY`() async throws {
        let (text, goAways) = try await TestServer.run(
            limits: { $0.idleTimeMax = .milliseconds(100) }
        ) { server in
            try await server.client { port in
                let first = try RawClient(port: port)
                _ = try first.get("/hello")
                let second = try HTTP2Client(port: port)
                _ = try second.get("/hello")
                try second.run { _ in false }
                return (try first.receiveToEnd(), second.goAways)
            }
        }

        #expect(text == "")
        #expect(goAways == [1])
    }

    @Test func `a connection whose handler or stream runs is not idle`() async throws {
        let (waited, ends) = try await TestServer.run(
            limits: { $0.idleTimeMax = .milliseconds(100) }
        ) { server in
            async let waited = server.client { port in try RawClient(port: port).get("/wait") }
            let kept = try await server.client { port in
                let streaming = try RawClient(port: port)
                try streaming.send("GET /silent HTTP/1.1\r\nhost: t\r\n\r\n")
                _ = try streaming.receive(through: "\r\n\r\n")
                // By the end of an idle one, opened later, they had their chance to be closed.
                let idle = try RawClient(port: port)
                _ = try idle.get("/hello")
                _ = try idle.receiveToEnd()
                return Kept(streaming)
            }
            let ends = try await server.on { inside in
                inside.responder.release()
                return inside.responder.streams.map(\.endCount)
            }
            kept.drop()
            return (try await waited, ends)
        }

        #expect(waited.body == "waited")
        #expect(ends == [0])
    }

    @Test func `a reader that takes nothing for too long is cut off`() async throws {
        let (failures, ends) = try await TestServer.run(
            limits: { $0.stallTimeMax = .milliseconds(500) }
        ) { server in
            let kept = try await server.client { port in
                let client = try RawClient(port: port, receiveBufferBytes: 4_096)
                try client.send("GET /endless HTTP/1.1\r\nhost: t\r\n\r\n")
                return Kept(client)
            }
            let outcome = try await server.on { inside in
                await inside.observed.becomes { $0.closed == 1 }
                return (inside.observed.failures, inside.responder.streams.map(\.endCount))
            }
            kept.drop()
            return outcome
        }

        #expect(failures.count == 1)
        #expect(ends == [1])
    }

    @Test func `a client that opens no HTTP 2 window for too long is cut off`() async throws {
        let failures = try await TestServer.run(
            limits: { $0.stallTimeMax = .milliseconds(500) }
        ) { server in
            try await server.client { port in
                var limits = HTTP2Limits()
                limits.streamWindowBytes = 0
                let client = try HTTP2Client(port: port, limits: limits)
                _ = try client.request("GET", "/bytes/1000")
                try client.run { _ in false }
            }
            return try await server.on { $0.observed.failures }
        }

        #expect(failures.count == 1)
    }

    @Test func `more requests ahead than are kept wait in the socket`() async throws {
        let count = try await TestServer.run { server in
            try await server.client { port in
                let client = try RawClient(port: port)
                let request =
                    "GET /hello HTTP/1.1\r\nhost: t\r\nx: "
                    + String(repeating: "a", count: 8_000) + "\r\n\r\n"
                // Some 800 KB, more than the session keeps ahead of a response.
                try client.send(String(repeating: request, count: 100))
                return try (0..<100).filter { _ in try client.receiveReply().status == 200 }.count
            }
        }

        #expect(count == 100)
    }
}
