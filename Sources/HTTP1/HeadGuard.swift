/// Reads the head of one request line by line and refuses what llhttp 8.1 would let through.
///
/// That version takes a bare CR in a header and HTTP/0.9 (CVE-2023-30589), a bare LF as the end
/// of the head and folded fields; each is a way to make two servers see different requests
/// (RFC 9112 section 11.2). A line reaches llhttp only after it has passed here. Every rule looks
/// at whole lines in order, so that how the bytes were cut on the way changes no outcome.
struct HeadGuard {
    private let limits: HTTP1Limits
    private var byteCount = 0
    private var skippedEmptyLine = false
    private var fields: [HeaderField] = []
    private var host: String?
    private var contentLength: Int?
    private var transferEncoding: [String]?
    private var saysClose = false
    private var saysKeepAlive = false
    private var expectsContinue = false

    private var requestLine: RequestLine?

    /// Nothing of a request has been read; the empty line before one does not count.
    var isUntouched: Bool { requestLine == nil }

    init(limits: HTTP1Limits) {
        self.limits = limits
    }

    /// What one line was.
    enum Line {
        /// The one empty line that may precede a request (RFC 9112 section 2.2).
        case skipped
        case request(RequestLine)
        case field
        /// The empty line that ends the head of the request that this line began.
        case end(RequestLine)
    }

    // MARK: Before a line is complete

    /// Refuses what cannot begin a request without waiting for a line end that may never come.
    func checkOpening(_ first: UInt8, _ second: UInt8?) throws(HTTP1Error) {
        switch first {
        case 0x16:
            // A TLS record: handshake, then the major version 3. One byte alone may be anything.
            guard let second else { return }
            throw second == 0x03 ? .tlsOnPlaintext : .notHTTP
        case .carriageReturn, .lineFeed: return
        default: if !first.isTokenCharacter { throw .notHTTP }
        }
    }

    /// Refuses a line of `count` bytes, complete or not, that is over a limit.
    func checkSize(ofLine count: Int) throws(HTTP1Error) {
        let requestLineMax =
            RequestLine.methodBytesMax + limits.targetBytesMax + RequestLine.overheadBytes
        if requestLine == nil, count > requestLineMax {
            throw .targetTooLong(maximum: limits.targetBytesMax)
        }
        if byteCount + count > limits.headBytesMax {
            throw .headTooLarge(maximum: limits.headBytesMax)
        }
    }

    // MARK: Lines

    /// Reads one line, given with its LF.
    mutating func read(_ line: UnsafeRawBufferPointer) throws(HTTP1Error) -> Line {
        try checkSize(ofLine: line.count)
        guard line.count >= 2, line[line.count - 2] == .carriageReturn else { throw .bareLineFeed }
        let content = UnsafeRawBufferPointer(rebasing: line[..<(line.count - 2)])
        for byte in content where byte.isForbiddenControl {
            throw byte == .carriageReturn ? .bareCarriageReturn : .controlCharacter
        }

        byteCount += line.count
        guard let requestLine else {
            if content.isEmpty, !skippedEmptyLine {
                skippedEmptyLine = true
                return .skipped
            }
            let line = try RequestLine(content, limits: limits)
            requestLine = line
            return .request(line)
        }
        if content.isEmpty { return .end(requestLine) }
        try readField(content)
        return .field
    }

    private mutating func readField(_ line: UnsafeRawBufferPointer) throws(HTTP1Error) {
        guard line.first?.isBlank == false else { throw .foldedField }
        guard fields.count < limits.headerFieldsMax else {
            throw .tooManyFields(maximum: limits.headerFieldsMax)
        }
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > 0,
            line[..<colon].allSatisfy(\.isTokenCharacter)
        else { throw .malformedFieldName }

        let name = String(unsafeUninitializedCapacity: colon) { buffer in
            for index in 0..<colon { buffer[index] = line[index].lowercased }
            return colon
        }
        let value = Self.text(Self.trimmed(line[(colon + 1)...]))
        try note(name, value)
        fields.append((name, value))
    }

