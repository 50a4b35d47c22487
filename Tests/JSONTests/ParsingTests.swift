import JSON
import Testing

private struct Refusal: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let bytes: [UInt8]
    let kind: JSONError.Kind

    init(_ name: String, _ text: String, _ kind: JSONError.Kind) {
        self.init(name, Array(text.utf8), kind)
    }

    init(_ name: String, _ bytes: [UInt8], _ kind: JSONError.Kind) {
        testDescription = name
        self.bytes = bytes
        self.kind = kind
    }
}

private func quoted(_ bytes: [UInt8]) -> [UInt8] {
    Array("\"".utf8) + bytes + Array("\"".utf8)
}

private func nested(_ depth: Int) -> String {
    String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
}

private let refusals: [Refusal] = [
    Refusal("nothing", "", .endOfInput),
    Refusal("only white space", " \n\t ", .endOfInput),
    Refusal("an open object", #"{"a":1"#, .endOfInput),
    Refusal("an open array", "[1,", .endOfInput),
    Refusal("an open text", #""abc"#, .endOfInput),
    Refusal("a name without a value", #"{"a":"#, .endOfInput),

    Refusal("a second document", "{} {}", .trailingBytes),
    Refusal("bytes after the document", "[1]x", .trailingBytes),
    Refusal("a NUL byte after the document", Array("1".utf8) + [0], .nulCharacter),

    Refusal(
        "a document hidden behind a NUL byte", Array("1".utf8) + [0] + Array("{}".utf8),
        .nulCharacter),

    Refusal("a comma before the end", "[1,]", .invalidSyntax),
    Refusal("a comma before the end of an object", #"{"a":1,}"#, .invalidSyntax),
    Refusal("a name without quotation marks", "{a:1}", .invalidSyntax),
    Refusal("single quotation marks", "['a']", .invalidSyntax),
    Refusal("a comment", "/* a */ 1", .invalidSyntax),
    Refusal("a capital literal", "True", .invalidSyntax),
    Refusal("NaN", "NaN", .invalidSyntax),
    Refusal("infinity", "-Infinity", .invalidSyntax),
    Refusal("a leading zero", "[01]", .invalidSyntax),
    Refusal("a leading plus", "+1", .invalidSyntax),
    Refusal("a fraction without digits", "[1.]", .invalidSyntax),
    Refusal("an exponent without digits", "[1e]", .invalidSyntax),
    Refusal("a number in hexadecimal", "[0x10]", .invalidSyntax),
    Refusal("a lone minus", "[-]", .invalidSyntax),
    Refusal("a byte order mark", [0xEF, 0xBB, 0xBF, 0x31], .invalidSyntax),
    Refusal("a newline in a text", "\"a\nb\"", .invalidSyntax),
    Refusal("a NUL byte in a text", quoted([0x61, 0]), .nulCharacter),
    Refusal("a NUL byte for a document", [0], .nulCharacter),
    Refusal("an unknown escape", #""\x41""#, .invalidSyntax),
    Refusal("a short escape", #""\u12""#, .invalidSyntax),
    Refusal("a lone high surrogate", #""\ud800""#, .invalidSyntax),
    Refusal("a lone low surrogate", #""\udc00""#, .invalidSyntax),
    Refusal("a high surrogate and a letter", #""\ud800\u0041""#, .invalidSyntax),
    Refusal("brackets that do not match", "[1}", .invalidSyntax),

    Refusal("U+0000 escaped", #""a\u0000b""#, .nulCharacter),
    Refusal("U+0000 escaped in a name", #"{"a\u0000":1}"#, .nulCharacter),

    Refusal("a stray continuation byte", quoted([0x80]), .invalidUTF8),
    Refusal("a cut character", quoted([0xE2, 0x82]), .invalidUTF8),
    Refusal("an overlong slash", quoted([0xC0, 0xAF]), .invalidUTF8),
    Refusal("a surrogate in UTF-8", quoted([0xED, 0xA0, 0x80]), .invalidUTF8),
    Refusal("a character beyond U+10FFFF", quoted([0xF4, 0x90, 0x80, 0x80]), .invalidUTF8),
    Refusal("Latin 1 in a name", Array("{\"".utf8) + [0xE4] + Array("\":1}".utf8), .invalidUTF8),

    Refusal("1e400", "1e400", .numberOutOfRange),
    Refusal("-1e400 inside", #"{"a":[-1e400]}"#, .numberOutOfRange),
    Refusal("2⁶³", "9223372036854775808", .numberOutOfRange),
    Refusal("-2⁶³ - 1", "-9223372036854775809", .numberOutOfRange),
    Refusal(
        "an integer of a thousand digits", String(repeating: "9", count: 1000),
        .numberOutOfRange),

    Refusal("a name twice", #"{"id":1,"id":1}"#, .duplicateKey("id")),
    Refusal("a name twice inside", #"[{"a":{"b":1,"c":2, "b" :3}}]"#, .duplicateKey("b")),
    Refusal("an empty name twice", #"{"":1,"":2}"#, .duplicateKey("")),
    Refusal("a name twice in two spellings", #"{"a":1,"\u0061":2}"#, .duplicateKey("a")),
    Refusal("a name with quotation marks twice", #"{"\"":1,"\"":2}"#, .duplicateKey("\"")),
    Refusal(
        "a name with a backslash at its end twice", #"{"x\\":1,"x\\":2}"#,
        .duplicateKey(#"x\"#)),
    Refusal(
        "a long name twice", #"{"a name of more than twenty":1,"a name of more than twenty":2}"#,
        .duplicateKey("a name of more than twenty")),

    Refusal("a depth of 65", nested(65), .depth),
    Refusal("objects at a depth of 65", nested64Objects, .depth),
    Refusal("a depth of 10,000", nested(10_000), .depth),
    Refusal("a million open brackets", String(repeating: "[", count: 1_000_000), .depth),
    Refusal(
        "a hundred thousand open objects", String(repeating: #"{"a":"#, count: 100_000), .depth),
]

private let nested64Objects =
    String(repeating: #"{"a":"#, count: 65) + "1" + String(repeating: "}", count: 65)

private struct Reading: Sendable {
    let text: String
    let value: JSON

    init(_ text: String, _ value: JSON) {
        self.text = text
        self.value = value
    }
}

private let readings: [Reading] = [
    Reading("null", .null),
    Reading("true", .bool(true)),
    Reading("false", .bool(false)),
    Reading(" 1\n", .integer(1)),
    Reading("-0", .integer(0)),
    Reading("9223372036854775807", .integer(.max)),
    Reading("-9223372036854775808", .integer(.min)),
    Reading("1.0", .number(1)),
    Reading("1E2", .number(100)),
    Reading("-0.0", .number(-0.0)),
    Reading("0.1", .number(0.1)),
    Reading("1.7976931348623157e308", .number(.greatestFiniteMagnitude)),
    Reading("5e-324", .number(.leastNonzeroMagnitude)),
    Reading("1e-400", .number(0)),
    Reading(#""""#, .string("")),
    Reading(#""\"\\\/\b\f\n\r\t""#, .string("\"\\/\u{8}\u{c}\n\r\t")),
    Reading(#""\u00e4\ud83d\ude00""#, .string("ä😀")),
    Reading(#""Jungbusch, Beilstraße 😀""#, .string("Jungbusch, Beilstraße 😀")),
    Reading("[]", .array([])),
    Reading("{}", .object(JSONObject([]))),
    Reading("[1,[2.5],null]", .array([.integer(1), .array([.number(2.5)]), .null])),
]

@Suite struct `Parsing JSON` {
    @Test(arguments: refusals)
    private func `refuses what is not strict JSON, saying why`(_ refusal: Refusal) {
        let error = #expect(throws: JSONError.self) { try JSON.parse(refusal.bytes) }

        #expect(error?.kind == refusal.kind)
        #expect(error?.text.isEmpty == false)
        #expect((0...refusal.bytes.count).contains(error?.offset ?? -1))
    }

    @Test(arguments: readings)
    private func `reads each kind of value`(_ reading: Reading) throws {
        #expect(try JSON.parse(Array(reading.text.utf8)) == reading.value)
    }

    @Test func `keeps the order of members`() throws {
        let json = try JSON.parse(Array(#"{"zoo":1,"ant":{"b":2,"a":3},"mid":4}"#.utf8))

        #expect(json.asObject?.members.map(\.name) == ["zoo", "ant", "mid"])
        #expect(json["ant"]?.asObject?.members.map(\.name) == ["b", "a"])
    }

    @Test func `reads down to the greatest depth`() throws {
        var json = try JSON.parse(Array(nested(JSON.depthMax).utf8))

        for _ in 1..<JSON.depthMax {
            json = try #require(json.asArray?.first)
        }
        #expect(json == .array([]))
    }

    @Test func `brackets in texts are no depth`() throws {
        let text = #"["\"\\"# + String(repeating: "[", count: 100) + #""]"#

        #expect(try JSON.parse(Array(text.utf8)).asArray?.count == 1)
    }

    @Test func `an error says the line, column and byte`() {
        let text = "{\"ä\": 1,\n \"b\": x}"

        let error = #expect(throws: JSONError.self) { try JSON.parse(Array(text.utf8)) }

        #expect(error?.line == 2)
        #expect(error?.column == 7)
        #expect(error?.offset == 17)
        #expect(error?.text == "invalid token near 'x'")
    }

    @Test(arguments: [JSON.depthMax + 1, 10_000])
    func `an error of depth points at the bracket that goes too far`(depth: Int) {
        let text = "\n[\"[ä\\\"\"," + nested(depth - 1) + "]"

        let error = #expect(throws: JSONError.self) { try JSON.parse(Array(text.utf8)) }

        #expect(error?.kind == .depth)
        #expect(error?.line == 2)
        #expect(error?.column == 8 + JSON.depthMax - 1 + 1)
        #expect(error?.offset == 1 + 9 + JSON.depthMax - 1 + 1)
    }

    @Test func `an empty buffer without an address is no input`() {
        let error = #expect(throws: JSONError.self) {
            try JSON.parse(UnsafeRawBufferPointer(start: nil, count: 0))
        }

        #expect(error?.kind == .endOfInput)
    }

    @Test func `survives any mutation of a document`() throws {
        let document = Array(
            #"[{"id":"0199","n":-1.5e3,"t":"ä\u00e4\n","x":[true,false,null,{"k":[1]}]}]"#.utf8)
        let hostile: [UInt8] = Array(#"[]{}",:\u0eE-."#.utf8) + [0, 0x80, 0xC3, 0xED, 0xF4, 0xFF]
        var random = SplitMix(seed: 7)
        var accepted = 0

        for _ in 0..<20_000 {
            var mutated = document
            for _ in 0...Int.random(in: 0..<3, using: &random) {
                let index = Int.random(in: mutated.indices, using: &random)
                mutated[index] = hostile.randomElement(using: &random) ?? 0
            }
            guard let json = try? JSON.parse(mutated) else { continue }  // most are refused
            accepted += 1
            #expect(try JSON.parse(json.serialized()) == json)
        }

        #expect(accepted > 0)
    }
}

@Suite struct `JSON values` {
    @Test func `whole numbers are integers however written`() {
        #expect(JSON.number(5).asInteger == 5)
        #expect(JSON.number(5.5).asInteger == nil)
        #expect(JSON.number(1e300).asInteger == nil)
        #expect(JSON.integer(5).asDouble == 5)
        #expect(JSON.string("5").asDouble == nil)
    }

    @Test func `the order of members does not matter to equality, their values do`() throws {
        let first = try JSON.parse(Array(#"{"a":1,"b":2}"#.utf8))

        #expect(try JSON.parse(Array(#"{"b":2,"a":1}"#.utf8)) == first)
        #expect(try JSON.parse(Array(#"{"b":2,"a":2}"#.utf8)) != first)
        #expect(try JSON.parse(Array(#"{"b":2}"#.utf8)) != first)
    }

    @Test func `texts and names that only look alike are different`() throws {
        let json = try JSON.parse(Array("{\"\u{212A}\":1,\"K\":2}".utf8))

        #expect(json["K"] == .integer(2))
        #expect(json["\u{212A}"] == .integer(1))
        #expect(JSON.string("é") != JSON.string("e\u{301}"))
    }
}
