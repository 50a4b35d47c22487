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
            let filter = try HoldFilter(&query, for: call)
            try query.finish()
            return .page(try await api.database.holds(filter, page), for: call.request)
        }
        add(.post, "/v1/evidence-holds", for: Self.holdReaders) { api, call in
            try call.rejectParameters()
            let receivedAt = call.receivedAt
            let hold = try call.body { NewHold(&$0, receivedAt: receivedAt) }
            return try await api.once(call, path: "/v1/evidence-holds") { author in
                try .hold(
                    try await api.database.createHold(
                        hold, only: call.site, by: author, at: receivedAt))
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
            let reviewAt: Timestamp? = try call.body(mediaTypes: patchMediaTypes) {
                $0.requiredReview(after: receivedAt)
            }
            return try await api.answer(
                api.database.changeHold(
                    id, only: call.site, if: precondition, reviewAt: reviewAt, by: call.author(),
                    at: receivedAt), on: id, call)
        }
        add(.post, "/v1/evidence-holds/{id}/release", for: Self.holdReleasers) { api, call in
            try call.rejectParameters()
            let id = try call.id(HoldID.self, of: "hold")
            let reason = try call.body { $0.requiredReason() }
            return try await api.answer(
                api.database.releaseHold(
                    id, only: call.site, reason: reason, by: call.author(), at: call.receivedAt),
                on: id, call)
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

extension HoldFilter {
    fileprivate init(_ query: inout QueryReader, for call: Call) throws(Problem) {
        self.init()
        site = try query.site(for: call)
        camera = query.id("camera")
        ground = query.line("ground", length: 1...100)
        caseNumber = query.line("case_number", length: 1...100)
        released = query.bool("released")
        due = query.bool("due")
        from = query.time("from")
        to = query.time("to")
    }
}

extension NewHold {
    /// A hold copies all that a camera saw meanwhile, and whoever makes it waits for that.
    private static let longest: Duration = .seconds(31 * 86_400)

    fileprivate init?(_ reader: inout ObjectReader, receivedAt: Timestamp) {
        let camera = reader.required("camera", expected: "a camera's id") { CameraID($0) }
        let from = reader.requiredTime("from")
        let to = reader.requiredTime("to")
        let ground = reader.requiredLine("ground", length: 1...100)
        let caseNumber = reader.nullableLine("case_number", length: 1...100)
        let holder = reader.nullableLine("holder", length: 1...200)
        let reviewAt = reader.nullableReview(after: receivedAt)
        let incident = reader.nullable("incident", expected: "an incident's id") { IncidentID($0) }
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

extension ObjectReader {
    /// When to look whether a hold is still needed: a date that has passed would never remind
    /// anybody in time.
    fileprivate mutating func nullableReview(after now: Timestamp) -> Timestamp? {
        let reviewAt = nullableTime("review_at")
        if let reviewAt, reviewAt <= now {
            refuse(
                "review_at", code: "out-of-range",
                "must be in the future, after \(now.rfc3339), or null for no review")
        }
        return reviewAt
    }

    /// As `nullableReview`, but the member must be there: null takes the date away.
    fileprivate mutating func requiredReview(after now: Timestamp) -> Timestamp?? {
        let isGiven = contains("review_at")
        if !isGiven { refuse("review_at", code: "missing", "must be a time or null") }
        let reviewAt = nullableReview(after: now)
        return isGiven ? .some(reviewAt) : nil
    }
}

extension Response {
    fileprivate static func hold(_ outcome: HoldCreateOutcome) throws(Problem) -> Response {
        switch outcome {
        case .created(let stored):
            return .created(stored, path: "/v1/evidence-holds")
        case .unknownCamera:
            throw .refusedHold("camera", "camera.unknown", "must be a camera's id")
        case .unknownIncident:
            throw .refusedHold(
                "incident", "incident.unknown", "must be an incident of the camera's site")
        case .groundNotPermitted(let grounds):
            throw .refusedHold(
                "ground", "hold.ground-not-permitted",
                "must be one of the site's grounds: \(grounds.joined(separator: ", "))")
        }
    }
}

extension API {
    /// What came of a change of a hold. A hold that it did not change is read.
    fileprivate func answer(_ outcome: HoldChangeOutcome, on id: HoldID, _ call: Call) async throws
        -> Response
    {
        switch outcome {
        case .changed(let stored): return .stored(stored)
        case .unchanged(let stored):
            try await log(.holdRead, of: id, "hold", by: call)
            return .stored(stored)
        case .unknown: throw Problem.unknown("hold")
        case .stale(let revision): throw try await stale("hold", id, revision)
        case .alreadyReleased(let current):
            throw Problem.alreadyReleased(try await shown(current, .holdRead, of: id, by: call))
        }
    }

    fileprivate func answer(_ outcome: HoldReleaseOutcome, on id: HoldID, _ call: Call) async throws
        -> Response
    {
        switch outcome {
        case .done(let hold): return .json(hold)
        case .unknown: throw Problem.unknown("hold")
        case .alreadyReleased(let current):
            throw Problem.alreadyReleased(try await shown(current, .holdRead, of: id, by: call))
        case .needsAnother(let current):
            var problem = Problem(
                409, "hold.needs-another",
                "Neither who made the hold nor who asked for its release can confirm it.")
            problem.members = [
                Problem.current(try await shown(current, .holdRead, of: id, by: call))
            ]
            throw problem
        }
    }
}

extension Problem {
    fileprivate static func refusedHold(_ member: String, _ code: String, _ detail: String)
        -> Problem
    {
        .invalidBody([MemberError(pointer: "/\(member)", code: code, detail: detail)])
    }

    fileprivate static func alreadyReleased(_ current: [UInt8]?) -> Problem {
        var problem = Problem(409, "hold.already-released", "The hold has been released.")
        problem.members = [Self.current(current)]
        return problem
    }
}
