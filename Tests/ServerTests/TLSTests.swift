import Testing

@Suite struct `Connections by TLS` {
    @Test(arguments: [
        (["h2"], "h2"), (["http/1.1"], "http/1.1"), (["h2", "http/1.1"], "h2"), ([], nil),
    ])
    func `speak what was agreed on, HTTP 1 when nothing was`(offer: [String], agreed: String?)
        async throws
    {
        let certificate = try TestCertificate.shared.get()
        let (negotiated, body) = try await TestServer.run(tls: certificate.server) { server in
            try await server.client { port in
                let context = try certificate.client(offering: offer)
                guard agreed == "h2" else {
                    let client = try RawClient(port: port, tls: context)
                    return (client.negotiatedProtocol, try client.get("/hello").body)
                }
                let client = try HTTP2Client(port: port, tls: context)
                let body = try client.get("/hello").body
                return (client.raw.negotiatedProtocol, String(decoding: body, as: UTF8.self))
            }
        }

        #expect(negotiated == agreed)
        #expect(body == "hello")
    }

    @Test func `without ALPN, HTTP 2 is known by its preface`() async throws {
        let certificate = try TestCertificate.shared.get()
        let status = try await TestServer.run(tls: certificate.server) { server in
            try await server.client { port in
                try HTTP2Client(port: port, tls: certificate.client(offering: []))
                    .get("/hello").status
            }
        }

        #expect(status == 200)
    }

    @Test func `plain HTTP to the port gets a 400 in the clear, and nothing else`() async throws {
        let certificate = try TestCertificate.shared.get()
        let (reply, end) = try await TestServer.run(tls: certificate.server) { server in
            try await server.client { port in
                let client = try RawClient(port: port)
                try client.send("GET /hello HTTP/1.1\r\nhost: t\r\n\r\n")
                return (try client.receiveReply(), try client.receiveToEnd())
            }
        }

        #expect(reply.status == 400)
        #expect(reply.body.contains("connection.tls-required"))
        #expect(end == "")
    }

    @Test func `large bodies go both ways, and a stream too`() async throws {
        let certificate = try TestCertificate.shared.get()
        let (echoed, streamed) = try await TestServer.run(tls: certificate.server) { server in
            try await server.client { port in
                let context = try certificate.client(offering: ["h2"])
                let client = try HTTP2Client(port: port, tls: context)
                let body = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0) }
                let echo = try client.response(to: client.request("POST", "/echo", body: body))
                return (echo.body == body, try client.get("/finite/1000000").body.count)
            }
        }

        #expect(echoed)
        #expect(streamed == 1_000_000)
    }

    @Test(arguments: [("/hello", "200"), ("/%zz", "400")])
    func `requests followed by close_notify at once are all answered`(
        path: String, status: String
    ) async throws {
        let certificate = try TestCertificate.shared.get()
        let text = try await TestServer.run(tls: certificate.server) { server in
            try await server.client { port in
                let client = try RawClient(port: port, tls: certificate.client(offering: []))
                try client.sendLast(
                    String(repeating: "GET \(path) HTTP/1.1\r\nhost: t\r\n\r\n", count: 8))
                return try client.receiveToEnd()
            }
        }

        #expect(text.split(separator: "HTTP/1.1 \(status)").count == 8)
    }

    @Test func `a handshake that is broken off is observed and closed`() async throws {
        let certificate = try TestCertificate.shared.get()
        let (failures, closed) = try await TestServer.run(tls: certificate.server) { server in
            try await server.client { port in
                let client = try RawClient(port: port)
                try client.send([0x16, 3, 1, 0, 4, 9, 9, 9, 9])
                _ = try client.receiveToEnd()
            }
            return try await server.on { inside in
                await inside.observed.becomes { $0.closed == 1 }
                return (inside.observed.failures.count, inside.observed.closed)
            }
        }

        #expect(failures == 1)
        #expect(closed == 1)
    }
}
