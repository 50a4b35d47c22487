import HTTP2

/// A client and a server session with a wire between them that delivers when told to.
final class Wire {
    let client: HTTP2Session
    let server: HTTP2Session
    /// What each side has reported, oldest first.
    var clientEvents: [HTTP2Event] = []
    var serverEvents: [HTTP2Event] = []
    /// Everything that the client has sent.
    var sentByClient: [UInt8] = []

    init(
        client clientLimits: HTTP2Limits = HTTP2Limits(),
        server serverLimits: HTTP2Limits = HTTP2Limits()
    ) throws {
        client = try HTTP2Session(.client, limits: clientLimits)
        server = try HTTP2Session(.server, limits: serverLimits)
    }

    /// Carries bytes both ways until neither side has any.
    func exchange() {
        while deliverToServer() + deliverToClient() > 0 {}
    }

    @discardableResult
    func deliverToServer() -> Int {
        let bytes = client.takeAllOutput()
        sentByClient += bytes
        server.receive(bytes)
        serverEvents += server.newEvents()
        clientEvents += client.newEvents()
        return bytes.count
    }

    @discardableResult
    func deliverToClient() -> Int {
        let bytes = server.takeAllOutput()
        client.receive(bytes)
        clientEvents += client.newEvents()
        serverEvents += server.newEvents()
        return bytes.count
    }
}

extension HTTP2Session {
    func takeAllOutput() -> [UInt8] {
        var bytes: [UInt8] = []
        takeOutput(into: &bytes, atMost: .max)
        return bytes
    }

    func receive(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { receive($0) }
    }

    func newEvents() -> [HTTP2Event] {
        var events: [HTTP2Event] = []
        takeEvents(into: &events)
        return events
    }
}

extension [HTTP2Event] {
    /// The events as text with neighbouring pieces of a body joined, so that they can be compared
    /// whatever pieces the bytes came in.
    var transcript: [String] {
        var lines: [String] = []
        var pieces: [Int32: [UInt8]] = [:]
        for event in self {
            guard case .data(let stream, let bytes, let endsStream) = event else {
                lines.append("\(event)")
                continue
            }
            pieces[stream, default: []] += bytes
            if endsStream {
                lines.append("body of \(stream): \(pieces[stream, default: []])")
            }
        }
        return lines
    }

    /// The whole body that has arrived on a stream.
    func body(of stream: Int32) -> [UInt8] {
        flatMap { event -> [UInt8] in
            guard case .data(stream, let bytes, _) = event else { return [] }
            return bytes
        }
    }

    func ends(_ stream: Int32) -> Bool {
        contains {
            switch $0 {
            case .headers(stream, _, endsStream: true), .data(stream, _, endsStream: true),
                .trailers(stream, _):
                true
            default: false
            }
        }
    }

    func fields(of stream: Int32) -> [String: String]? {
        for case .headers(stream, let fields, _) in self {
            return Dictionary(fields, uniquingKeysWith: { "\($0), \($1)" })
        }
        return nil
    }

    func closing(of stream: Int32) -> HTTP2ErrorCode? {
        for case .closed(stream, let code) in self { return code }
        return nil
    }

    var requestCount: Int {
        count { if case .headers = $0 { true } else { false } }
    }
}

func requestFields(
    _ method: String = "GET", path: String = "/v1/alarms", with more: [HeaderField] = []
) -> [HeaderField] {
    [
        (":method", method), (":scheme", "https"), (":authority", "leitstand.example"),
        (":path", path),
    ] + more
}
