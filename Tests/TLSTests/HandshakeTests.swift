import TLS
import Testing

@Suite struct `A TLS handshake` {
    private let authority: TestAuthority
    private let identity: TestAuthority.Identity

    init() throws {
        authority = try TestAuthority()
        identity = try authority.issue("server")
    }

    private func server(_ protocols: [String] = ["h2", "http/1.1"]) throws -> TLSContext {
        try .server(
            certificateFile: identity.certificateFile, keyFile: identity.keyFile,
            protocols: protocols)
    }

    private func client(_ protocols: [String] = ["h2", "http/1.1"]) throws -> TLSContext {
        try .client(trustFile: authority.trustFile, protocols: protocols)
    }

    @Test(arguments: TestAuthority.KeyKind.allCases, [TLSVersion.v1_2, .v1_3])
    func `succeeds with both kinds of key in both versions`(
        kind: TestAuthority.KeyKind, version: TLSVersion
    ) throws {
        let identity = try authority.issue("other", kind)
        let conversation = try Conversation(
            client: .client(trustFile: authority.trustFile, protocols: ["h2"], newest: version),
            server: .server(
                certificateFile: identity.certificateFile, keyFile: identity.keyFile,
                protocols: ["h2"]))

        try conversation.exchange()

        #expect(conversation.client.isHandshakeComplete)
        #expect(conversation.server.isHandshakeComplete)
        #expect(conversation.client.version == version)
        #expect(conversation.server.version == version)
    }

    @Test(arguments: [
        (["h2", "http/1.1"], "h2"),
        // The server's preference decides, not the client's.
        (["http/1.1", "h2"], "h2"),
        (["acme-tls/1", "http/1.1"], "http/1.1"),
        ([], nil),
    ])
    func `agrees on the first of the server's protocols that the client offers`(
        offer: [String], agreed: String?
    ) throws {
        let conversation = try Conversation(client: client(offer), server: server())

        try conversation.exchange()

        #expect(conversation.server.isHandshakeComplete)
        #expect(conversation.server.negotiatedProtocol == agreed)
        #expect(conversation.client.negotiatedProtocol == agreed)
    }

    @Test func `with no protocol in common ends in the alert for it`() throws {
        let conversation = try Conversation(client: client(["spdy/3"]), server: server())

        let refusal = try #require(conversation.exchangeUntilError())

        #expect(refusal.side == .server)
        #expect(refusal.error.reasons == ["no application protocol"])
        // A fatal alert, number 120 (RFC 7301 §3.2).
        #expect(conversation.server.takeCiphertext().suffix(2) == [2, 120])
    }

    @Test func `ignores the client's offer if the server has no protocols`() throws {
        let conversation = try Conversation(client: client(["h2"]), server: server([]))

        try conversation.exchange()

        #expect(conversation.server.isHandshakeComplete)
        #expect(conversation.client.negotiatedProtocol == nil)
    }

    @Test func `reaches a trusted root by the chain in the certificate file`() throws {
        let intermediate = try authority.issueIntermediate("intermediate")
        let leaf = try authority.issue("leaf", by: intermediate)
        let chainFile = authority.path(of: "chain.pem")
        let chain = try [leaf, intermediate].map {
            try String(contentsOfFile: $0.certificateFile, encoding: .utf8)
        }
        try chain.joined().write(toFile: chainFile, atomically: true, encoding: .utf8)
        let conversation = try Conversation(
            client: client(),
            server: .server(
                certificateFile: chainFile, keyFile: leaf.keyFile, protocols: ["h2"]))

        try conversation.exchange()

        #expect(conversation.client.isHandshakeComplete)
    }

    @Test func `accepts an address that the certificate carries`() throws {
        let conversation = try Conversation(
            client: client(), server: server(), serverName: "127.0.0.1")

        try conversation.exchange()

        #expect(conversation.client.isHandshakeComplete)
    }

    @Test(arguments: [
        ("example.org", 62, "hostname mismatch"),
        ("127.0.0.2", 64, "IP address mismatch"),
    ])
    func `is refused by the client for a certificate of another name`(
        name: String, code: Int, reason: String
    ) throws {
        let conversation = try Conversation(
            client: client(), server: server(), serverName: name)

        let refusal = try #require(conversation.exchangeUntilError())

        #expect(refusal.side == .client)
        #expect(refusal.error == .peerCertificateRefused(code: code, reason: reason))
    }

