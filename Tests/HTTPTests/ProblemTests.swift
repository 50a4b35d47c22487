import HTTP
import Testing

@Suite struct `Problems` {
    @Test func `are problem+json with code, faults, further members and fields`() {
        let problem = Problem(
            409, "alarm.already-closed", "The alarm is \"closed\".",
            faults: [
                .init(.body(pointer: "/a~1b/0"), code: "required", detail: "is missing"),
                .init(.parameter("limit"), code: "invalid", detail: "must be small"),
                .init(.header("If-Match"), code: "stale", detail: "is old"),
            ],
            fields: [("retry-after", "1")],
            members: [("current", Array(#"{"handling":"closed"}"#.utf8))])

        let response = problem.response(requestID: "r1")

        guard case .bytes(let body) = response.body else {
            Issue.record("not a whole body")
            return
        }
        #expect(response.status == 409)
        #expect(response.fields.first(named: "content-type") == "application/problem+json")
        #expect(response.fields.first(named: "retry-after") == "1")
        #expect(
            String(decoding: body, as: UTF8.self)
                == #"{"type":"about:blank","title":"Conflict","status":409,"#
                + #""code":"alarm.already-closed","detail":"The alarm is \"closed\".","#
                + #""request_id":"r1","errors":["#
                + #"{"pointer":"/a~1b/0","code":"required","detail":"is missing"},"#
                + #"{"parameter":"limit","code":"invalid","detail":"must be small"},"#
                + #"{"header":"If-Match","code":"stale","detail":"is old"}],"#
                + #""current":{"handling":"closed"}}"#)
    }

    @Test(arguments: [
        ("application/json", "application/json"),
        ("Application/JSON; charset=utf-8", "application/json"),
        (" application/json ;x", "application/json"),
    ])
    func `a media type is read without case and parameters`(value: String, type: String) throws {
        let target = try #require(Target("/"))
        let request = Request(
            id: "1", method: .post, target: target, fields: [("content-type", value)])

        #expect(request.mediaType == type)
    }
}
