import HTTP1
import Testing

/// One head that must be refused, and why.
struct Refusal: CustomTestStringConvertible {
    let head: String
    let error: HTTP1Error
    let status: Int

    init(_ head: String, _ error: HTTP1Error, _ status: Int = 400) {
        self.head = head
        self.error = error
        self.status = status
    }

    var testDescription: String { String(reflecting: head) }
}

@Suite struct `The guard before llhttp` {
    static let requestLines = [
        Refusal("GET /\r\n", .unsupportedVersion, 505),
        Refusal("GET / HTTP/0.9\r\n", .unsupportedVersion, 505),
        Refusal("GET / HTTP/1.2\r\n", .unsupportedVersion, 505),
        Refusal("GET / HTTP/2.0\r\n", .unsupportedVersion, 505),
        Refusal("PRI * HTTP/2.0\r\n", .unsupportedVersion, 505),
        Refusal("GET / HTTP/1.1 \r\n", .malformedRequestLine),
        Refusal("GET / http/1.1\r\n", .malformedRequestLine),
        Refusal("GET / RTSP/1.0\r\n", .malformedRequestLine),
        Refusal("GET  / HTTP/1.1\r\n", .malformedRequestLine),
        Refusal("GET /  HTTP/1.1\r\n", .malformedRequestLine),
        Refusal("GET / x HTTP/1.1\r\n", .malformedRequestLine),
        Refusal("GE(T / HTTP/1.1\r\n", .malformedRequestLine),
        Refusal("GET\t/ HTTP/1.1\r\n", .malformedRequestLine),
        Refusal(String(repeating: "M", count: 65) + " / HTTP/1.1\r\n", .malformedRequestLine),
        Refusal("GET a HTTP/1.1\r\n", .malformedTarget),
        Refusal("GET * HTTP/1.1\r\n", .malformedTarget),
        Refusal("GET /ü HTTP/1.1\r\n", .malformedTarget),
        Refusal("GET /a#b HTTP/1.1\r\n", .malformedTarget),
        Refusal("GET ftp://a/ HTTP/1.1\r\n", .malformedTarget),
        Refusal("GET http:///a HTTP/1.1\r\n", .malformedTarget),
        Refusal("GET http://user@a/ HTTP/1.1\r\n", .malformedTarget),
        Refusal("CONNECT /a HTTP/1.1\r\n", .malformedTarget),
        Refusal("GET / HTTP/1.1\n", .bareLineFeed),
        Refusal("\nGET / HTTP/1.1\r\n", .bareLineFeed),
        Refusal("GET /\r HTTP/1.1\r\n", .bareCarriageReturn),
        Refusal("GET /\0 HTTP/1.1\r\n", .controlCharacter),
    ]

    static let fields = [
        Refusal("Host: a\nX: b\r\n\r\n", .bareLineFeed),
        Refusal("Host: a\r\nX: b\n\r\n", .bareLineFeed),
        Refusal("Host: a\r\n\n", .bareLineFeed),
        Refusal("Host: a\r\nX:\rTransfer-Encoding: chunked\r\n\r\n", .bareCarriageReturn),
        Refusal("Host: a\r\nX: b\r\r\n\r\n", .bareCarriageReturn),
        Refusal("Host: a\r\nX: b\0c\r\n\r\n", .controlCharacter),
        Refusal("Host: a\r\nX: b\u{7f}\r\n\r\n", .controlCharacter),
        Refusal("Host: a\r\nX\u{b}: b\r\n\r\n", .controlCharacter),
        Refusal("Host: a\r\nX: b\r\n c\r\n\r\n", .foldedField),
        Refusal("Host: a\r\nX: b\r\n\tc\r\n\r\n", .foldedField),
        Refusal(" Host: a\r\n\r\n", .foldedField),
        Refusal("Host: a\r\nX : b\r\n\r\n", .malformedFieldName),
        Refusal("Host: a\r\n: b\r\n\r\n", .malformedFieldName),
        Refusal("Host: a\r\nX\r\n\r\n", .malformedFieldName),
        Refusal("Host: a\r\nX y: b\r\n\r\n", .malformedFieldName),
        Refusal("Host: a\r\nXü: b\r\n\r\n", .malformedFieldName),
        Refusal("\r\n", .missingHost),
        Refusal("Host: a\r\nHost: a\r\n\r\n", .repeatedHost),
        Refusal("Host: a, b\r\n\r\n", .malformedHost),
        Refusal("Host: a/b\r\n\r\n", .malformedHost),
        Refusal("Host: u@a\r\n\r\n", .malformedHost),
        Refusal("Host: a\r\nExpect: 200-ok\r\n\r\n", .unsupportedExpectation, 417),
    ]

