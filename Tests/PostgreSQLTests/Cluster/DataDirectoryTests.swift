import Testing

@testable import PostgreSQL

@Suite struct `Data directory` {
    @Test(arguments: [
        (["XDG_STATE_HOME": "/state", "HOME": "/home/a"], UInt32(0), "/var/lib/leitstand"),
        (["XDG_STATE_HOME": "/state", "HOME": "/home/a"], 1000, "/state/leitstand"),
        (["HOME": "/home/a"], 1000, "/home/a/.local/state/leitstand"),
        (["XDG_STATE_HOME": "state", "HOME": "/home/a"], 1000, "/home/a/.local/state/leitstand"),
        (["XDG_STATE_HOME": "", "HOME": "/home/a"], 1000, "/home/a/.local/state/leitstand"),
    ])
    func `the default follows the user`(
        environment: [String: String], userID: UInt32, expected: String
    ) {
        #expect(DataDirectory.defaultPath(environment: environment, userID: userID) == expected)
    }
}

@Suite struct `Socket directory` {
    @Test func `lies in the data directory as long as a socket's path fits`() {
        // 107 bytes less "/socket/.s.PGSQL.5432".
        let fits = "/" + String(repeating: "d", count: 85)

        #expect(SocketDirectory(for: fits, userID: 1000).path == fits + "/socket")
        #expect(SocketDirectory(for: fits + "d", userID: 1000).path.hasPrefix("/tmp/leitstand-"))
        #expect(SocketDirectory(for: fits + "d", userID: 0).path.hasPrefix("/run/leitstand-"))
    }

    @Test(arguments: ["/a,b", "/a b", "/a'b", "/a\"b", "/a\\b"])
    func `is a short one when PostgreSQL's list of directories could not name it`(path: String) {
        #expect(SocketDirectory(for: path, userID: 1000).path.hasPrefix("/tmp/leitstand-1000-"))
    }

    @Test func `keeps its name from run to run, and has another for another data directory`() {
        #expect(SocketDirectory(for: "/a b", userID: 7).path == "/tmp/leitstand-7-36644a9cb3afe9cf")
        #expect(
            SocketDirectory(for: "/a b", userID: 7) != SocketDirectory(for: "/a c", userID: 7))
    }
}
