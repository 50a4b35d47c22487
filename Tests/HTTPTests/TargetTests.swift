import HTTP
import Testing

@Suite struct `Request targets` {
    @Test(arguments: [
        ("/", []),
        ("/v1/alarms", ["v1", "alarms"]),
        ("/v1/alarms/", ["v1", "alarms", ""]),
        ("//v1", ["", "v1"]),
        ("/a%2Fb/c", ["a/b", "c"]),
        ("/%61%C3%A4", ["aä"]),
        ("/ä", ["ä"]),
        ("/a+b", ["a+b"]),
        ("/v1/../etc/.", ["v1", "..", "etc", "."]),
        ("/%2e%2E/x", ["..", "x"]),
        ("/?", []),
    ])
    func `are split into decoded segments, and no segment walks`(text: String, segments: [String]) {
        #expect(Target(text)?.segments == segments)
    }

    @Test(arguments: [
        ("/?a=1&b=2", [("a", "1"), ("b", "2")]),
        ("/?a=1&a=2", [("a", "1"), ("a", "2")]),
        ("/?a", [("a", "")]),
        ("/?a=", [("a", "")]),
        ("/?=1", [("", "1")]),
        ("/?a=b=c", [("a", "b=c")]),
        ("/?a=1+2", [("a", "1 2")]),
        ("/?a=1%2B2%26", [("a", "1+2&")]),
        ("/?&&a=1&", [("a", "1")]),
        ("/?a=x?y", [("a", "x?y")]),
        ("/?%C3%A4=%E2%82%AC", [("ä", "€")]),
    ])
    func `have decoded parameters in the order sent`(text: String, query: [(String, String)]) {
        #expect(Target(text)?.query == query.map { Target.Parameter(name: $0, value: $1) })
    }

    @Test(arguments: [
        "", "v1", "*", "?a=1", "http://host/v1",
        "/%", "/%4", "/%zz", "/%4g", "/?a=%", "/?%z=1",
        "/%00", "/?a=%00", "/a\0b",
        "/%ff", "/%C3", "/%C0%AF", "/%ED%A0%80", "/?a=%80",
    ])
    func `are refused with broken escapes, NUL, or what is not UTF-8`(text: String) {
        #expect(Target(text) == nil)
    }

    @Test(arguments: ["", "a", "ä€😀", "a b+c&d=e/f?g%h", "\u{1}\u{7f}"])
    func `percent-encoding is undone by parsing`(text: String) {
        let target = Target("/\(percentEncoded(text))?q=\(percentEncoded(text))")

        #expect(target?.segments == (text.isEmpty ? [] : [text]))
        #expect(target?.query == [Target.Parameter(name: "q", value: text)])
    }
}
