import ControlCentre
import HTTP
import JSON
import Store

extension API {
    private static let holdReaders: Set<Role> = [.observer, .shiftSupervisor]
    private static let holdReleasers: Set<Role> = [.shiftSupervisor]

    func addEvidenceHolds() {
        add(.get, "/v1/evidence-holds", for: Self.holdReaders) { api, call in
            var query = QueryReader(call.request)
            let page = try query.page()
            var filter = HoldFilter()
            filter.site = try query.site(for: call)
            filter.camera = query.id("camera")
            filter.ground = query.line("ground", length: 1...100)
            filter.caseNumber = query.line("case_number", length: 1...100)
            filter.released = query.bool("released")
            filter.due = query.bool("due")
            filter.from = query.time("from")
            filter.to = query.time("to")
            try query.finish()
            return .page(try await api.database.holds(filter, page), for: call.request)
        }
        add(.post, "/v1/evidence-holds", for: Self.holdReaders) { api, call in
            try call.rejectParameters()
            let hold = try call.body { NewHold(&$0) }
            switch try await api.database.createHold(
                hold, only: call.site, by: call.author(), at: call.receivedAt)
            {
            case .created(let stored):
                let id = (try? JSON.parse(stored.document))?["id"]?.asString ?? ""
                return .stored(stored, status: 201, location: "/v1/evidence-holds/\(id)")
            case .unknownCamera:
                throw Problem.invalidBody([
                    MemberError(
                        pointer: "/camera", code: "camera.unknown", detail: "must be a camera's id")
                ])
            case .unknownIncident:
                throw Problem.invalidBody([
                    MemberError(
                        pointer: "/incident", code: "incident.unknown",
                        detail: "must be an incident of the camera's site")
                ])
            case .groundNotPermitted(let grounds):
                throw Problem.invalidBody([
                    MemberError(
                        pointer: "/ground", code: "hold.ground-not-permitted",
                        detail: "must be one of the site's grounds: "
                            + grounds.joined(separator: ", "))
                ])
            }
        }
        add(.get, "/v1/evidence-holds/{id}", for: Self.holdReaders) { api, call in
            try call.rejectParameters()
            let id = try call.id(HoldID.self, of: "hold")
            try await api.log(.holdRead, of: id, "hold", by: call)
            return try .found(try await api.database.hold(id, only: call.site), resource: "hold")
        }
        add(.patch, "/v1/evidence-holds/{id}", for: Self.holdReaders) { api, call in
            try call.rejectParameters()
            let id = try call.id(HoldID.self, of: "hold")
            let precondition = try call.precondition()
            let receivedAt = call.receivedAt
            let reviewAt = try call.body(mediaTypes: patchMediaTypes) { reader -> Timestamp?? in
                guard reader.contains("review_at") else {
                    reader.refuse("review_at", code: "missing", "must be a time or null")
                    _ = reader.optionalTime("review_at")
                    return nil
                }
                let reviewAt = reader.optionalTime("review_at")
                if let reviewAt, reviewAt <= receivedAt {
                    reader.refuse("review_at", "must be in the future")
                }
                return .some(reviewAt)
            }
            switch try await api.database.changeHold(
                id, only: call.site, if: precondition, reviewAt: reviewAt, by: call.author(),
                at: receivedAt)
            {
            case .changed(let stored): return .stored(stored)
            case .unknown: throw Problem.unknown("hold")
            case .stale(let revision):
                return try .changed(.stale(revision), resource: "hold")
            case .alreadyReleased(let current): throw Problem(alreadyReleased: current)
            }
        }
        add(.post, "/v1/evidence-holds/{id}/release", for: Self.holdReleasers) { api, call in
            try call.rejectParameters()
            let id = try call.id(HoldID.self, of: "hold")
            let reason = try call.body { $0.requiredString("reason", length: 1...4_000) }
            switch try await api.database.releaseHold(
                id, only: call.site, reason: reason, by: call.author(), at: call.receivedAt)
            {
            case .done(let hold): return .json(hold)
            case .unknown: throw Problem.unknown("hold")
            case .alreadyReleased(let current): throw Problem(alreadyReleased: current)
            case .needsAnother(let current):
                var problem = Problem(
                    409, "hold.needs-another",
                    "Neither who made the hold nor who asked for its release can confirm it.")
                problem.members = [("current", current)]
                throw problem
            }
        }
        add(.get, "/v1/evidence-holds/{id}/detections", for: Self.holdReaders) { api, call in
            let id = try call.id(HoldID.self, of: "hold")
            var query = QueryReader(call.request)
            let page = try query.page()
            try query.finish()
            try await api.log(.holdRead, of: id, "hold", by: call)
            guard
                let held = try await api.database.heldDetections(by: id, only: call.site, page)
            else { throw Problem.unknown("hold") }
            return .page(held, for: call.request)
        }
    }
}

extension NewHold {
    /// A hold copies all that a camera saw meanwhile, and ingest waits for it.
    private static let longest: Duration = .seconds(31 * 86_400)

    init?(_ reader: inout ObjectReader) {
        let camera = reader.required("camera", expected: "a camera's id") { CameraID($0) }
        let from = reader.requiredTime("from")
        let to = reader.requiredTime("to")
        let ground = reader.requiredLine("ground", length: 1...100)
        let caseNumber = reader.optionalLine("case_number", length: 1...100)
        let holder = reader.optionalLine("holder", length: 1...200)
        let reviewAt = reader.optionalTime("review_at")
        let incident = reader.optional("incident", expected: "an incident's id") { IncidentID($0) }
        if let from, let to {
            if to <= from {
                reader.refuse("to", "must be after from")
            } else if to - from > Self.longest {
                reader.refuse("to", code: "out-of-range", "must be at most 31 days after from")
            }
        }
        guard let camera, let from, let to, let ground else { return nil }
        self.init(camera: camera, from: from, to: to, ground: ground)
        self.caseNumber = caseNumber
        self.holder = holder
        self.reviewAt = reviewAt
        self.incident = incident
    }
}

extension Problem {
    fileprivate init(alreadyReleased current: [UInt8]) {
        self.init(409, "hold.already-released", "The hold has been released.")
        members = [("current", current)]
    }
}
