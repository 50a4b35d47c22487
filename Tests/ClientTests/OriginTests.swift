import Client
import Testing

@Suite struct `An origin` {
    @Test(arguments: [
        ("http://127.0.0.1:8080", false, "127.0.0.1", 8080),
        ("HTTP://localhost", false, "localhost", 80),
        ("https://leitstand.example/", true, "leitstand.example", 443),
        ("https://[::1]:8443", true, "::1", 8443),
        ("http://[::1]", false, "::1", 80),
    ])
    func `is read from a URL`(url: String, isSecure: Bool, host: String, port: UInt16) throws {
        let origin = try #require(Origin(url))

        #expect(origin == Origin(isSecure: isSecure, host: host, port: port))
        #expect(Origin(origin.description) == origin)
    }

    @Test(arguments: [
        "", "127.0.0.1:8080", "ftp://host", "http://", "http://:80", "http://host:",
        "http://host:0",
        "http://host:65536", "http://host/v1", "http://user@host", "http://::1:80", "http://ho st",
        "http://host?a", "http://[host]",
    ])
    func `is not read from anything else`(url: String) {
        #expect(Origin(url) == nil)
    }
}
