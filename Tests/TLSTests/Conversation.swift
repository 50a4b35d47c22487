import TLS

/// A client and a server stream that exchange their ciphertext in memory.
final class Conversation {
    enum Side { case client, server }

    let client: TLSStream
    let server: TLSStream
    private(set) var receivedByClient: [UInt8] = []
    private(set) var receivedByServer: [UInt8] = []

    init(
        client: TLSContext, server: TLSContext, serverName: String = "localhost"
    ) throws(TLSError) {
        self.client = try TLSStream(client: client, serverName: serverName)
        self.server = try TLSStream(server: server)
    }

    /// Carries ciphertext back and forth until neither side has any; `nextChunk` gives the size of
    /// each piece that is delivered.
    func exchange(nextChunk: () -> Int = { .max }) throws(TLSError) {
        while client.hasCiphertext || server.hasCiphertext {
            try deliver(to: .server, nextChunk: nextChunk)
            try deliver(to: .client, nextChunk: nextChunk)
        }
    }

    /// Carries what the other side has for `side` to it, once.
    func deliver(to side: Side, nextChunk: () -> Int = { .max }) throws(TLSError) {
        var ciphertext: [UInt8] = []
        switch side {
        case .client: server.takeCiphertext(into: &ciphertext)
        case .server: client.takeCiphertext(into: &ciphertext)
        }
        var rest = ciphertext[...]
        while !rest.isEmpty {
            let chunk = Array(rest.prefix(nextChunk()))
            rest = rest.dropFirst(chunk.count)
            switch side {
            case .client: receivedByClient += try client.receive(chunk)
            case .server: receivedByServer += try server.receive(chunk)
            }
        }
    }

    /// The error that ends the exchange, and which side met it; nil if none did.
    func exchangeUntilError() -> (side: Side, error: TLSError)? {
        while client.hasCiphertext || server.hasCiphertext {
            do { try deliver(to: .server) } catch { return (.server, error) }
            do { try deliver(to: .client) } catch { return (.client, error) }
        }
        return nil
    }
}

extension TLSStream {
    func receive(_ bytes: [UInt8]) throws(TLSError) -> [UInt8] {
        var plaintext: [UInt8] = []
        let result = bytes.withUnsafeBytes { buffer in
            Result { () throws(TLSError) in try receive(buffer, into: &plaintext) }
        }
        try result.get()
        return plaintext
    }

    func write(_ bytes: [UInt8]) throws(TLSError) {
        let result = bytes.withUnsafeBytes { buffer in
            Result { () throws(TLSError) in try write(buffer) }
        }
        try result.get()
    }

    func takeCiphertext() -> [UInt8] {
        var bytes: [UInt8] = []
        takeCiphertext(into: &bytes)
        return bytes
    }
}

extension TLSError {
    /// The reasons of the faults behind a failed handshake or a broken connection.
    var reasons: [String] {
        switch self {
        case .handshakeFailed(let faults), .connectionBroken(let faults): faults.map(\.reason)
        default: []
        }
    }
}
