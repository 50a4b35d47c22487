/// Why a peer's bytes are refused. The session is over after any of them: answer and close.
public enum HTTP1Error: Error, Equatable, Sendable {
    /// A TLS ClientHello on a plaintext port.
    case tlsOnPlaintext
    /// The first bytes cannot begin any HTTP/1 request.
    case notHTTP

    case malformedRequestLine
    case malformedTarget
    /// Neither HTTP/1.1 nor HTTP/1.0, or HTTP/0.9's request line without a version.
    case unsupportedVersion
    case targetTooLong(maximum: Int)
    case headTooLarge(maximum: Int)
    case tooManyFields(maximum: Int)

    /// A CR that no LF follows.
    case bareCarriageReturn
    /// An LF that no CR precedes.
    case bareLineFeed
    /// NUL or another control character in the head.
    case controlCharacter
    /// A field line that begins with a blank (obs-fold, RFC 9112 section 5.2).
    case foldedField
    case malformedFieldName

    case missingHost
    case repeatedHost
    case malformedHost

    case malformedContentLength
    case repeatedContentLength
    case bodyTooLarge(maximum: Int)
    case contentLengthWithTransferEncoding
    /// Repeated, empty, or with `chunked` anywhere but once at the end.
    case malformedTransferEncoding
    /// A transfer coding other than `chunked`.
    case unsupportedTransferEncoding
    case transferEncodingInHTTP10
    /// A bare CR or LF between the chunks or in the trailers.
    case malformedChunkFraming
    case chunkFramingTooLarge(maximum: Int)

    case unsupportedExpectation
    case pipelineTooLong(maximum: Int)

    /// llhttp refuses what passed the guard; `code` is its `llhttp_errno`, `name` that in words.
    case refusedByParser(code: Int32, name: String)
    /// llhttp and the guard would read different bodies.
    case ambiguousFraming
}

extension HTTP1Error {
    /// The status to answer with.
    public var status: Int {
        switch self {
        case .bodyTooLarge: 413
        case .targetTooLong: 414
        case .unsupportedExpectation: 417
        case .headTooLarge, .tooManyFields, .chunkFramingTooLarge: 431
        case .unsupportedTransferEncoding: 501
        case .unsupportedVersion: 505
        default: 400
        }
    }

    /// Whether the peer speaks another protocol, so that an HTTP answer would not reach anybody.
    public var isForeignProtocol: Bool { self == .tlsOnPlaintext || self == .notHTTP }

    /// What is wrong, in a sentence for the peer; quotes none of its bytes.
    public var detail: String {
        switch self {
        case .tlsOnPlaintext: "This port speaks plaintext HTTP, and the peer began a TLS handshake."
        case .notHTTP: "The bytes received are not an HTTP request."
        case .malformedRequestLine:
            "The request line is not method, target and version with one space between each."
        case .malformedTarget: "The request target has no form that its method allows."
        case .unsupportedVersion: "Only HTTP/1.1 and HTTP/1.0 are spoken here, and HTTP/2."
        case .targetTooLong(let maximum): "The request target has more than \(maximum) bytes."
        case .headTooLarge(let maximum): "The head of the request has more than \(maximum) bytes."
        case .tooManyFields(let maximum): "The request has more than \(maximum) header fields."
        case .bareCarriageReturn: "The head contains a CR without LF."
        case .bareLineFeed: "The head contains an LF without CR."
        case .controlCharacter: "The head contains a control character."
        case .foldedField: "A header field is continued on a second line."
        case .malformedFieldName: "A header field has no name made of token characters and a colon."
        case .missingHost: "The Host field is missing."
        case .repeatedHost: "The Host field is given more than once."
        case .malformedHost: "The Host field is not a host with an optional port."
        case .malformedContentLength: "Content-Length is not a decimal number."
        case .repeatedContentLength: "Content-Length is given more than once."
        case .bodyTooLarge(let maximum): "The body has more than \(maximum) bytes."
        case .contentLengthWithTransferEncoding:
            "Content-Length and Transfer-Encoding exclude each other."
        case .malformedTransferEncoding: "Transfer-Encoding does not end in a single chunked."
        case .unsupportedTransferEncoding: "The only transfer coding understood here is chunked."
        case .transferEncodingInHTTP10: "HTTP/1.0 has no Transfer-Encoding."
        case .malformedChunkFraming: "A line of the chunked body does not end in CRLF."
        case .chunkFramingTooLarge(let maximum):
            "Chunk extensions and trailers have more than \(maximum) bytes."
        case .unsupportedExpectation: "The only expectation understood here is 100-continue."
        case .pipelineTooLong(let maximum):
            "More than \(maximum) bytes were sent ahead of the response."
        case .refusedByParser(_, let name): "The request is malformed (\(name))."
        case .ambiguousFraming: "Where the body of the request ends is ambiguous."
        }
    }
}