    /// What a proxy before us may read in another way than llhttp.
    static let smuggling = [
        Refusal(
            "Host: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            .contentLengthWithTransferEncoding),
        Refusal(
            "Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
            .contentLengthWithTransferEncoding),
        Refusal(
            "Host: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", .repeatedContentLength),
        Refusal(
            "Host: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", .repeatedContentLength),
        Refusal("Host: a\r\nContent-Length: 5, 5\r\n\r\n", .malformedContentLength),
        Refusal("Host: a\r\nContent-Length: +5\r\n\r\n", .malformedContentLength),
        Refusal("Host: a\r\nContent-Length: -1\r\n\r\n", .malformedContentLength),
        Refusal("Host: a\r\nContent-Length: 0x5\r\n\r\n", .malformedContentLength),
        Refusal("Host: a\r\nContent-Length: 5 5\r\n\r\n", .malformedContentLength),
        Refusal("Host: a\r\nContent-Length: ٥\r\n\r\n", .malformedContentLength),
        Refusal("Host: a\r\nContent-Length:\r\n\r\n", .malformedContentLength),
        Refusal("Host: a\r\nContent-Length : 5\r\n\r\n", .malformedFieldName),
        Refusal(
            "Host: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", .malformedTransferEncoding),
        Refusal(
            "Host: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", .malformedTransferEncoding),
        Refusal(
            "Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            .malformedTransferEncoding),
        Refusal("Host: a\r\nTransfer-Encoding:\r\n\r\n", .malformedTransferEncoding),
        Refusal("Host: a\r\nTransfer-Encoding: ,chunked\r\n\r\n", .malformedTransferEncoding),
        Refusal("Host: a\r\nTransfer-Encoding: gzip\r\n\r\n", .unsupportedTransferEncoding, 501),
        Refusal(
            "Host: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", .unsupportedTransferEncoding, 501
        ),
        Refusal(
            "Host: a\r\nTransfer-Encoding: identity\r\n\r\n", .unsupportedTransferEncoding, 501),
        Refusal(
            "Host: a\r\nTransfer-Encoding: xchunked\r\n\r\n", .unsupportedTransferEncoding, 501),
        Refusal(
            "Host: a\r\nTransfer-Encoding: chunked;q=1\r\n\r\n", .unsupportedTransferEncoding, 501),
        Refusal("Host: a\r\nTransfer-Encoding: \u{b}chunked\r\n\r\n", .controlCharacter),
        Refusal("Host: a\r\nTransfer-Encoding\r\n : chunked\r\n\r\n", .malformedFieldName),
        Refusal(
            "Host: a\r\nContent-Length: 2147483648\r\n\r\n", .bodyTooLarge(maximum: 8 << 20), 413),
        Refusal(
            "Host: a\r\nContent-Length: 99999999999999999999999\r\n\r\n",
            .bodyTooLarge(maximum: 8 << 20), 413),
    ]

    @Test(arguments: requestLines)
    func `refuses a request line`(_ refusal: Refusal) {
        let transcript = Transcript(of: refusal.head)

        #expect(transcript.error == refusal.error)
        #expect(transcript.error?.status == refusal.status)
    }

    @Test(arguments: fields + smuggling)
    func `refuses a field`(_ refusal: Refusal) {
        let transcript = Transcript(of: "POST / HTTP/1.1\r\n" + refusal.head)

        #expect(transcript.lines.isEmpty)
        #expect(transcript.error == refusal.error)
        #expect(transcript.error?.status == refusal.status)
        #expect(transcript.error?.detail.hasSuffix(".") == true)
    }

    @Test func `refuses Transfer-Encoding in HTTP 1_0`() {
        let transcript = Transcript(of: "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n")

        #expect(transcript.error == .transferEncodingInHTTP10)
    }

    @Test(arguments: [
        "5\nhello\r\n0\r\n\r\n", "5\r\nhelloXX0\r\n\r\n", "5\r\nhello0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n", "5\rhello\r\n0\r\n\r\n", "5 \r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n", "-5\r\nhello\r\n0\r\n\r\n", "\r\nhello\r\n0\r\n\r\n",
        "5;a\nhello\r\n0\r\n\r\n", "5;a=\"\nb\"\r\nhello\r\n0\r\n\r\n",
        "5;a=\"\rb\"\r\nhello\r\n0\r\n\r\n", "10000000000000005\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\r\n\n", "5\r\nhello\r\n0\r\nX: a\n\r\n", "5\r\nhello\r\n0\r\nX: a\r\n\n",
        "5\r\nhello\r\n0\r\nX:\r\r\n\r\n", "5\r\nhello\r\n0\r\nX Y: a\r\n\r\n",
    ])
    func `refuses chunks that are not strictly framed`(_ body: String) {
        let transcript = Transcript(
            of: "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + body)

        #expect(!transcript.lines.contains("end"))
        switch transcript.error {
        case .malformedChunkFraming, .refusedByParser: break
        default: Issue.record("\(String(describing: transcript.error))")
        }
        #expect(transcript.error?.status == 400)
    }

    @Test func `keeps llhttp's code and its name`() throws {
        let transcript = Transcript(
            of: "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nz")

        #expect(
            transcript.error == .refusedByParser(code: 12, name: "HPE_INVALID_CHUNK_SIZE"))
    }

    @Test func `tells a TLS handshake from other bytes that are not HTTP`() throws {
        let hello: [UInt8] = [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03]
        let session = HTTP1Session()

        #expect(try session.receive([0x16]).isEmpty)
        #expect(throws: HTTP1Error.tlsOnPlaintext) { try session.receive([0x03]) }
        #expect(Transcript(of: [hello[...]]).error == .tlsOnPlaintext)
        #expect(Transcript(of: [[0x16, 0x04]]).error == .notHTTP)
        #expect(Transcript(of: [[0x00]]).error == .notHTTP)
        #expect(Transcript(of: "SSH-2.0-OpenSSH_9.2\r\n").error == .notHTTP)
        #expect(HTTP1Error.tlsOnPlaintext.isForeignProtocol)
    }

    @Test func `an error is final`() throws {
        let session = HTTP1Session()
        #expect(throws: HTTP1Error.missingHost) {
            try session.receive("GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
        }

        #expect(!session.wantsInput)
        #expect(!session.keepsAlive)
        #expect(!session.isIdle)
        #expect(throws: HTTP1Error.missingHost) {
            try session.receive("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        }
        #expect(
            session.response(status: 400, body: "no")
                == "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 2\r\n\r\nno")
        #expect(try session.resumeAfterResponse().isEmpty)
    }
}

@Suite struct `Limits` {
    static let start = "GET / HTTP/1.1\r\nHost: a\r\n"

    @Test func `a header of a megabyte is refused at the limit`() throws {
        let session = HTTP1Session()
        let piece = [UInt8](repeating: UInt8(ascii: "x"), count: 1024)
        _ = try session.receive(Self.start + "X: ")
        var taken = 0

        #expect(throws: HTTP1Error.headTooLarge(maximum: 32 * 1024)) {
            while taken < 1024 {
                _ = try session.receive(piece)
                taken += 1
            }
        }

        #expect(taken == 31)
        #expect(HTTP1Error.headTooLarge(maximum: 1).status == 431)
        #expect(
            Transcript(of: Self.start + "X: " + String(repeating: "x", count: 1 << 20) + "\r\n\r\n")
                .error == .headTooLarge(maximum: 32 * 1024))
    }

