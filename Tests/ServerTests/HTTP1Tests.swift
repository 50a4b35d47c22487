import Testing

@Suite struct `Connections in HTTP 1` {
    @Test(
        arguments: [
            "Mueller-Anna-1985", "0123456789abcde", "0123456789abcdef_", "",
            String(repeating: "0", count: 65),
        ])
    func `take no request id that has room for a name`(given: String) async throws {
        let reply = try await TestServer.run { server in
            try await server.client { port in
                let client = try RawClient(port: port)
                try client.send(
                    "GET /hello HTTP/1.1\r\nhost: test\r\nx-request-id: \(given)\r\n\r\n")
                return try client.receiveReply()
            }
        }

        #expect(reply.status == 200)
        #expect(!reply.fields.contains("x-request-id: \(given)"))
        #expect(reply.fields.contains { $0.hasPrefix("x-request-id: ") })
    }

    @Test(arguments: ["0123456789abcdef", "01A2B3C4-9000-7000-8000-00000000000f"])
    func `stay open from request to request, and carry date and request id`(id: String)
        async throws
    {
        let replies = try await TestServer.run { server in
            try await server.client { port in
                let client = try RawClient(port: port)
                return [
                    try client.get("/hello"),
                    try {
                        try client.send(
                            "POST /echo HTTP/1.1\r\nhost: test\r\nx-request-id: \(id)\r\n"
                                + "content-length: 4\r\n\r\nbody")
                        return try client.receiveReply()
                    }(),
                    try client.get("/nowhere"),
                ]
            }
        }

        #expect(replies.map(\.status) == [200, 200, 404])
        #expect(replies.map(\.body) == ["hello", "body", ""])
        #expect(replies[1].fields.contains("x-request-id: \(id)"))
        #expect(replies.allSatisfy { $0.fields.contains { $0.hasPrefix("date: ") } })
    }

    @Test func `eight pipelined requests are answered in order, each after the one before`()
        async throws
    {
        let (bodies, paths) = try await TestServer.run { server in
            let bodies = try await server.client { port in
                let client = try RawClient(port: port)
                try client.send(
                    (1...8).map {
                        "POST /echo HTTP/1.1\r\nhost: t\r\ncontent-length: 1\r\n\r\n\($0)"
                    }
                    .joined())
                return try (1...8).map { _ in try client.receiveReply().body }
            }
            return (bodies, try await server.on { $0.responder.paths.count })
        }

        #expect(bodies == (1...8).map(String.init))
        #expect(paths == 8)
    }

    @Test func `requests sent before the client's end are all answered`() async throws {
        let text = try await TestServer.run { server in
            try await server.client { port in
                let client = try RawClient(port: port)
                try client.send(
                    String(repeating: "GET /hello HTTP/1.1\r\nhost: t\r\n\r\n", count: 8))
                try client.finishSending()
                return try client.receiveToEnd()
            }
        }

        #expect(text.components(separatedBy: "HTTP/1.1 200 OK").count == 9)
    }

    @Test func `a refusal reaches a client that has finished sending`() async throws {
        let text = try await TestServer.run { server in
            try await server.client { port in
                let client = try RawClient(port: port)
                try client.send("GET /%zz HTTP/1.1\r\nhost: t\r\n\r\n")
                try client.finishSending()
                return try client.receiveToEnd()
            }
        }

        #expect(text.hasPrefix("HTTP/1.1 400"))
    }

    @Test func `a request that comes byte by byte is understood`() async throws {
        let body = try await TestServer.run { server in
            try await server.client { port in
                let client = try RawClient(port: port)
                for byte in "POST /echo HTTP/1.1\r\nhost: t\r\ncontent-length: 2\r\n\r\nab".utf8 {
                    try client.send([byte])
                }
                return try client.receiveReply().body
            }
        }

        #expect(body == "ab")
    }

