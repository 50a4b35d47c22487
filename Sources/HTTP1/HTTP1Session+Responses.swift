/// How far the response to the request in progress has been encoded.
enum ResponseProgress: Equatable {
    case none
    case streaming(Delivery)
    case complete

    /// How the end of a streamed body is told.
    enum Delivery {
        case chunked
        /// HTTP/1.0: the body ends with the connection.
        case untilClose
        /// To HEAD, and with 204 and 304: whatever is streamed is left out.
        case headOnly
    }
}

/// Encoding appends to a buffer of the caller's.
///
/// The fields that delimit the message or concern the connection are the session's own; to give
/// one of them is a mistake of ours and traps. So does a name that is no token: names are literals
/// in our code. A CR, LF or NUL in a value becomes a space, as RFC 9110 section 5.5 has it:
/// values carry what peers sent, and no peer's bytes may stop the server or split a response.
extension HTTP1Session {
    /// Whether a response may be begun: none has been since the last request was resumed from.
    public var canRespond: Bool { response == .none }

    /// Whether what is streamed is left out, to HEAD and with 204 and 304: end it at once.
    public var omitsStreamedBody: Bool { response == .streaming(.headOnly) }

    /// The interim response that makes the peer send the body it announced.
    public func encodeContinue() -> [UInt8] {
        precondition(response == .none, "the final response has begun")
        return Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)
    }

    /// Encodes a whole response with its Content-Length.
    ///
    /// Also the last word of a session that failed or timed out, then with `connection: close`.
    /// The body is left out for HEAD, 204 and 304; for HEAD its length is given all the same.
    ///
    /// - Parameter fields: may hold `content-length` only for HEAD and 304, which describe the
    ///   body of another response.
    public func encodeResponse(
        status: Int, fields: [HeaderField], body: [UInt8], into output: inout [UInt8]
    ) {
        let omitsBody = omitsBody(status)
        beginResponse(status: status, fields: fields, into: &output)
        let describesOther = exchange?.isHead == true || status == 304
        let hasLength = fields.contains { $0.name == "content-length" }
        precondition(!hasLength || describesOther, "content-length is the session's to give")
        if !hasLength, status != 204, status != 304 {
            append("content-length: \(body.count)\r\n", to: &output)
        }
        append("\r\n", to: &output)
        if !omitsBody { output.append(contentsOf: body) }
        response = .complete
    }

    /// Begins a response whose length is not known yet: chunked, or for HTTP/1.0 up to the close.
    public func encodeStreamingHead(
        status: Int, fields: [HeaderField], into output: inout [UInt8]
    ) {
        precondition(
            !fields.contains { $0.name == "content-length" }, "a streamed body has no length")
        let speaksChunked = exchange?.minorVersion != 0
        if !speaksChunked, !omitsBody(status) { closeAfterResponse() }
        beginResponse(status: status, fields: fields, into: &output)
        if speaksChunked, status != 204, status != 304 {
            append("transfer-encoding: chunked\r\n", to: &output)
        }
        append("\r\n", to: &output)
        response = .streaming(
            omitsBody(status) ? .headOnly : speaksChunked ? .chunked : .untilClose)
    }

    /// Appends a piece of a streamed body; an empty one, which would end it, adds nothing.
    public func encodeChunk(_ bytes: [UInt8], into output: inout [UInt8]) {
        guard case .streaming(let delivery) = response else {
            preconditionFailure("no response is being streamed")
        }
        guard !bytes.isEmpty, delivery != .headOnly else { return }
        guard delivery == .chunked else {
            output.append(contentsOf: bytes)
            return
        }
        append(String(bytes.count, radix: 16), to: &output)
        append("\r\n", to: &output)
        output.append(contentsOf: bytes)
        append("\r\n", to: &output)
    }

    /// Ends a streamed body.
    public func encodeEnd(into output: inout [UInt8]) {
        guard case .streaming(let delivery) = response else {
            preconditionFailure("no response is being streamed")
        }
        if delivery == .chunked { append("0\r\n\r\n", to: &output) }
        response = .complete
    }

    // MARK: Heads

    private func omitsBody(_ status: Int) -> Bool {
        status == 204 || status == 304 || exchange?.isHead == true
    }

    /// Appends the status line, the caller's fields and what becomes of the connection.
    private func beginResponse(
        status: Int, fields: [HeaderField], into output: inout [UInt8]
    ) {
        precondition(response == .none, "the response has been begun before")
        precondition((200...599).contains(status), "not a final status")
        // What is left of the request would be read as the next one. And without a whole request
        // to answer, this is the last word of a session that failed or timed out.
        if !isRequestComplete { closeAfterResponse() }

        // The version is ours, not the peer's (RFC 9110 section 2.5).
        append("HTTP/1.1 \(status) \(reasonPhrase(for: status))\r\n", to: &output)
        for field in fields { append(field, to: &output) }
        if !keepsAlive {
            append("connection: close\r\n", to: &output)
        } else if exchange?.minorVersion == 0 {
            append("connection: keep-alive\r\n", to: &output)
        }
    }

    private func append(_ field: HeaderField, to output: inout [UInt8]) {
        precondition(
            !field.name.isEmpty && field.name.utf8.allSatisfy(\.isTokenCharacter),
            "a field name is a token")
        switch field.name {
        case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade":
            preconditionFailure("\(field.name) is the session's to give")
        default: break
        }
        append(field.name, to: &output)
        append(": ", to: &output)
        let start = output.count
        append(field.value, to: &output)
        for index in start..<output.count where output[index].endsFieldLine {
            output[index] = .space
        }
        append("\r\n", to: &output)
    }

    private func append(_ text: String, to output: inout [UInt8]) {
        output.append(contentsOf: text.utf8)
    }
}

extension UInt8 {
    fileprivate var endsFieldLine: Bool {
        self == .carriageReturn || self == .lineFeed || self == 0
    }
}
