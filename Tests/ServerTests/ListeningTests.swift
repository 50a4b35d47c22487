import EventLoop
import Glibc
import Server
import Testing

@Suite struct `Listening` {
    @Test func `two loops share one port, and both get connections`() async throws {
        let opened = try await TestServer.run(loops: 2) { servers in
            try await servers[0].client { port in
                for _ in 0..<64 { _ = try RawClient(port: port).get("/hello") }
            }
            var opened: [Int] = []
            for server in servers { opened.append(try await server.on { $0.observed.opened }) }
            return opened
        }

        #expect(opened.reduce(0, +) == 64)
        #expect(opened.allSatisfy { $0 > 0 })
    }

    @Test func `a port that is taken is refused, even to who would share it`() async throws {
        try await TestServer.run { server in
            let error = #expect(throws: SystemError.self) {
                try ListeningSockets([TestServer.place(server.port)], loops: 2)
            }

            #expect(error?.number == EADDRINUSE)
        }
    }

    @Test func `all places are opened or none`() async throws {
        try await TestServer.run { server in
            let free = try ListeningSockets([TestServer.place()], loops: 1)
            for socket in free.byLoop[0] { close(socket.descriptor) }
            let port = free.places[0].address.port

            #expect(throws: SystemError.self) {
                try ListeningSockets(
                    [TestServer.place(port), TestServer.place(server.port)], loops: 1)
            }
            let again = try ListeningSockets([TestServer.place(port)], loops: 1)
            for socket in again.byLoop[0] { close(socket.descriptor) }

            #expect(again.places[0].address.port == port)
        }
    }

    @Test(arguments: [
        ("127.0.0.1:8080", "127.0.0.1", 8080 as UInt16), ("[::1]:0", "::1", 0),
        ("localhost:65535", "localhost", 65_535),
    ])
    func `an address is a host and a port`(text: String, host: String, port: UInt16) {
        #expect(ListenAddress(text) == ListenAddress(host: host, port: port))
        #expect(ListenAddress(text)?.description == text)
    }

    @Test(arguments: ["", "8080", ":8080", "host", "host:", "host:65536", "host:-1", "host:x"])
    func `anything else is none`(text: String) {
        #expect(ListenAddress(text) == nil)
    }
}