    @Test func `a chunked body arrives whole`() async throws {
        let body = try await TestServer.run { server in
            try await server.client { port in
                let client = try RawClient(port: port)
                try client.send(
                    "POST /echo HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n"
                        + "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
                return try client.receiveReply().body
            }
        }

        #expect(body == "abcde")
    }

    @Test
    func `who expects 100 is told to continue, and is refused before the body if it is too large`()
        async throws
    {
        let (interim, answered, refused, end) = try await TestServer.run(
            limits: { $0.bodyBytesMax = 1_000 }
        ) { server in
            try await server.client { port in
                let client = try RawClient(port: port)
                let head = "POST /echo HTTP/1.1\r\nhost: t\r\nexpect: 100-continue\r\n"
                try client.send(head + "content-length: 2\r\n\r\n")
                let interim = try client.receive(through: "\r\n\r\n")
                try client.send("ok")
                let answered = try client.receiveReply()
                try client.send(head + "content-length: 1001\r\n\r\n")
                let refused = try client.receiveReply()
                return (interim, answered, refused, try client.receiveToEnd())
            }
        }

        #expect(interim == "HTTP/1.1 100 Continue\r\n\r\n")
        #expect(answered.body == "ok")
        #expect(refused.status == 413)
        #expect(end == "")
    }

    @Test func `HEAD has the head of GET and no body, of a stream too`() async throws {
        let (fixed, streamed, next, streams) = try await TestServer.run { server in
            let replies = try await server.client { port in
                let client = try RawClient(port: port)
                try client.send("HEAD /hello HTTP/1.1\r\nhost: t\r\n\r\n")
                let fixed = try client.receiveReply(toHead: true)
                try client.send("HEAD /endless HTTP/1.1\r\nhost: t\r\n\r\n")
                let streamed = try client.receiveReply(toHead: true)
                return (fixed, streamed, try client.get("/hello"))
            }
            let streams = try await server.on {
                $0.responder.streams.map { [$0.beginCount, $0.endCount] }
            }
            return (replies.0, replies.1, replies.2, streams)
        }

        #expect(fixed.fields.contains("content-length: 5"))
        #expect(streamed.status == 200)
        #expect(next.body == "hello")
        #expect(streams == [[0, 1]])
    }

    @Test func `a client of version zero is answered and closed`() async throws {
        let text = try await TestServer.run { server in
            try await server.client { port in
                let client = try RawClient(port: port)
                try client.send("GET /hello HTTP/1.0\r\n\r\n")
                return try client.receiveToEnd()
            }
        }

        #expect(text.hasSuffix("\r\n\r\nhello"))
    }

    @Test(arguments: [
        ("GET /hello HTTP/1.1\r\nhost: t\r\nbad header\r\n\r\n", 400),
        ("GET /hello HTTP/3.0\r\nhost: t\r\n\r\n", 505),
        ("POST /echo HTTP/1.1\r\nhost: t\r\ntransfer-encoding: gzip, chunked\r\n\r\n", 501),
        ("POST /echo HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n", 400),
    ])
    func `a request that cannot be read gets a problem and the end`(text: String, status: Int)
        async throws
    {
        let (reply, end) = try await TestServer.run { server in
            try await server.client { port in
                let client = try RawClient(port: port)
                try client.send(text)
                return (try client.receiveReply(), try client.receiveToEnd())
            }
        }

        #expect(reply.status == status)
        #expect(reply.fields.contains("content-type: application/problem+json"))
        #expect(end == "")
    }

    @Test func `what cannot be HTTP is closed without an answer`() async throws {
        let text = try await TestServer.run { server in
            try await server.client { port in
                let client = try RawClient(port: port)
                try client.send([0x16, 3, 1, 0, 5])
                return try client.receiveToEnd()
            }
        }

        #expect(text == "")
    }
}

extension String {
    fileprivate func components(separatedBy text: String) -> [Substring] {
        split(separator: text, omittingEmptySubsequences: false)
    }
}
