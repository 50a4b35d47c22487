import HTTP
import Testing

@Suite struct `Reading query parameters` {
    private func reader(_ query: String) throws -> QueryReader {
        let target = try #require(Target("/?" + query))
        return QueryReader(Request(id: "1", method: .get, target: target))
    }

    @Test func `gives what was sent, and nil for what was not`() throws {
        var query = try reader("limit=5&late=true&site=mannheim")

        #expect(query.integer("limit", in: 1...500) == 5)
        #expect(query.bool("late") == true)
        #expect(query.text("site") == "mannheim")
        #expect(query.text("cursor") == nil)
        try query.finish()
    }

    @Test func `names all that is wrong in one problem`() throws {
        var query = try reader("limit=0&late=yes&site=a&site=b&colour=red&colour=blue")
        _ = query.integer("limit", in: 1...500)
        _ = query.bool("late")
        _ = query.text("site")

        let problem = #expect(throws: Problem.self) { try query.finish() }

        let faults = problem?.faults.map { "\($0.place) \($0.code)" }
        #expect(problem?.status == 422)
        #expect(
            faults == [
                #"parameter("limit") invalid"#, #"parameter("late") invalid"#,
                #"parameter("site") duplicate"#, #"parameter("colour") unknown"#,
                #"parameter("colour") unknown"#,
            ])
    }

    @Test(arguments: ["", "0", "501", "x", "1.0", " 5", "0x5", "99999999999999999999", "٥"])
    func `refuses what is no whole number in the range`(text: String) throws {
        var query = try reader("limit=\(percentEncoded(text))")

        #expect(query.integer("limit", in: 1...500) == nil)
        #expect(throws: Problem.self) { try query.finish() }
    }

    @Test func `says what is known when it refuses a parameter`() throws {
        var query = try reader("sort=up")
        _ = query.text("site")
        _ = query.integer("limit", in: 1...500)

        let problem = #expect(throws: Problem.self) { try query.finish() }

        #expect(problem?.faults.map(\.detail) == ["is unknown; known are limit, site"])
    }
}
