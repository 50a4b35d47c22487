import ControlCentre
import HTTP
import JSON
import Store

extension API {
    private static let observers: Set<Role> = [.observer, .shiftSupervisor]

    func addShelvings() {
        add(.get, "/v1/shelvings", for: Self.observers) { api, call in
            var query = QueryReader(call.request)
            let page = try query.page()
            var filter = ShelvingFilter()
            filter.site = try query.site(for: call)
            filter.alarm = query.id("alarm")
            filter.camera = query.id("camera")
            filter.patterns = query.anyOf("pattern", BehaviourPattern.self)
            filter.isRunning = query.bool("running")
            filter.from = query.time("from")
            filter.to = query.time("to")
            try query.finish()
            return .page(try await api.database.shelvings(filter, page), for: call.request)
        }
        add(.post, "/v1/shelvings", for: Self.observers) { api, call in
            try call.rejectParameters()
            let request = try call.body { ShelvingRequest(&$0, receivedAt: call.receivedAt) }
            let id = ShelvingID.make(at: call.receivedAt)
            let outcome = try await api.database.shelve(
                id, camera: request.camera, pattern: request.pattern,
                at: call.checkedSite(request.site), until: request.until, reason: request.reason,
                by: call.author(), on: call.receivedAt)
            switch outcome {
            case .shelved(let document):
                return .json(document, status: 201, fields: [("location", "/v1/shelvings/\(id)")])
            case .unknownSite:
                throw Problem(.unknownSite, resource: "site")
            case .unknownCamera:
                throw Problem.invalidBody([
                    MemberError(
                        pointer: "/camera", code: "camera.unknown",
                        detail: "must be a camera of the site")
                ])
            }
        }
        add(.get, "/v1/shelvings/{id}", for: Self.observers) { api, call in
            try call.rejectParameters()
            let id = try call.id(ShelvingID.self, of: "shelving")
            guard let shelving = try await api.database.shelving(id, only: call.site) else {
                throw Problem.unknown("shelving")
            }
            return .json(shelving)
        }
        add(.post, "/v1/shelvings/{id}/end", for: Self.observers) { api, call in
            try call.rejectParameters()
            let id = try call.id(ShelvingID.self, of: "shelving")
            // It takes no members.
            try call.optionalBody { _ in () }
            let shelving = try await api.database.endShelving(
                id, only: call.site, by: call.author(), at: call.receivedAt)
            guard let shelving else { throw Problem.unknown("shelving") }
            return .json(shelving)
        }
    }
}

/// What a client puts aside, why, and until when.
private struct ShelvingRequest {
    let site: SiteID
    let camera: CameraID?
    let pattern: BehaviourPattern?
    let reason: String
    let until: Timestamp

    init?(_ reader: inout ObjectReader, receivedAt: Timestamp) {
        let site = reader.required("site", expected: "a site's id") { SiteID($0) }
        camera = reader.optional("camera", expected: "a UUID") { CameraID($0) }
        pattern = reader.optionalCase("pattern", of: BehaviourPattern.self)
        let reason = reader.requiredReason()
        let until = reader.requiredShelvingEnd("until", receivedAt: receivedAt)
        if reader.isValid, camera == nil, pattern == nil {
            reader.refuse("camera", code: "missing", "must be given, or pattern, or both")
        }
        guard reader.isValid, let site, let reason, let until else { return nil }
        (self.site, self.reason, self.until) = (site, reason, until)
    }
}
