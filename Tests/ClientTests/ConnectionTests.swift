import Client
import EventLoop
import Server
import TLS
import Testing

@Suite(.timeLimit(.minutes(1))) struct `A client's connection` {
    /// Plaintext, or TLS with a certificate for this test.
    enum Transport: CaseIterable { case plaintext, tls }

    private struct Contexts: Sendable {
        var server: TLSContext?
        var client: TLSContext?
    }

    private func contexts(_ transport: Transport) throws -> Contexts {
        guard transport == .tls else { return Contexts() }
        let certificate = try TestCertificate()
        return Contexts(
            server: try certificate.serverContext(), client: try certificate.clientContext())
    }

    /// Why no connection came about; nil when one did.
    private func connectFailure(
        port: UInt16, tls: TLSContext? = nil, limits: ClientLimits = ClientLimits(),
        on loop: isolated EventLoop
    ) async -> ClientError? {
        do throws(ClientError) {
            try await ClientConnection.connect(
                host: "127.0.0.1", port: port, tls: tls, limits: limits, on: loop
            ).close()
            return nil
        } catch {
            return error
        }
    }

    // Not `#expect(throws:)`: its closure leaves the loop.
    /// Why a request got no response; nil when it got one.
    private func sendFailure(
        _ connection: ClientConnection, _ path: String, body: [UInt8] = []
    ) async -> ClientError? {
        do throws(ClientError) {
            _ = try await connection.send("POST", path, body: body)
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: Transport.allCases)
    func `carries a request and its response`(transport: Transport) async throws {
        let contexts = try contexts(transport)
        try await onLoop { loop in
            let server = try TestServer(tls: contexts.server, on: loop)
            let connection = try await ClientConnection.connect(
                host: "127.0.0.1", port: server.port, tls: contexts.client, on: loop)

            let response = try await connection.send(
                "POST", "/echo", fields: [("x-sent", "ä")], body: Array("hello".utf8))

            #expect(response.status == 200)
            #expect(response.body == Array("hello".utf8))
            #expect(response.field("x-method") == "POST")
            #expect(response.field("x-host") == "127.0.0.1:\(server.port)")
            #expect(response.field("x-sent") == "ä")
            connection.close()
        }
    }

    @Test(arguments: Transport.allCases)
    func `carries a thousand requests at a time within the server's limit of streams`(
        transport: Transport
    ) async throws {
        let contexts = try contexts(transport)
        try await onLoop { loop in
            var limits = ServerLimits()
            limits.streamsMax = 8
            let server = try TestServer(tls: contexts.server, limits: limits, on: loop)
            let connection = try await ClientConnection.connect(
                host: "127.0.0.1", port: server.port, tls: contexts.client, on: loop)
            // The server's limit is known from its first frames on.
            _ = try await connection.send("GET", "/echo")

            let tasks = (0..<1_000).map { number in
                Task {
                    _ = loop
                    return try await connection.send(
                        "POST", "/echo", body: Array("\(number)".utf8))
                }
            }
            for (number, task) in tasks.enumerated() {
                let response = try await task.value
                #expect(response.status == 200)
                #expect(response.body == Array("\(number)".utf8))
            }

            #expect(server.responder.runningMax == 8)
            #expect(connection.outstandingCount == 0)
            connection.close()
        }
    }

    @Test(arguments: Transport.allCases)
    func `carries bodies larger than every window and buffer`(transport: Transport) async throws {
        let contexts = try contexts(transport)
        try await onLoop { loop in
            var limits = ServerLimits()
            limits.bodyBytesMax = 10 * 1024 * 1024
            limits.connectionBodyBytesMax = limits.bodyBytesMax
            let server = try TestServer(tls: contexts.server, limits: limits, on: loop)
            let connection = try await ClientConnection.connect(
                host: "127.0.0.1", port: server.port, tls: contexts.client, on: loop)
            let words = (0..<9 * 1024 * 1024 / 8).map { UInt64($0) &* 0x9e37_79b9_7f4a_7c15 }
            let body = words.withUnsafeBytes { Array($0) }

            let response = try await connection.send("POST", "/echo", body: body)

            // Not #expect on the arrays: a difference of 9 MB cannot be shown.
            let isSame = response.body == body
            #expect(isSame)
            connection.close()
        }
    }

    @Test func `is cut off with an error, and another one works`() async throws {
        try await onLoop { loop in
            let server = try TestServer(on: loop)
            let connection = try await ClientConnection.connect(
                host: "127.0.0.1", port: server.port, on: loop)
            let cutOff = (0..<3).map { _ in
                Task {
                    _ = loop
                    return await sendFailure(connection, "/hold")
                }
            }
            await server.responder.held.wait()

            await server.drain(within: .zero, on: loop)

            for task in cutOff {
                let failure = await task.value
                #expect(failure == .connectionLost("the server closed it"))
            }
            #expect(!connection.isOpen)
            let failure = await sendFailure(connection, "/echo")
            #expect(failure == .refused)
            server.responder.released.happen()

            let successor = try TestServer(port: server.port, on: loop)
            let next = try await ClientConnection.connect(
                host: "127.0.0.1", port: successor.port, on: loop)
            let response = try await next.send("GET", "/echo")
            #expect(response.status == 200)
            next.close()
        }
    }

    @Test func `finishes what runs when the server goes away, and takes nothing more`() async throws
    {
        try await onLoop { loop in
            let server = try TestServer(on: loop)
            let connection = try await ClientConnection.connect(
                host: "127.0.0.1", port: server.port, on: loop)
            let running = Task {
                _ = loop
                return try await connection.send("GET", "/hold").status
            }
            await server.responder.held.wait()

            let drained = Task {
                _ = loop
                await server.drain(within: .seconds(30), on: loop)
            }
            // Drained means that the goodbye is on its way, and the response follows it.
            await Task.yield()
            server.responder.released.happen()

            let status = try await running.value
            #expect(status == 200)
            #expect(!connection.isOpen)
            let failure = await sendFailure(connection, "/echo")
            #expect(failure == .refused)
            await drained.value
        }
    }

    @Test func `gives up a response that does not come in time, and goes on`() async throws {
        try await onLoop { loop in
            let server = try TestServer(on: loop)
            var limits = ClientLimits()
            limits.requestTimeMax = .milliseconds(500)
            let connection = try await ClientConnection.connect(
                host: "127.0.0.1", port: server.port, limits: limits, on: loop)

            let failure = await sendFailure(connection, "/hold")
            #expect(failure == .timedOut)

            server.responder.released.happen()
            let response = try await connection.send("GET", "/echo")
            #expect(response.status == 200)
            connection.close()
        }
    }

    @Test func `refuses a body over the limit, and goes on`() async throws {
        try await onLoop { loop in
            let server = try TestServer(on: loop)
            var limits = ClientLimits()
            limits.responseBodyBytesMax = 1_000
            let connection = try await ClientConnection.connect(
                host: "127.0.0.1", port: server.port, limits: limits, on: loop)

            let failure = await sendFailure(
                connection, "/echo", body: Array(repeating: 1, count: 1_001))
            #expect(failure == .protocolError("the response's body is too large"))

            let response = try await connection.send("GET", "/echo")
            #expect(response.status == 200)
            connection.close()
        }
    }

    @Test func `ends what waits when it is closed`() async throws {
        try await onLoop { loop in
            let server = try TestServer(on: loop)
            let connection = try await ClientConnection.connect(
                host: "127.0.0.1", port: server.port, on: loop)
            let waiting = Task {
                _ = loop
                return await sendFailure(connection, "/hold")
            }
            await server.responder.held.wait()

            connection.close()

            let failure = await waiting.value
            #expect(failure == .connectionLost("closed by this side"))
            server.responder.released.happen()
        }
    }

    @Test func `is not made where nobody listens`() async throws {
        try await onLoop { loop in
            // Bound, then given back.
            let port = try SilentServer(on: loop).port

            let failure = await connectFailure(port: port, on: loop)

            #expect(failure == .cannotConnect("Connection refused"))
        }
    }

    @Test func `is not made over TLS with a server that says nothing`() async throws {
        let context = try #require(try contexts(.tls).client)
        try await onLoop { loop in
            let server = try SilentServer(on: loop)
            var limits = ClientLimits()
            limits.connectTimeMax = .milliseconds(20)

            let failure = await connectFailure(
                port: server.port, tls: context, limits: limits, on: loop)

            #expect(failure == .timedOut)
        }
    }

    @Test func `is not made with a server whose certificate nobody trusts`() async throws {
        let server = try contexts(.tls).server
        let stranger = try contexts(.tls).client
        try await onLoop { loop in
            let server = try TestServer(tls: server, on: loop)

            let failure = await connectFailure(port: server.port, tls: stranger, on: loop)

            #expect(failure?.description.contains("certificate is refused") == true)
        }
    }

    @Test func `is not made over TLS with a server that speaks HTTP/1.1 only`() async throws {
        let certificate = try TestCertificate()
        let server = try certificate.serverContext(protocols: [])
        let client = try certificate.clientContext()
        try await onLoop { loop in
            let server = try TestServer(tls: server, on: loop)

            let failure = await connectFailure(port: server.port, tls: client, on: loop)

            #expect(failure == .cannotConnect("the server speaks no HTTP/2 over TLS"))
        }
    }

    @Test func `is ended by a server that speaks something else`() async throws {
        try await onLoop { loop in
            let server = try SilentServer(on: loop)
            let connection = try await ClientConnection.connect(
                host: "127.0.0.1", port: server.port, on: loop)
            let request = Task {
                _ = loop
                return await sendFailure(connection, "/")
            }

            // Its connection's end is left open, so that nothing but its words ends ours.
            server.say("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")

            let failure = await request.value
            #expect(
                failure?.description.contains("broke the protocol") == true,
                "\(failure?.description ?? "answered")")
            #expect(!connection.isOpen)
        }
    }
}
