import Client
import EventLoop
import Glibc
import HTTP
import Server
import TLS

/// Runs `body` on a loop of its own and stops the loop afterwards.
func onLoop<Result: Sendable>(
    _ body: @Sendable (isolated EventLoop) async throws -> Result
) async throws -> Result {
    let loop = try EventLoop(name: "Client tests")
    do {
        let result = try await body(loop)
        await loop.stop()
        return result
    } catch {
        await loop.stop()
        throw error
    }
}

/// Our own server on loopback with a responder that says little.
final class TestServer {
    let responder = TestResponder()
    let port: UInt16
    private let server: Server

    init(
        tls: TLSContext? = nil, port: UInt16 = 0, limits: ServerLimits = ServerLimits(),
        on loop: isolated EventLoop
    ) throws {
        let address = ListenAddress(host: "127.0.0.1", port: port)
        let sockets = try ListeningSockets(
            [ListeningSockets.Place(address: address, tls: tls)], loops: 1)
        self.port = sockets.places[0].address.port
        server = Server(responder: responder, limits: limits) { _ in }
        try server.listen(on: sockets.byLoop[0], loop: loop)
    }

    /// Tells clients to go away, and cuts them off when they have not gone in time.
    func drain(within time: Duration, on loop: isolated EventLoop) async {
        await server.drain(within: time, on: loop)
    }
}

/// Answers with what it was sent, or not before it is told to.
final class TestResponder: Responder {
    /// A request to `/hold` has arrived.
    let held = Signal()
    /// Such requests are to be answered.
    let released = Signal()
    private(set) var runningMax = 0
    private var running = 0

    func respond(to request: Request) async -> Response {
        running += 1
        runningMax = max(runningMax, running)
        defer { running -= 1 }
        if request.target.segments == ["hold"] {
            held.happen()
            await released.wait()
        } else {
            // So that requests really are under way together.
            await Task.yield()
        }
        return Response(
            status: 200,
            fields: [
                ("x-method", request.method.rawValue),
                ("x-host", request.fields.first(named: "host") ?? ""),
                ("x-sent", request.fields.first(named: "x-sent") ?? ""),
            ], body: request.body)
    }

    func respond(to problem: Problem, requestID: String) -> Response {
        Response(status: problem.status)
    }
}

/// A socket on loopback that takes connections into its backlog, and at most says one thing.
final class SilentServer {
    let port: UInt16
    private let descriptor: Int32
    private var connection: Int32?

    init(on loop: isolated EventLoop) throws {
        let sockets = try ListeningSockets(
            [ListeningSockets.Place(address: ListenAddress(host: "127.0.0.1", port: 0), tls: nil)],
            loops: 1)
        descriptor = sockets.byLoop[0][0].descriptor
        port = sockets.places[0].address.port
    }

    deinit {
        if let connection { close(connection) }
        close(descriptor)
    }

    /// Says `text` to a client that has connected already, and listens to none of it.
    func say(_ text: String) {
        let connection = accept(descriptor, nil, nil)
        Array(text.utf8).withUnsafeBytes { _ = write(connection, $0.baseAddress, $0.count) }
        self.connection = connection
    }
}
