import HTTP2
import Testing

@Suite struct `Draining a server` {
    @Test func `lets running requests finish, and says that they are the last`() async throws {
        let (reply, end, http2, goAways) = try await TestServer.run { server in
            async let first = server.client { port in
                let client = try RawClient(port: port)
                return (try client.get("/wait"), try client.receiveToEnd())
            }
            async let second = server.client { port in
                let client = try HTTP2Client(port: port)
                let response = try client.get("/wait")
                try client.run { _ in false }
                return (response, client.goAways)
            }
            try await server.on { await $0.responder.arrived(2) }
            async let drained: Void = server.drainKeepingRequests(within: .seconds(10))
            // The drain's notice reaches the HTTP 2 client, or else its second word does.
            try await server.on { $0.responder.release() }
            await drained
            let ((reply, end), (response, goAways)) = (try await first, try await second)
            return (reply, end, response, goAways)
        }

        #expect(reply.body == "waited")
        #expect(reply.fields.contains("connection: close"))
        #expect(end == "")
        #expect(http2.body == Array("waited".utf8))
        #expect(http2.closed == .noError)
        #expect(goAways.last == 1)
    }

    @Test func `announces itself to HTTP 2 clients before it refuses what is on its way`()
        async throws
    {
        let (goAways, late) = try await TestServer.run { server in
            async let client = server.client { port in
                let client = try HTTP2Client(port: port)
                let waiting = try client.request("GET", "/wait")
                try client.run { !$0.goAways.isEmpty }
                // The last stream that may be answered is now told; what was sent before is taken.
                _ = try client.response(to: waiting)
                try client.run { _ in false }
                return (client.goAways, client.streams[waiting]?.status)
            }
            try await server.on { await $0.responder.arrived(1) }
            async let drained: Void = server.drainKeepingRequests(within: .seconds(10))
            try await server.on { inside in
                // Two turns: the first may come before the drain's.
                await Task.yield()
                inside.responder.release()
            }
            await drained
            return try await client
        }

        #expect(goAways == [.max, 1])
        #expect(late == 200)
    }

    @Test func `cuts off what has not finished in time`() async throws {
        let (text, ends) = try await TestServer.run { server in
            async let text = server.client { port in
                let client = try RawClient(port: port)
                try client.send("GET /silent HTTP/1.1\r\nhost: t\r\n\r\n")
                return try client.receiveToEnd()
            }
            try await server.on { await $0.responder.arrived(1) }
            await server.drain(within: .milliseconds(50))
            return (try await text, try await server.on { $0.responder.streams.map(\.endCount) })
        }

        #expect(!text.hasSuffix("0\r\n\r\n"))
        #expect(ends == [1])
    }

    @Test func `closes idle connections at once and takes no new ones`() async throws {
        let (end, refusal) = try await TestServer.run { server in
            let kept = try await server.client { port in
                let client = try RawClient(port: port)
                _ = try client.get("/hello")
                return Kept(client)
            }
            async let drained: Void = server.drain(within: .seconds(10))
            let end = try await server.client { _ in try kept.client?.receiveToEnd() }
            kept.drop()
            await drained
            let refusal = await #expect(throws: RawClient.Failure.self) {
                try await server.client { port in _ = try RawClient(port: port) }
            }
            return (end, refusal)
        }

        #expect(end == "")
        #expect(refusal != nil)
    }

    @Test func `with nobody there is done at once`() async throws {
        try await TestServer.run { server in await server.drain(within: .seconds(3_600)) }
    }
}
