import JSON
import Testing

private struct Place: Sendable {
    let text: String
    let pointer: String

    init(_ text: String, _ pointer: String) {
        self.text = text
        self.pointer = pointer
    }
}

private let places: [Place] = [
    Place("", ""),
    Place("x", ""),
    Place("{} x", ""),
    Place("{", ""),
    Place(#"{"a":"#, "/a"),
    Place(#"{"a":1,"#, ""),
    Place(#"{"a":1,"b":x}"#, "/b"),
    Place(#"{"a":"text, [{\"","b":1e400}"#, "/b"),
    Place(#"{"a":"\u0000"}"#, "/a"),
    Place(#"{"a":{"b":[1,[],{"c":"\ud800"}]}}"#, "/a/b/2/c"),
    Place(#"{"a":{"b":1},"c":x}"#, "/c"),
    Place(#"[{"a":1},x]"#, "/1"),
    Place(#"{"in/side":{"ti~lde":x}}"#, "/in~1side/ti~0lde"),
    Place(#"{"\u00e4\"":x}"#, "/ä\""),
    Place(#"{"a":[],"a":1}"#, "/a"),
]

@Suite struct `Saying where JSON breaks` {
    @Test(arguments: places)
    private func `an error points at the value that was being read`(_ place: Place) {
        let error = #expect(throws: JSONError.self) { try JSON.parse(Array(place.text.utf8)) }

        #expect(error?.pointer == place.pointer)
    }

    @Test func `an error of depth points as deep as a document may be`() {
        let text = String(repeating: #"{"a":"#, count: 10_000)

        let error = #expect(throws: JSONError.self) { try JSON.parse(Array(text.utf8)) }

        #expect(error?.pointer == String(repeating: "/a", count: JSON.depthMax))
    }
}
