import HTTP1
import Testing

@Suite struct `Receiving requests` {
    @Test func `a request without a body is a head and an end`() throws {
        let session = HTTP1Session()

        let events = try session.receive(
            "GET /v1/alarms?limit=5 HTTP/1.1\r\nHost: a.example\r\nAccept:  */* \t\r\n\r\n")

        #expect(
            events.map(\.description) == [
                "head GET /v1/alarms?limit=5 1.1 host=a.example accept=*/*", "end",
            ])
        #expect(!session.wantsInput)
    }

    @Test func `half a request gives neither event nor error`() throws {
        let session = HTTP1Session()
        #expect(session.isIdle)

        let events = try session.receive("GET / HTTP/1.1\r\nHost: a.exa")

        #expect(events.isEmpty)
        #expect(session.isInHead)
        #expect(!session.isIdle)
        #expect(session.wantsInput)
    }

    @Test func `a body with a length comes without its neighbours`() throws {
        let session = HTTP1Session()

        let head = try session.receive("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe")
        #expect(session.isInBody)
        let rest = try session.receive("lloGET")

        #expect(
            (head + rest).map(\.description) == [
                "head POST / 1.1 host=a content-length=5", "body he", "body llo", "end",
            ])
        #expect(!session.isInBody)
    }

    @Test func `a chunked body comes without its chunks, extensions and trailers`() {
        let transcript = Transcript(
            of: "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
                + "5\r\nhello\r\n1;name=value\r\n,\r\n006;x=\"q\"\r\n world\r\n"
                + "0\r\nX-Sum: 1\r\nX-Empty:\r\n\r\n")

        #expect(transcript.error == nil)
        #expect(transcript.lines.dropFirst() == ["body hello, world", "end"])
    }

    @Test func `the framing of the body is told with the head`() throws {
        let chunked = try HTTP1Session().receiveHead(
            "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        let empty = try HTTP1Session().receiveHead(
            "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
        let long = try HTTP1Session().receiveHead(
            "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 70000\r\n\r\n")

        #expect(chunked?.framing == .chunked)
        #expect(empty?.framing == .empty)
        #expect(empty?.hasBody == false)
        #expect(long?.framing == .length(70_000))
    }

    @Test func `of two pipelined requests the second waits for the first response`() throws {
        let session = HTTP1Session()

        let first = try session.receive(
            "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab"
                + "GET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HT")
        #expect(
            first.map(\.description) == [
                "head POST /1 1.1 host=a content-length=2", "body ab", "end",
            ])
        #expect(!session.wantsInput)
        _ = session.response(status: 200)
        let second = try session.resumeAfterResponse()
        #expect(second.map(\.description) == ["head GET /2 1.1 host=a", "end"])
        _ = session.response(status: 200)
        let third = try session.resumeAfterResponse()

        #expect(third.isEmpty)
        #expect(session.isInHead)
        #expect(session.wantsInput)
        #expect(
            try session.receive("TP/1.1\r\nHost: a\r\n\r\n").map(\.description) == [
                "head GET /3 1.1 host=a", "end",
            ])
    }

    @Test func `bytes received while a response is due are kept in order and bounded`() throws {
        var limits = HTTP1Limits()
        limits.unreadBytesMax = 64
        let session = HTTP1Session(limits: limits)
        _ = try session.receive("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTT")

        #expect(try session.receive("P/1.1\r\nHost: a\r\n\r\n").isEmpty)
        _ = session.response(status: 200)
        let second = try session.resumeAfterResponse()

        #expect(second.map(\.description) == ["head GET /2 1.1 host=a", "end"])
        #expect(throws: HTTP1Error.pipelineTooLong(maximum: 64)) {
            try session.receive([UInt8](repeating: 0, count: 65))
        }
    }

    @Test func `a peer that is always ahead is never cut off while it keeps the limit`() throws {
        var limits = HTTP1Limits()
        limits.unreadBytesMax = 128
        let session = HTTP1Session(limits: limits)
        let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        _ = try session.receive(request + request)

        for _ in 0..<100 {
            #expect(try session.receive(request).isEmpty)
            _ = session.response(status: 200)
            #expect(try session.resumeAfterResponse().endRequest)
        }
    }

    @Test func `a thousand pipelined requests come in order`() {
        let text = (0..<1000).map { "GET /\($0) HTTP/1.1\r\nHost: a\r\n\r\n" }.joined()

        let transcript = Transcript(of: text)

        #expect(transcript.error == nil)
        #expect(
            transcript.lines.filter { $0 != "end" }
                == (0..<1000).map { "head GET /\($0) 1.1 host=a" })
    }

    @Test func `one empty line before a request is skipped`() throws {
        let session = HTTP1Session()

        #expect(try session.receive("\r\n").isEmpty)
        #expect(session.isIdle)
        #expect(try session.receive("GET / HTTP/1.1\r\nHost: a\r\n\r\n").endRequest)
        #expect(Transcript(of: "\r\n\r\nGET / HTTP/1.1\r\n").error == .notHTTP)
    }

    @Test func `an upgrade to h2c is ignored`() {
        let head =
            "POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n"
            + "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"

        let transcript = Transcript(
            of: head + "\r\n" + head + "Content-Length: 2\r\n\r\nab" + head + "\r\n")

        #expect(transcript.error == nil)
        #expect(transcript.lines.filter { $0 == "end" }.count == 3)
        #expect(transcript.lines.contains("body ab"))
    }

    @Test(arguments: [
        "GET", "PRI", "SOURCE", "DESCRIBE", "BREW", "get", "M-SEARCH", "X!#$%&'*+-.^_`|~",
    ])
    func `a method is any token`(_ method: String) {
        let transcript = Transcript(
            of: "\(method) / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")

        #expect(
            transcript.lines == [
                "head \(method) / 1.1 host=a", "end", "head GET / 1.1 host=a", "end",
            ])
    }

    @Test func `CONNECT is a request like any other`() {
        let transcript = Transcript(
            of: "CONNECT b.example:443 HTTP/1.1\r\nHost: b\r\n\r\n"
                + "CONNECT b.example:443 HTTP/1.1\r\nHost: b\r\nContent-Length: 2\r\n\r\nGE"
                + "GET / HTTP/1.1\r\nHost: a\r\n\r\n")

        #expect(
            transcript.lines == [
                "head CONNECT b.example:443 1.1 host=b", "end",
                "head CONNECT b.example:443 1.1 host=b content-length=2", "body GE", "end",
                "head GET / 1.1 host=a", "end",
            ])
    }

    @Test(arguments: [
        ("GET /a?b HTTP/1.1", "/a?b", "h"),
        ("GET http://o.example:80/a?b HTTP/1.1", "/a?b", "o.example:80"),
        ("GET HTTPS://o.example?b HTTP/1.1", "/?b", "o.example"),
        ("OPTIONS * HTTP/1.1", "*", "h"),
    ])
    func `each form of target gives path and authority`(
        _ line: String, target: String, authority: String
    ) throws {
        let head = try HTTP1Session().receiveHead(line + "\r\nHost: h\r\n\r\n")

        #expect(head?.target == target)
        #expect(head?.authority == authority)
    }

    @Test func `a value that is no UTF-8 loses no byte`() throws {
        let session = HTTP1Session()
        let bytes = Array("GET / HTTP/1.1\r\nHost: a\r\nX-A: ü\r\nX-B: ".utf8) + [0xfc]

        guard case .head(let head) = try session.receive(bytes + Array("\r\n\r\n".utf8)).first
        else {
            Issue.record("no head")
            return
        }

        #expect(head.fields.map(\.value) == ["a", "ü", "ü"])
    }

    @Test func `100-continue is told only with a body and in 1_1`() throws {
        let expect = "Host: a\r\nExpect: 100-Continue\r\n"

        let withBody = try HTTP1Session().receiveHead(
            "PUT / HTTP/1.1\r\n\(expect)Content-Length: 1\r\n\r\n")
        let without = try HTTP1Session().receiveHead("PUT / HTTP/1.1\r\n\(expect)\r\n")
        let old = try HTTP1Session().receiveHead(
            "PUT / HTTP/1.0\r\n\(expect)Content-Length: 1\r\n\r\n")

        #expect(withBody?.expectsContinue == true)
        #expect(without?.expectsContinue == false)
        #expect(old?.expectsContinue == false)
        #expect(
            String(decoding: HTTP1Session().encodeContinue(), as: UTF8.self)
                == "HTTP/1.1 100 Continue\r\n\r\n")
    }
}
