import Dispatch
import EventLoop
import Server
import TLS

/// A server on a port of its own, with its responder and what it has told about itself.
final class TestServer: Sendable {
    /// What lives on the server's loop.
    final class Inside {
        let responder: TestResponder
        let server: Server
        let observed: Observed

        init(_ responder: TestResponder, _ server: Server, _ observed: Observed) {
            self.responder = responder
            self.server = server
            self.observed = observed
        }
    }

    final class Observed {
        var opened = 0
        var closed = 0
        var refused = 0
        var failures: [String] = []
        private var waiting: [(until: (Observed) -> Bool, CheckedContinuation<Void, Never>)] = []

        /// Suspends until something was observed after which `condition` holds.
        func becomes(_ condition: @escaping (Observed) -> Bool) async {
            guard !condition(self) else { return }
            await withCheckedContinuation { waiting.append((condition, $0)) }
        }

        func note(_ observation: ServerObservation) {
            switch observation {
            case .connectionOpened: opened += 1
            case .connectionClosed: closed += 1
            case .connectionRefused: refused += 1
            case .peerFailed(let reason): failures.append(reason)
            }
            for (condition, continuation) in waiting where condition(self) { continuation.resume() }
            waiting.removeAll { $0.until(self) }
        }
    }

    let port: UInt16
    private let loop: EventLoop
    private let inside: LoopBound<Inside>

    private init(_ limits: ServerLimits, _ sockets: ListeningSockets, index: Int) async throws {
        let loop = try EventLoop(name: "server")
        self.loop = loop
        port = sockets.places[0].address.port
        let mine = sockets.byLoop[index]
        inside = try await loop.run { loop in
            let (responder, observed) = (TestResponder(), Observed())
            let server = Server(responder: responder, limits: limits) { observed.note($0) }
            try server.listen(on: mine, loop: loop)
            return LoopBound(Inside(responder, server, observed), to: loop)
        }
    }

    static func place(_ port: UInt16 = 0, tls: TLSContext? = nil) -> ListeningSockets.Place {
        ListeningSockets.Place(address: ListenAddress(host: "127.0.0.1", port: port), tls: tls)
    }

    /// Runs a server for as long as `body` runs.
    static func run<Result: Sendable>(
        tls: TLSContext? = nil, limits change: (inout ServerLimits) -> Void = { _ in },
        _ body: (TestServer) async throws -> Result
    ) async throws -> Result {
        try await run(loops: 1, tls: tls, limits: change) { servers in try await body(servers[0]) }
    }

    /// Runs a server per loop, all on one port.
    static func run<Result: Sendable>(
        loops: Int, tls: TLSContext? = nil,
        limits change: (inout ServerLimits) -> Void = { _ in },
        _ body: ([TestServer]) async throws -> Result
    ) async throws -> Result {
        var limits = ServerLimits()
        change(&limits)
        let sockets = try ListeningSockets([place(tls: tls)], loops: loops)
        var servers: [TestServer] = []
        for index in 0..<loops {
            servers.append(try await TestServer(limits, sockets, index: index))
        }
        do {
            let result = try await body(servers)
            for server in servers { await server.stop() }
            return result
        } catch {
            for server in servers { await server.stop() }
            throw error
        }
    }

    private func stop() async {
        await drain(within: .zero)
        await loop.stop()
    }

    func drain(within time: Duration) async {
        await inside.run { inside, loop in
            inside.responder.release()
            await inside.server.drain(within: time, on: loop)
        }
    }

    /// As `drain`, but leaves the requests that wait to the test.
    func drainKeepingRequests(within time: Duration) async {
        await inside.run { inside, loop in await inside.server.drain(within: time, on: loop) }
    }

    /// Does something on the loop.
    func on<Result: Sendable>(
        _ body: @Sendable (Inside) async throws -> Result
    ) async throws -> Result {
        try await inside.run { inside, _ in try await body(inside) }
    }

    /// Runs a client's blocking calls on a thread of their own.
    func client<Result: Sendable>(
        _ body: @escaping @Sendable (UInt16) throws -> Result
    ) async throws -> Result {
        let port = port
        return try await withCheckedThrowingContinuation { continuation in
            DispatchQueue(label: "client").async {
                continuation.resume(with: Swift.Result { try body(port) })
            }
        }
    }
}
