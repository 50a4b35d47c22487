import HTTP1

/// Takes bytes in pieces, answers each request at once, and writes down what came out.
struct Transcript: Equatable {
    /// One line per event; neighbouring pieces of a body are one line.
    private(set) var lines: [String] = []
    private(set) var error: HTTP1Error?

    /// - Parameter pieces: received one after the other.
    init(of pieces: [ArraySlice<UInt8>], limits: HTTP1Limits = HTTP1Limits()) {
        let session = HTTP1Session(limits: limits)
        var output: [UInt8] = []
        do throws(HTTP1Error) {
            for piece in pieces {
                var events = try session.receive(Array(piece))
                note(events)
                while events.endRequest, session.keepsAlive {
                    session.encodeResponse(status: 204, fields: [], body: [], into: &output)
                    events = try session.resumeAfterResponse()
                    note(events)
                }
            }
        } catch {
            self.error = error
        }
    }

    init(of text: String, limits: HTTP1Limits = HTTP1Limits()) {
        self.init(of: [Array(text.utf8)[...]], limits: limits)
    }

    private mutating func note(_ events: [HTTP1Event]) {
        for event in events {
            let line = event.description
            if line.hasPrefix("body "), let last = lines.last, last.hasPrefix("body ") {
                lines[lines.count - 1] += line.dropFirst(5)
            } else {
                lines.append(line)
            }
        }
    }
}

extension [HTTP1Event] {
    var endRequest: Bool {
        guard case .end = last else { return false }
        return true
    }
}

extension HTTP1Event {
    var description: String {
        switch self {
        case .head(let head):
            let fields = head.fields.map { "\($0.name)=\($0.value)" }.joined(separator: " ")
            return "head \(head.method) \(head.target) 1.\(head.minorVersion) \(fields)"
        case .body(let bytes): return "body " + String(decoding: bytes, as: UTF8.self)
        case .end: return "end"
        }
    }
}

extension HTTP1Session {
    func receive(_ bytes: [UInt8]) throws(HTTP1Error) -> [HTTP1Event] {
        try bytes.withUnsafeBufferPointer { (buffer) throws(HTTP1Error) in
            try receive(UnsafeRawBufferPointer(buffer))
        }
    }

    func receive(_ text: String) throws(HTTP1Error) -> [HTTP1Event] {
        try receive(Array(text.utf8))
    }

    /// The head of the one request in `text`.
    func receiveHead(_ text: String) throws -> HTTP1Head? {
        guard case .head(let head) = try receive(text).first else { return nil }
        return head
    }

    func response(status: Int, fields: [HeaderField] = [], body: String = "") -> String {
        var output: [UInt8] = []
        encodeResponse(status: status, fields: fields, body: Array(body.utf8), into: &output)
        return String(decoding: output, as: UTF8.self)
    }

    func streamedResponse(status: Int = 200, chunks: [String]) -> String {
        var output: [UInt8] = []
        encodeStreamingHead(status: status, fields: [], into: &output)
        for chunk in chunks { encodeChunk(Array(chunk.utf8), into: &output) }
        encodeEnd(into: &output)
        return String(decoding: output, as: UTF8.self)
    }
}