    @Test func `is refused by the client for an unknown authority and the server learns why`()
        throws
    {
        let stranger = try TestAuthority()
        let conversation = try Conversation(
            client: .client(trustFile: stranger.trustFile, protocols: []), server: server())

        let refusal = try #require(conversation.exchangeUntilError())
        let echo = #expect(throws: TLSError.self) { try conversation.deliver(to: .server) }

        #expect(refusal.side == .client)
        #expect(
            refusal.error
                == .peerCertificateRefused(
                    code: 20, reason: "unable to get local issuer certificate"))
        #expect(echo?.reasons.contains("tlsv1 alert unknown ca") == true)
    }

    @Test func `is refused by a client that trusts only the system's store`() throws {
        let conversation = try Conversation(
            client: .client(trustFile: nil, protocols: []), server: server())

        let refusal = try #require(conversation.exchangeUntilError())

        #expect(refusal.side == .client)
    }

    @Test(arguments: ["", "localhost\0.example.org"])
    func `cannot be asked for without a proper name`(name: String) throws {
        let context = try client()

        #expect(throws: TLSError.serverNameUnusable(name)) {
            try TLSStream(client: context, serverName: name)
        }
    }

    @Test func `in TLS 1.1 is refused with the alert for the version`() throws {
        let stream = try TLSStream(server: server())

        let error = #expect(throws: TLSError.self) {
            try stream.receive(ClientHello(version: 0x0302, cipherSuites: [0xc013, 0x002f]).record)
        }

        #expect(error?.reasons == ["unsupported protocol"])
        // A fatal alert, number 70 (RFC 8446 §6.2).
        #expect(stream.takeCiphertext().suffix(2) == [2, 70])
    }

    @Test func `in TLS 1.2 with ciphers that HTTP2 prohibits is refused`() throws {
        let stream = try TLSStream(server: server())

        // ECDHE with AES-CBC, and AES-GCM without forward secrecy.
        let error = #expect(throws: TLSError.self) {
            try stream.receive(
                ClientHello(version: 0x0303, cipherSuites: [0xc013, 0xc009, 0x009c]).record)
        }

        #expect(error?.reasons == ["no shared cipher"])
    }

    @Test func `waits for the rest of a message without an error`() throws {
        let stream = try TLSStream(server: server())
        let hello = try TLSStream(client: client(), serverName: "localhost").takeCiphertext()

        _ = try stream.receive(Array(hello.prefix(hello.count / 2)))

        #expect(!stream.hasCiphertext)
        #expect(!stream.isHandshakeComplete)

        _ = try stream.receive(Array(hello.dropFirst(hello.count / 2)))

        #expect(stream.hasCiphertext)
    }

    @Test func `succeeds byte by byte`() throws {
        let conversation = try Conversation(client: client(), server: server())

        try conversation.exchange(nextChunk: { 1 })

        #expect(conversation.client.isHandshakeComplete)
        #expect(conversation.server.isHandshakeComplete)
    }

    @Test(arguments: [
        "GET / HTTP/1.1\r\n\r\n", "DELETE /v1/sites/mannheim HTTP/1.1\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ])
    func `tells plain HTTP from other bytes, however they are split`(request: String) throws {
        let whole = try TLSStream(server: server())
        let split = try TLSStream(server: server())

        #expect(throws: TLSError.peerSpeaksPlaintextHTTP) {
            try whole.receive(Array(request.utf8))
        }
        #expect(throws: TLSError.peerSpeaksPlaintextHTTP) {
            for byte in request.utf8 { _ = try split.receive([byte]) }
        }
        // The caller may answer in plain HTTP.
        #expect(!whole.hasCiphertext)
    }

    @Test func `tells a client that the server speaks plain HTTP`() throws {
        let stream = try TLSStream(client: client(), serverName: "localhost")

        #expect(throws: TLSError.peerSpeaksPlaintextHTTP) {
            try stream.receive(Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8))
        }
    }

    @Test func `fails on garbage, again at each further call`() throws {
        let stream = try TLSStream(server: server())
        let garbage: [UInt8] = (0..<64).map { 0xA5 ^ UInt8($0) }

        let error = #expect(throws: TLSError.self) { try stream.receive(garbage) }
        let again = #expect(throws: TLSError.self) { try stream.receive(garbage) }
        let onWrite = #expect(throws: TLSError.self) { try stream.write([1]) }

        #expect(error?.reasons == ["wrong version number"])
        #expect(again == error)
        #expect(onWrite == error)
    }

    @Test func `leaves no faults behind for another connection of the thread`() throws {
        let broken = try TLSStream(server: server())
        let conversation = try Conversation(client: client(), server: server())

        #expect(throws: TLSError.self) { try broken.receive(Array("SSH-2.0-client\r\n".utf8)) }
        try conversation.exchange()

        #expect(conversation.server.isHandshakeComplete)
    }
}
