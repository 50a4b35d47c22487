import JSON
import Testing

private func reader(_ text: String, at pointer: String = "") throws -> ObjectReader {
    ObjectReader(try JSON.parse(Array(text.utf8)), at: pointer)
}

private enum Colour: String, CaseIterable {
    case red, green
}

/// One question about the member `m`, asked of a body, and the error that must come of it.
private struct Mistake: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let body: String
    let code: String
    let detail: String
    let ask: @Sendable (inout ObjectReader) -> Bool

    /// - Parameter ask: the question; its answer is the value that must be nil.
    init<Value>(
        _ value: String?, _ code: String, _ detail: String,
        _ ask: @escaping @Sendable (inout ObjectReader) -> Value?
    ) {
        body = value.map { #"{"m":\#($0)}"# } ?? "{}"
        testDescription = "\(body) \(detail)"
        self.code = code
        self.detail = detail
        self.ask = { ask(&$0) == nil }
    }
}

private let mistakes: [Mistake] = [
    Mistake(nil, "missing", "must be a string of 1 to 9 characters, is missing") {
        $0.requiredString("m", length: 1...9)
    },
    Mistake("null", "wrong-type", "must be a string of 1 to 9 characters, is null") {
        $0.requiredString("m", length: 1...9)
    },
    Mistake("7", "wrong-type", "must be a string of 1 to 9 characters, is a number") {
        $0.requiredString("m", length: 1...9)
    },
    Mistake(#""""#, "out-of-range", "must be a string of 1 to 9 characters, has 0") {
        $0.optionalString("m", length: 1...9)
    },
    Mistake(#""äöüß""#, "out-of-range", "must be a string of 0 to 3 characters, has 4") {
        $0.optionalString("m", length: 0...3)
    },
    Mistake(#""x""#, "invalid", #"must be one of a, b, is "x""#) {
        $0.requiredString("m", oneOf: ["a", "b"])
    },
    Mistake("[]", "wrong-type", "must be one of a, b, is an array") {
        $0.requiredString("m", oneOf: ["a", "b"])
    },
    Mistake(#""blue""#, "invalid", #"must be one of red, green, is "blue""#) {
        $0.requiredCase("m", of: Colour.self)
    },
    Mistake(nil, "missing", "must be one of red, green, is missing") {
        $0.requiredCase("m", of: Colour.self)
    },
    Mistake(#""blue""#, "invalid", #"must be one of red, green, is "blue""#) {
        $0.optionalCase("m", of: Colour.self)
    },
    Mistake(#""x""#, "wrong-type", "must be a number from 0 to 1, is a string") {
        $0.requiredNumber("m", in: 0...1)
    },
    Mistake("1.5", "out-of-range", "must be a number from 0 to 1, is 1.5") {
        $0.requiredNumber("m", in: 0...1)
    },
    Mistake("-1", "out-of-range", "must be a number from -0.5 to 1, is -1") {
        $0.optionalNumber("m", in: -0.5...1)
    },
    Mistake("501", "out-of-range", "must be a whole number from 1 to 500, is 501") {
        $0.optionalInteger("m", in: 1...500)
    },
    Mistake("1.5", "wrong-type", "must be a whole number from 1 to 500, is 1.5") {
        $0.requiredInteger("m", in: 1...500)
    },
    Mistake("1e300", "wrong-type", "must be a whole number from 1 to 500, is 1e+300") {
        $0.requiredInteger("m", in: 1...500)
    },
    Mistake("true", "wrong-type", "must be a whole number from 1 to 500, is a boolean") {
        $0.requiredInteger("m", in: 1...500)
    },
    Mistake("0", "wrong-type", "must be true or false, is a number") { $0.optionalBool("m") },
    Mistake(nil, "missing", "must be true or false, is missing") { $0.requiredBool("m") },
    Mistake("{}", "wrong-type", "must be an array of 0 to 2 items, is an object") {
        $0.nullableArray("m", count: 0...2)
    },
    Mistake("[1,2,3]", "out-of-range", "must be an array of 0 to 2 items, has 3") {
        $0.requiredArray("m", count: 0...2)
    },
    Mistake("null", "wrong-type", "must be any value but null, is null") { $0.required("m") },
    Mistake("1", "wrong-type", "must be an object, is a number") {
        $0.nullableObject("m") { _ in 1 }
    },
    Mistake(nil, "missing", "must be an object, is missing") {
        $0.requiredObject("m") { _ in 1 }
    },
    Mistake(#""x""#, "invalid", #"must be a whole number in digits, is "x""#) {
        $0.required("m", expected: "a whole number in digits") { Int($0) }
    },
    Mistake("1", "wrong-type", "must be a whole number in digits, is a number") {
        $0.optional("m", expected: "a whole number in digits") { Int($0) }
    },
]

