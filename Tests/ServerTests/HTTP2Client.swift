import HTTP2
import TLS

/// A blocking HTTP/2 client; used by one thread.
final class HTTP2Client {
    struct Stream {
        var status: Int?
        var fields: [HeaderField] = []
        var body: [UInt8] = []
        var closed: HTTP2ErrorCode?
    }

    let raw: RawClient
    let session: HTTP2Session
    private(set) var streams: [Int32: Stream] = [:]
    /// The last stream ids of the GOAWAYs received.
    private(set) var goAways: [Int32] = []
    /// Pings that the server has answered.
    private(set) var pings = 0

    init(
        port: UInt16, tls: TLSContext? = nil, receiveBufferBytes: Int32? = nil,
        limits: HTTP2Limits = HTTP2Limits()
    ) throws {
        raw = try RawClient(port: port, tls: tls, receiveBufferBytes: receiveBufferBytes)
        session = try HTTP2Session(.client, limits: limits)
    }

    func request(
        _ method: String, _ path: String, fields: [HeaderField] = [], body: [UInt8] = []
    ) throws -> Int32 {
        let stream = try session.request(
            fields: [
                (":method", method), (":scheme", "http"), (":authority", "test"), (":path", path),
            ] + fields,
            body: body)
        streams[stream] = Stream()
        try flush()
        return stream
    }

    func flush() throws {
        var bytes: [UInt8] = []
        session.takeOutput(into: &bytes, atMost: .max)
        if !bytes.isEmpty { try raw.send(bytes) }
    }

    /// Exchanges bytes until `condition` holds or the server has closed.
    func run(until condition: (HTTP2Client) -> Bool) throws {
        try flush()
        while !condition(self), !raw.isAtEnd {
            try raw.receiveMore()
            raw.takeReceived().withUnsafeBytes { session.receive($0) }
            takeEvents()
            try flush()
        }
    }

    /// Exchanges bytes until the stream is closed.
    func response(to stream: Int32) throws -> Stream {
        try run { $0.streams[stream]?.closed != nil }
        guard let found = streams[stream] else { throw RawClient.Failure(what: "no such stream") }
        return found
    }

    func get(_ path: String) throws -> Stream { try response(to: request("GET", path)) }

    private func takeEvents() {
        var events: [HTTP2Event] = []
        session.takeEvents(into: &events)
        for event in events {
            switch event {
            case .headers(let stream, let fields, _):
                streams[stream, default: Stream()].status = fields.first { $0.name == ":status" }
                    .flatMap { Int($0.value) }
                streams[stream]?.fields = fields
            case .data(let stream, let bytes, _): streams[stream]?.body += bytes
            case .closed(let stream, let code): streams[stream, default: Stream()].closed = code
            case .goAway(let lastStream, _): goAways.append(lastStream)
            case .pingAcknowledged: pings += 1
            case .headersTooLarge, .trailers: break
            }
        }
    }
}
