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
        #expect(goAways.first == .max)
    }

    @Test func `announces itself to HTTP 2 clients, and refuses more once they know`()
        async throws
    {
        let (goAways, response) = try await TestServer.run { server in
            let kept = try await server.client { port in
                let client = try HTTP2Client(port: port)
                return Kept((client, try client.request("GET", "/wait")))
            }
            try await server.on { await $0.responder.arrived(1) }
            async let drained: Void = server.drainKeepingRequests(within: .seconds(10))
            let goAways = try await server.client { _ in
                guard let (client, _) = kept.client else { return [Int32]() }
                try client.run { $0.goAways.count == 2 }
                return client.goAways
            }
            try await server.on { $0.responder.release() }
            let response = try await server.client { _ in
                try kept.client.map { client, waiting in try client.response(to: waiting) }
            }
            kept.drop()
            await drained
            return (goAways, response)
        }

        #expect(goAways == [.max, 1])
        #expect(response?.body == Array("waited".utf8))
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