    @Test func `many small fields are refused by number and by size`() {
        let field = "X: y\r\n"
        var limits = HTTP1Limits()
        limits.headerFieldsMax = 10

        let atLimit = Self.start + String(repeating: field, count: 9) + "\r\n"
        let over = Self.start + String(repeating: field, count: 10) + "\r\n"
        #expect(Transcript(of: atLimit, limits: limits).error == nil)
        #expect(Transcript(of: over, limits: limits).error == .tooManyFields(maximum: 10))
        limits.headerFieldsMax = 1_000_000
        #expect(
            Transcript(of: Self.start + String(repeating: field, count: 10_000), limits: limits)
                .error == .headTooLarge(maximum: 32 * 1024))
    }

    @Test func `a target is refused one byte over the limit, and without a line end`() {
        let atLimit = "/" + String(repeating: "a", count: 8191)

        #expect(Transcript(of: "GET \(atLimit) HTTP/1.1\r\nHost: a\r\n\r\n").error == nil)
        #expect(
            Transcript(of: "GET \(atLimit)a HTTP/1.1\r\nHost: a\r\n\r\n").error
                == .targetTooLong(maximum: 8192))
        #expect(
            Transcript(of: "GET " + String(repeating: "a", count: 10_000)).error
                == .targetTooLong(maximum: 8192))
        #expect(HTTP1Error.targetTooLong(maximum: 1).status == 414)
    }

    @Test func `a Content-Length is refused one byte over the limit`() {
        var limits = HTTP1Limits()
        limits.bodyBytesMax = 10

        let at = Transcript(of: Self.start + "Content-Length: 10\r\n\r\n", limits: limits)
        let over = Transcript(of: Self.start + "Content-Length: 11\r\n\r\n", limits: limits)

        #expect(at.error == nil)
        #expect(over.error == .bodyTooLarge(maximum: 10))
        #expect(over.lines.isEmpty)
    }

    @Test(arguments: [
        "1;" + String(repeating: "x", count: 20_000) + "\r\na\r\n0\r\n\r\n",
        String(repeating: "0", count: 20_000) + "1\r\na\r\n0\r\n\r\n",
        String(repeating: "1;xxxxxxxxxxxxxxxxxxxx\r\na\r\n", count: 2_000) + "0\r\n\r\n",
        "0\r\n" + String(repeating: "X: y\r\n", count: 5_000) + "\r\n",
    ])
    func `chunk extensions and trailers are bounded`(_ body: String) {
        let transcript = Transcript(of: Self.start + "Transfer-Encoding: chunked\r\n\r\n" + body)

        #expect(transcript.error == .chunkFramingTooLarge(maximum: 16 * 1024))
        #expect(!transcript.lines.contains("end"))
    }

    @Test func `chunks of one byte are no attack`() {
        let body = String(repeating: "1\r\na\r\n", count: 20_000) + "0\r\n\r\n"

        let transcript = Transcript(of: Self.start + "Transfer-Encoding: chunked\r\n\r\n" + body)

        #expect(transcript.error == nil)
        #expect(transcript.lines[1] == "body " + String(repeating: "a", count: 20_000))
    }
}