@Suite struct `Reading an object's members` {
    @Test(arguments: mistakes)
    private func `an error names the member and says what would be right`(
        _ mistake: Mistake
    ) throws {
        var reader = try reader(mistake.body)

        let isNil = mistake.ask(&reader)

        #expect(isNil)
        #expect(
            reader.errors == [
                MemberError(pointer: "/m", code: mistake.code, detail: mistake.detail)
            ])
        #expect(!reader.isValid)
    }

    @Test func `right members are read without an error`() throws {
        var reader = try reader(
            #"""
            {"name":"Plankengasse","confidence":1,"limit":5.0,"monitored":false,"pattern":"b",
             "colour":"green","digits":"12","attributes":{"x":1},"list":[1],
             "cameras":["1","2"],"site":{"id":"s"},"patterns":[{"id":"p"},{"id":"q"}]}
            """#)

        #expect(reader.requiredString("name", length: 1...12) == "Plankengasse")
        #expect(reader.requiredNumber("confidence", in: 0...1) == 1)
        #expect(reader.optionalInteger("limit", in: 1...500) == 5)
        #expect(reader.optionalBool("monitored") == false)
        #expect(reader.requiredString("pattern", oneOf: ["a", "b"]) == "b")
        #expect(reader.optionalCase("colour", of: Colour.self) == .green)
        #expect(reader.required("digits", expected: "digits") { Int($0) } == 12)
        #expect(reader.nullable("attributes")?["x"] == .integer(1))
        #expect(reader.nullableArray("list", count: 0...50) == [.integer(1)])
        #expect(
            reader.optionalItems("cameras", count: 0...9, expected: "digits") { Int($0) }
                == [1, 2])
        #expect(
            reader.requiredObject("site") { $0.requiredString("id", length: 1...1) } == "s")
        #expect(
            reader.optionalObjects("patterns", count: 0...50) {
                $0.requiredString("id", length: 1...1)
            } == ["p", "q"])
        reader.rejectUnknown()
        #expect(reader.errors.isEmpty)
        #expect(reader.isValid)
    }

    @Test(arguments: ["{}", #"{"a":null,"b":null,"c":null,"d":null,"e":null,"f":null}"#])
    func `a nullable member that is absent or null is nil and no error`(body: String) throws {
        var reader = try reader(body)

        #expect(reader.nullableString("a", length: 1...9) == nil)
        #expect(reader.nullableNumber("b", in: 0...1) == nil)
        #expect(reader.nullable("c") == nil)
        #expect(reader.nullableObject("d") { _ in 1 } == nil)
        #expect(reader.nullableObjects("e", count: 1...2) { _ in 1 } == nil)
        #expect(reader.nullable("f", expected: "digits") { Int($0) } == nil)
        reader.rejectUnknown()
        #expect(reader.errors.isEmpty)
    }

    @Test(arguments: [false, true])
    func `an optional member may be absent but not null`(isNull: Bool) throws {
        let names = ["a", "b", "c", "d", "e", "f", "g"]
        let members = names.map { #""\#($0)":null"# }.joined(separator: ",")
        var reader = try reader(isNull ? "{\(members)}" : "{}")

        #expect(reader.optionalString("a", length: 1...9) == nil)
        #expect(reader.optionalNumber("b", in: 0...1) == nil)
        #expect(reader.optionalBool("c") == nil)
        #expect(reader.optionalCase("d", of: Colour.self) == nil)
        #expect(reader.optionalObjects("e", count: 1...2) { _ in 1 } == nil)
        #expect(reader.optionalItems("f", count: 1...2, expected: "digits") { Int($0) } == nil)
        #expect(reader.optional("g", expected: "digits") { Int($0) } == nil)

        #expect(reader.errors.map(\.pointer) == (isNull ? names.map { "/\($0)" } : []))
        #expect(reader.errors.allSatisfy { $0.code == "wrong-type" })
    }

    @Test func `tells a member that is null from one that is absent`() throws {
        let reader = try reader(#"{"live_url":null}"#)

        #expect(reader.contains("live_url"))
        #expect(!reader.contains("name"))
    }

    @Test func `all errors are collected, in the order of the questions`() throws {
        var reader = try reader(#"{"b":"x","c":2,"d":1}"#, at: "/3")

        _ = reader.requiredString("a", length: 1...9)
        _ = reader.optionalBool("b")
        _ = reader.requiredNumber("c", in: 0...1)
        reader.refuse("c", code: "detection.future", "is in the future")
        reader.rejectUnknown()
        reader.rejectUnknown()

        #expect(
            reader.errors.map { [$0.pointer, $0.code] } == [
                ["/3/a", "missing"], ["/3/b", "wrong-type"], ["/3/c", "out-of-range"],
                ["/3/c", "detection.future"], ["/3/d", "unknown"],
            ])
        #expect(reader.errors.last?.detail == "is not a known member; known are a, b, c")
    }

    @Test(arguments: ["[]", "null", #""x""#, "1"])
    func `what is no object is a single error`(body: String) throws {
        var reader = try reader(body, at: "/7")

        #expect(reader.requiredString("name", length: 1...9) == nil)
        reader.rejectUnknown()

        #expect(reader.errors.map(\.pointer) == ["/7"])
        #expect(reader.errors.map(\.code) == ["wrong-type"])
        #expect(reader.errors.first?.detail.hasPrefix("must be an object, is ") == true)
    }

    @Test func `errors inside parts carry the whole pointer`() throws {
        var reader = try reader(
            #"{"patterns":[{"id":"a"},{"id":1,"no/w~":2},3],"site":{"x":1},"cameras":["1","x",2]}"#)

        let patterns = reader.requiredObjects("patterns", count: 1...9) {
            $0.requiredString("id", length: 1...9)
        }
        let site = reader.nullableObject("site") { _ in "read" }
        let cameras = reader.requiredItems("cameras", count: 1...9, expected: "digits") { Int($0) }

        #expect(patterns == nil)
        #expect(site == nil)
        #expect(cameras == nil)
        #expect(
            reader.errors.map { [$0.pointer, $0.code] } == [
                ["/patterns/1/id", "wrong-type"], ["/patterns/1/no~1w~0", "unknown"],
                ["/patterns/2", "wrong-type"], ["/site/x", "unknown"],
                ["/cameras/1", "invalid"], ["/cameras/2", "wrong-type"],
            ])
    }

    @Test func `a flood of errors is counted and not listed`() throws {
        let members = (0..<5_000).map { #""m\#($0)":1"# }.joined(separator: ",")
        var reader = try reader(#"{"part":{\#(members)},"more":1}"#)

        _ = reader.nullableObject("part") { _ in 1 }
        reader.rejectUnknown()

        #expect(reader.errors.count == ObjectReader.errorsMax + 1)
        #expect(reader.errors.last?.code == "more")
        #expect(reader.errors.last?.detail == "has 4981 more errors")
    }

    @Test func `a long wrong text is quoted by its beginning`() throws {
        let text = String(repeating: "ä", count: 1_000)
        var reader = try reader(#"{"m":"\#(text)"}"#)

        _ = reader.requiredString("m", oneOf: ["a"])

        #expect(
            reader.errors.first?.detail
                == "must be one of a, is \"\(String(repeating: "ä", count: 40))…\"")
    }
}
