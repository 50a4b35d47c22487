import TLS
import Testing

@Suite struct `A TLS stream` {
    private let authority: TestAuthority
    private let serverContext: TLSContext

    init() throws {
        authority = try TestAuthority()
        let identity = try authority.issue("server")
        serverContext = try .server(
            certificateFile: identity.certificateFile, keyFile: identity.keyFile,
            protocols: ["h2"])
    }

    private func start(_ version: TLSVersion = .v1_3) throws -> Conversation {
        try Conversation(
            client: .client(trustFile: authority.trustFile, protocols: ["h2"], newest: version),
            server: serverContext)
    }

    private func connect(_ version: TLSVersion = .v1_3) throws -> Conversation {
        let conversation = try start(version)
        try conversation.exchange()
        return conversation
    }

    @Test(arguments: [TLSVersion.v1_2, .v1_3])
    func `carries a megabyte each way in chunks of any size`(version: TLSVersion) throws {
        let conversation = try connect(version)
        var random = SplitMix64(seed: 2023)
        let toServer = random.bytes(1 << 20)
        let toClient = random.bytes(1 << 20)

        try conversation.client.write(toServer)
        var rest = toClient[...]
        while !rest.isEmpty {
            let piece = Array(rest.prefix(Int.random(in: 1...70_000, using: &random)))
            rest = rest.dropFirst(piece.count)
            try conversation.server.write(piece)
        }
        try conversation.exchange(nextChunk: { Int.random(in: 1...40_000, using: &random) })

        #expect(conversation.receivedByServer == toServer)
        #expect(conversation.receivedByClient == toClient)
    }

    @Test func `yields plaintext that comes with the end of the handshake`() throws {
        let conversation = try start()
        try conversation.deliver(to: .server)
        try conversation.deliver(to: .client)

        // In TLS 1.3 the client is ready first: its Finished and this travel together.
        try conversation.client.write([1, 2, 3])
        try conversation.deliver(to: .server)

        #expect(conversation.receivedByServer == [1, 2, 3])
    }

    @Test func `adds ciphertext to what is in the buffer and forgets it`() throws {
        let conversation = try connect()
        var buffer: [UInt8] = [9]

        try conversation.server.write([1])
        conversation.server.takeCiphertext(into: &buffer)

        #expect(buffer.first == 9)
        #expect(buffer.count > 1)
        #expect(!conversation.server.hasCiphertext)
    }

    @Test func `refuses plaintext before the handshake is complete and then goes on`() throws {
        let conversation = try start()

        #expect(throws: TLSError.handshakeIncomplete) { try conversation.server.write([1]) }
        #expect(throws: TLSError.handshakeIncomplete) { try conversation.client.write([1]) }
        try conversation.exchange()

        #expect(conversation.server.isHandshakeComplete)
    }

    @Test func `writes nothing for no plaintext`() throws {
        let conversation = try connect()

        try conversation.server.write([])

        #expect(!conversation.server.hasCiphertext)
    }

    @Test(arguments: [TLSVersion.v1_2, .v1_3])
    func `learns of the peer's close after its last bytes`(version: TLSVersion) throws {
        let conversation = try connect(version)

        try conversation.client.write([1, 2])
        conversation.client.close()
        #expect(!conversation.server.peerClosed)
        try conversation.deliver(to: .server)

        #expect(conversation.receivedByServer == [1, 2])
        #expect(conversation.server.peerClosed)
        #expect(!conversation.client.peerClosed)
    }

    @Test func `still answers a peer that has closed its side`() throws {
        let conversation = try connect()

        conversation.client.close()
        try conversation.deliver(to: .server)
        try conversation.server.write([3, 4])
        conversation.server.close()
        try conversation.deliver(to: .client)

        #expect(conversation.receivedByClient == [3, 4])
        #expect(conversation.client.peerClosed)
    }

    @Test func `ignores what follows the peer's close`() throws {
        let conversation = try connect()
        conversation.client.close()
        try conversation.deliver(to: .server)

        let plaintext = try conversation.server.receive(Array("GET / HTTP/1.1".utf8))

        #expect(plaintext.isEmpty)
    }

    @Test func `closes once and then refuses to write`() throws {
        let conversation = try connect()

        conversation.server.close()
        #expect(!conversation.server.takeCiphertext().isEmpty)
        conversation.server.close()

        #expect(!conversation.server.hasCiphertext)
        #expect(throws: TLSError.closed) { try conversation.server.write([1]) }
    }

    @Test func `is over when closed during the handshake`() throws {
        let conversation = try start()

        conversation.server.close()

        #expect(!conversation.server.hasCiphertext)
        #expect(throws: TLSError.closed) { try conversation.deliver(to: .server) }
    }

    @Test func `breaks at a forged record and keeps what came before`() throws {
        let conversation = try connect()
        try conversation.client.write([1, 2])
        var ciphertext = conversation.client.takeCiphertext()
        try conversation.client.write([3, 4])
        ciphertext += conversation.client.takeCiphertext()
        ciphertext[ciphertext.count - 1] ^= 1
        var plaintext: [UInt8] = []

        let error = #expect(throws: TLSError.self) {
            try ciphertext.withUnsafeBytes {
                try conversation.server.receive($0, into: &plaintext)
            }
        }

        #expect(plaintext == [1, 2])
        #expect(error?.reasons == ["decryption failed or bad record mac"])
        // The peer is owed the alert.
        #expect(conversation.server.hasCiphertext)
    }

    @Test func `outlives the context's other owners`() throws {
        let conversation = try Conversation(
            client: .client(trustFile: authority.trustFile, protocols: ["h2"]),
            server: makeServerContext())

        try conversation.exchange()

        #expect(conversation.server.negotiatedProtocol == "h2")
    }

    private func makeServerContext() throws -> TLSContext {
        let identity = try authority.issue("short-lived")
        return try .server(
            certificateFile: identity.certificateFile, keyFile: identity.keyFile,
            protocols: ["h2"])
    }
}

/// A generator with a seed, so that a failure repeats.
private struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) }
    }
}
