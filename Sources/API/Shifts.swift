import ControlCentre
import HTTP
import JSON
import Store

/// How long a shift may last.
private let shiftMax: Duration = .seconds(16 * 3_600)

extension API {
    private static let workers: Set<Role> = [.observer, .shiftSupervisor]

    func addShifts() {
        add(.get, "/v1/shifts", for: [.observer, .shiftSupervisor, .auditor]) { api, call in
            var query = QueryReader(call.request)
            let page = try query.page()
            let site = try query.site(for: call)
            let actor = query.id("actor", TokenID.self)
            let running = query.bool("running")
            let from = query.time("from")
            let to = query.time("to")
            try query.finish()
            return .page(
                try await api.database.shifts(
                    of: site, actor: actor, running: running, from: from, to: to,
                    at: call.receivedAt, page), for: call.request)
        }
        add(.post, "/v1/shifts", for: Self.workers) { api, call in
            try call.rejectParameters()
            let shift = try call.body { NewShift(&$0, for: call) }
            let outcome = try await api.database.startShift(
                shift, by: call.author(), at: call.receivedAt)
            switch outcome {
            case .started(let document): return .json(document, status: 201)
            case .unknownSite: throw Problem(.unknownSite, resource: "site")
            case .unknownPosition:
                throw Problem.invalidBody([
                    MemberError(
                        pointer: "/position", code: "position.unknown",
                        detail: "must be one of the site's observer positions")
                ])
            case .running(let current):
                throw Problem(
                    409, "shift.running", "You have a shift that is running; end it first.",
                    members: [("current", current)])
            }
        }
        add(.post, "/v1/shifts/{id}/end", for: Self.workers) { api, call in
            try call.rejectParameters()
            let id = try call.id(ShiftID.self, of: "shift")
            try call.optionalBody { _ in () }
            let outcome = try await api.database.endShift(
                id, only: call.site, by: call.author(), at: call.receivedAt)
            switch outcome {
            case .ended(let document): return .json(document)
            case .unknown: throw Problem.unknown("shift")
            case .othersShift:
                throw Problem(
                    403, "role.forbidden", "Only a shift supervisor ends another's shift.")
            }
        }
    }
}

extension NewShift {
    init?(_ reader: inout ObjectReader, for call: Call) {
        let asked = reader.nullable("site", expected: "a site's id") { SiteID($0) }
        if asked == nil, call.site == nil {
            reader.refuse("site", code: "missing", "is required for a token of all sites")
        }
        if let asked, let bound = call.site, asked != bound {
            reader.refuse(
                "site", code: "site.unknown", "must be the site that the token is bound to")
        }
        let position = reader.nullableLine("position", length: ObserverPosition.nameLength)
        let reason = reader.requiredWords("reason", length: 1...500)
        let until = reader.requiredTime("until")
        if let until, until <= call.receivedAt || until - call.receivedAt > shiftMax {
            reader.refuse("until", "must be in the future, at most 16 hours ahead")
        }
        guard let site = asked ?? call.site, let reason, let until else { return nil }
        self.init(site: site, position: position, reason: reason, until: until)
    }
}
