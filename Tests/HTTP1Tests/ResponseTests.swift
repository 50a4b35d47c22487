import HTTP1
import Testing

@Suite struct `Encoding responses` {
    private func session(
        _ method: String = "GET", version: String = "1.1", connection: String? = nil
    ) throws -> HTTP1Session {
        let session = HTTP1Session()
        let option = connection.map { "Connection: \($0)\r\n" } ?? ""
        let events = try session.receive("\(method) / HTTP/\(version)\r\nHost: a\r\n\(option)\r\n")
        #expect(events.endRequest)
        return session
    }

    @Test func `a response has the caller's fields and its length`() throws {
        let session = try session()

        let text = session.response(
            status: 201, fields: [("content-type", "text/plain"), ("x-a", "b")], body: "hello")

        #expect(
            text == "HTTP/1.1 201 Created\r\ncontent-type: text/plain\r\nx-a: b\r\n"
                + "content-length: 5\r\n\r\nhello")
        #expect(session.keepsAlive)
    }

    @Test func `an unregistered status has an empty reason`() throws {
        #expect(
            try session().response(status: 299) == "HTTP/1.1 299 \r\ncontent-length: 0\r\n\r\n")
    }

    @Test(
        arguments: [
            ("1.1", nil, nil, true),
            ("1.1", "close", "close", false),
            ("1.1", "x, CLOSE", "close", false),
            ("1.1", "closed", nil, true),
            ("1.0", nil, "close", false),
            ("1.0", "Keep-Alive", "keep-alive", true),
            ("1.0", "keep-alive, close", "close", false),
        ] as [(String, String?, String?, Bool)])
    func `the connection is kept as version and peer say`(
        _ version: String, connection: String?, answer: String?, keepsAlive: Bool
    ) throws {
        let session = try session(version: version, connection: connection)

        let text = session.response(status: 200)

        let field = answer.map { "connection: \($0)\r\n" } ?? ""
        #expect(text == "HTTP/1.1 200 OK\r\n\(field)content-length: 0\r\n\r\n")
        #expect(session.keepsAlive == keepsAlive)
        #expect(try session.resumeAfterResponse().isEmpty)
        #expect(session.wantsInput == keepsAlive)
        #expect(session.isIdle == keepsAlive)
    }

    @Test func `a response to HEAD has the length and no body`() throws {
        #expect(
            try session("HEAD").response(status: 200, body: "hello")
                == "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n")
        #expect(
            try session("HEAD").response(status: 200, fields: [("content-length", "7")])
                == "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n")
    }

    @Test(arguments: [(204, "No Content"), (304, "Not Modified")])
    func `a status without body has no length either`(_ status: Int, reason: String) throws {
        #expect(
            try session().response(status: status, fields: [("etag", "\"1\"")], body: "hello")
                == "HTTP/1.1 \(status) \(reason)\r\netag: \"1\"\r\n\r\n")
        #expect(
            try session().streamedResponse(status: status, chunks: ["hello"])
                == "HTTP/1.1 \(status) \(reason)\r\n\r\n")
    }

    @Test func `a stream is chunked in HTTP 1_1`() throws {
        let session = try session()

        let text = session.streamedResponse(
            chunks: ["hello", "", String(repeating: "x", count: 26)])

        #expect(
            text == "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n1a\r\n"
                + String(repeating: "x", count: 26) + "\r\n0\r\n\r\n")
        #expect(session.keepsAlive)
    }

    @Test func `a stream ends with the connection in HTTP 1_0`() throws {
        let session = try session(version: "1.0", connection: "keep-alive")

        let text = session.streamedResponse(chunks: ["hello", " world"])

        #expect(text == "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello world")
        #expect(!session.keepsAlive)
    }

    @Test func `a stream to HEAD is its head alone`() throws {
        #expect(
            try session("HEAD").streamedResponse(chunks: ["hello"])
                == "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    }

    @Test func `a value cannot split the response`() throws {
        let text = try session().response(
            status: 200, fields: [("x-echo", "a\r\nset-cookie: b\0\nc")])

        #expect(
            text == "HTTP/1.1 200 OK\r\nx-echo: a  set-cookie: b  c\r\ncontent-length: 0\r\n\r\n")
    }

    @Test func `draining closes after the response in progress`() throws {
        let session = HTTP1Session()
        _ = try session.receive(
            "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n")

        session.closeAfterResponse()
        let text = session.response(status: 200)

        #expect(text.contains("connection: close\r\n"))
        #expect(!session.keepsAlive)
        #expect(try session.resumeAfterResponse().isEmpty)
        #expect(!session.wantsInput)
    }

    @Test func `an answer before the end of the request closes`() throws {
        let session = HTTP1Session()
        _ = try session.receive(
            "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")

        let text = session.response(status: 401)

        #expect(text.contains("connection: close\r\n"))
        #expect(try session.receive("hello").endRequest)
        #expect(!session.keepsAlive)
        #expect(try session.resumeAfterResponse().isEmpty)
    }

    @Test func `a head that never ends can be answered`() throws {
        let session = HTTP1Session()
        _ = try session.receive("GET / HT")

        #expect(
            session.response(status: 408)
                == "HTTP/1.1 408 Request Timeout\r\nconnection: close\r\n"
                + "content-length: 0\r\n\r\n")
    }

    @Test func `a connection serves request after request`() throws {
        let session = HTTP1Session()

        for number in 0..<100 {
            #expect(session.isIdle)
            let events = try session.receive(
                "POST /\(number) HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
            #expect(events.count == 3)
            #expect(session.response(status: 200, body: "y").hasSuffix("\r\n\r\ny"))
            #expect(try session.resumeAfterResponse().isEmpty)
        }
    }

    @Test func `a field of the session's own traps`() async {
        await #expect(processExitsWith: .failure) {
            let session = HTTP1Session()
            _ = session.response(status: 200, fields: [("connection", "close")])
        }
        await #expect(processExitsWith: .failure) {
            let session = HTTP1Session()
            _ = session.response(status: 200, fields: [("content-length", "1")], body: "a")
        }
    }
}