    private static func trimmed(
        _ bytes: Slice<UnsafeRawBufferPointer>
    ) -> Slice<UnsafeRawBufferPointer> {
        var bytes = bytes.drop(while: \.isBlank)
        while bytes.last?.isBlank == true { bytes.removeLast() }
        return bytes
    }

    /// UTF-8 where it is that, otherwise ISO 8859-1, so that no byte of a value is lost.
    private static func text(_ bytes: Slice<UnsafeRawBufferPointer>) -> String {
        if let text = String(validating: bytes, as: UTF8.self) { return text }
        var text = ""
        for byte in bytes { text.unicodeScalars.append(Unicode.Scalar(byte)) }
        return text
    }

    // MARK: Fields that delimit or route

    private mutating func note(_ name: String, _ value: String) throws(HTTP1Error) {
        switch name {
        case "host":
            guard host == nil else { throw .repeatedHost }
            guard value.utf8.allSatisfy(\.isAuthorityCharacter) else { throw .malformedHost }
            host = value
        case "content-length":
            // RFC 9110 lets equal repetitions pass or be refused; llhttp refuses them as well.
            guard contentLength == nil else { throw .repeatedContentLength }
            guard !value.isEmpty, value.utf8.allSatisfy(\.isDigit) else {
                throw .malformedContentLength
            }
            guard let length = Int(value), length <= limits.bodyBytesMax else {
                throw .bodyTooLarge(maximum: limits.bodyBytesMax)
            }
            contentLength = length
        case "transfer-encoding":
            guard transferEncoding == nil else { throw .malformedTransferEncoding }
            let codings = Self.list(value)
            guard !codings.contains(""), !codings.dropLast().contains("chunked") else {
                throw .malformedTransferEncoding
            }
            transferEncoding = codings
        case "connection":
            for option in Self.list(value) {
                if option == "close" { saysClose = true }
                if option == "keep-alive" { saysKeepAlive = true }
            }
        case "expect":
            // HTTP/1.0 knows no expectations: there the field says nothing.
            guard requestLine?.minorVersion == 1 else { return }
            guard value.lowercased() == "100-continue" else { throw .unsupportedExpectation }
            expectsContinue = true
        default: break
        }
    }

    private static func list(_ value: String) -> [String] {
        value.split(separator: ",", omittingEmptySubsequences: false).map {
            var element = $0[...]
            while element.first == " " || element.first == "\t" { element.removeFirst() }
            while element.last == " " || element.last == "\t" { element.removeLast() }
            return element.lowercased()
        }
    }

    // MARK: The whole head

    /// Judges the head as a whole, once its empty line has been read.
    func finish(_ line: RequestLine) throws(HTTP1Error) -> (head: HTTP1Head, keepsAlive: Bool) {
        guard line.minorVersion == 0 || host != nil else { throw .missingHost }
        let framing = try framing(minorVersion: line.minorVersion)
        let head = HTTP1Head(
            method: line.method, target: line.target, authority: line.authority ?? host,
            fields: fields, minorVersion: line.minorVersion, framing: framing,
            expectsContinue: expectsContinue && framing != .empty)
        return (head, !saysClose && (line.minorVersion == 1 || saysKeepAlive))
    }

    /// RFC 9112 section 6.3, without what it allows a proxy to repair.
    private func framing(minorVersion: Int) throws(HTTP1Error) -> HTTP1Head.Framing {
        guard let transferEncoding else {
            guard let contentLength, contentLength > 0 else { return .empty }
            return .length(contentLength)
        }
        guard contentLength == nil else { throw .contentLengthWithTransferEncoding }
        guard minorVersion == 1 else { throw .transferEncodingInHTTP10 }
        guard transferEncoding == ["chunked"] else { throw .unsupportedTransferEncoding }
        return .chunked
    }
}
