import JSON
import Testing

private func written(_ write: (inout JSONWriter) -> Void) -> String {
    var writer = JSONWriter()
    write(&writer)
    return String(decoding: writer.bytes, as: UTF8.self)
}

@Suite struct `Writing JSON` {
    @Test func `separates members and items at every level`() {
        let text = written { writer in
            writer.object { object in
                object.member("id", "a")
                object.member("count", 3)
                object.array("boxes") { boxes in
                    boxes.array { $0.value(0.5) }
                    boxes.array { _ in }
                    boxes.object { _ in }
                    boxes.null()
                }
                object.object("site") { $0.member("open", true) }
                object.member("note", String?.none)
                object.member("attributes", raw: Array(#"{"k":1}"#.utf8))
                object.member("last", JSON.number(1))
            }
        }

        #expect(
            text == #"{"id":"a","count":3,"boxes":[[0.5],[],{},null],"site":{"open":true},"#
                + #""note":null,"attributes":{"k":1},"last":1.0}"#)
    }

    @Test func `raw values are separated like others`() {
        let raw = Array("{}".utf8)

        let text = written { writer in
            writer.array { items in
                items.raw(raw)
                raw.withUnsafeBytes { items.raw($0) }
                items.value(1)
            }
        }

        #expect(text == "[{},{},1]")
    }

    @Test func `follows what is in the buffer already`() {
        var writer = JSONWriter(appendingTo: Array("data: ".utf8))
        writer.value(7)

        #expect(String(decoding: writer.bytes, as: UTF8.self) == "data: 7")
    }

    @Test func `an error from a body passes through`() {
        struct Stop: Error {}
        var writer = JSONWriter()

        #expect(throws: Stop.self) {
            try writer.object { _ in throw Stop() }
        }
    }

    @Test(arguments: [
        ("", #""""#),
        (#"a"b\c/d"#, #""a\"b\\c/d""#),
        ("\n\r\t", #""\n\r\t""#),
        ("\u{1}\u{8}\u{f}\u{1f}\u{7f}", #""\u0001\u0008\u000f\u001f"# + "\u{7f}\""),
        ("\"", #""\"""#),
        ("ä😀\u{2028}", "\"ä😀\u{2028}\""),
        ("a text beyond fifteen bytes\n", #""a text beyond fifteen bytes\n""#),
    ])
    func `escapes what must be escaped and nothing else`(text: String, json: String) {
        #expect(written { $0.value(text) } == json)
        #expect(written { $0.name(text) } == json + ":")
    }

    @Test(
        arguments: [
            (0, "0"), (9, "9"), (10, "10"), (-1, "-1"),
            (Int64.max, "9223372036854775807"), (Int64.min, "-9223372036854775808"),
        ] as [(Int64, String)])
    func `writes all digits of integers`(value: Int64, text: String) {
        #expect(written { $0.value(value) } == text)
    }

    @Test(
        arguments: [
            (0.1, "0.1"), (1, "1.0"), (-0.0, "-0.0"), (1e300, "1e+300"),
            (.leastNonzeroMagnitude, "5e-324"),
            (0.1 + 0.2, "0.30000000000000004"),
        ] as [(Double, String)])
    func `writes numbers in the fewest digits`(value: Double, text: String) {
        #expect(written { $0.value(value) } == text)
    }

    @Test func `every finite number reads back as the same bits`() throws {
        var random = SplitMix(seed: 1)

        for _ in 0..<20_000 {
            let number = Double.randomFinite(using: &random)
            guard case .number(let back) = try JSON.parse(JSON.number(number).serialized()) else {
                Issue.record("\(number) did not read back as a number")
                continue
            }
            #expect(back.bitPattern == number.bitPattern)
        }
    }

    @Test func `refuses NaN and infinity`() async {
        await #expect(processExitsWith: .failure) { _ = JSON.number(.nan).serialized() }
        await #expect(processExitsWith: .failure) { _ = JSON.number(.infinity).serialized() }
    }

    @Test func `any value reads back as itself`() throws {
        var random = SplitMix(seed: 2)

        for _ in 0..<3_000 {
            let json = JSON.random(depthMax: 5, using: &random)
            let bytes = json.serialized()
            let back = try JSON.parse(bytes)

            #expect(back == json)
            #expect(back.serialized() == bytes, "the order of members was lost")
        }
    }
}

@Suite struct `The canonical form` {
    private func canonical(_ text: String) throws -> String {
        String(
            decoding: try JSON.parse(Array(text.utf8)).serialized(sortedKeys: true),
            as: UTF8.self)
    }

    @Test func `sorts members by code points at every level`() throws {
        let text = #"{"ä":1,"b":{"z":1,"Z":2},"a":[{"y":1,"x":2}],"😀":3,"\ufb01":4}"#

        #expect(
            try canonical(text)
                == "{\"a\":[{\"x\":2,\"y\":1}],\"b\":{\"Z\":2,\"z\":1},\"ä\":1,\"\u{fb01}\":4,\"😀\":3}"
        )
    }

    @Test(arguments: [
        ("1.0", "1"), ("1e2", "100"), ("-0.0", "0"), ("-0", "0"), ("0.50", "0.5"),
        ("9007199254740993", "9007199254740993"), ("1e18", "1000000000000000000"),
        ("1e19", "1e+19"), (#""\u0041\/""#, #""A/""#), ("[ 1 , 2 ]", "[1,2]"),
    ])
    func `writes equal values alike`(text: String, canonicalText: String) throws {
        #expect(try canonical(text) == canonicalText)
    }

    @Test func `is its own canonical form, whatever the order of members`() throws {
        var random = SplitMix(seed: 3)

        for _ in 0..<1_000 {
            let json = JSON.random(depthMax: 5, using: &random)
            let bytes = json.serialized(sortedKeys: true)

            #expect(try JSON.parse(bytes).serialized(sortedKeys: true) == bytes)
            #expect(json.withMembersReversed.serialized(sortedKeys: true) == bytes)
        }
    }
}

extension JSON {
    fileprivate var withMembersReversed: JSON {
        switch self {
        case .array(let items): .array(items.map(\.withMembersReversed))
        case .object(let object):
            .object(
                JSONObject(
                    object.members.reversed().map {
                        JSONObject.Member(name: $0.name, value: $0.value.withMembersReversed)
                    }))
        default: self
        }
    }
}
