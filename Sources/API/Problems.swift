import HTTP
import JSON
import Store

extension Problem {
    /// What the store could not do, as a client sees it.
    init(_ error: StoreError) {
        switch error {
        case .unavailable:
            self.init(
                503, "database.unavailable",
                "The database is away; what was sent may have been stored. Send it again.",
                fields: [("retry-after", "1")])
        case .overloaded:
            self.init(
                503, "server.overloaded", "Too much is waiting already; send it again.",
                fields: [("retry-after", "1")])
        case .tooSlow:
            self.init(
                503, "database.too-slow",
                "The database took too long to answer; ask for less, as for a shorter period.",
                fields: [("retry-after", "30")])
        case .failed:
            self.init(500, "server.error", "The server failed; its log has the request's id.")
        }
    }

    /// `current` of a refusal: what it is about as it is, or null for whoever may not see it.
    static func current(_ document: [UInt8]?) -> (name: String, value: [UInt8]) {
        ("current", document ?? Array("null".utf8))
    }

    /// A resource that does not exist, or not for the one who asks.
    static func unknown(_ resource: String) -> Problem {
        Problem(404, "\(resource).unknown", "There is no such \(resource).")
    }

    /// A body with members that are not as described.
    static func invalidBody(_ errors: [MemberError]) -> Problem {
        Problem(
            422, "body.invalid", "The body is not as described; see errors.",
            faults: errors.map { Fault($0) })
    }

    /// A body that is well formed, but names or breaks something.
    static func refusedMember(_ status: Int, _ code: String, _ pointer: String, _ detail: String)
        -> Problem
    {
        Problem(
            status, code, detail,
            faults: [Fault(.body(pointer: pointer), code: code, detail: detail)])
    }
}
