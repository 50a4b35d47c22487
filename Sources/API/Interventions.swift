import ControlCentre
import HTTP
import JSON
import Store

extension API {
    private static let observers: Set<Role> = [.observer, .shiftSupervisor]

    func addInterventions() {
        add(.get, "/v1/interventions", for: Self.observers) { api, call in
            var query = QueryReader(call.request)
            let page = try query.page()
            let filter = try InterventionFilter(&query, for: call)
            try query.finish()
            return .page(try await api.database.interventions(filter, page), for: call.request)
        }
        add(.post, "/v1/interventions", for: Self.observers) { api, call in
            try call.rejectParameters()
            let new = try call.body { NewIntervention(&$0) }
            return try await api.once(call, path: "/v1/interventions") { author in
                try await api.answer(
                    api.database.createIntervention(
                        new, only: call.site, by: author, at: call.receivedAt), call, isNew: true)
            }
        }
        add(.get, "/v1/interventions/{id}", for: Self.observers) { api, call in
            try call.rejectParameters()
            let id = try call.id(InterventionID.self, of: "intervention")
            try await api.log(.interventionRead, of: id, "intervention", by: call)
            return try .found(
                try await api.database.intervention(id, only: call.site), resource: "intervention")
        }
        add(.patch, "/v1/interventions/{id}", for: Self.observers) { api, call in
            try call.rejectParameters()
            let id = try call.id(InterventionID.self, of: "intervention")
            let precondition = try call.precondition()
            let (change, reason) = try call.body(mediaTypes: patchMediaTypes) { reader in
                let reason = reader.requiredReason()
                let change = InterventionChange(&reader)
                return reason.map { (change, $0) }
            }
            return try await api.answer(
                api.database.changeIntervention(
                    id, only: call.site, if: precondition, to: change, reason: reason,
                    by: call.author(), at: call.receivedAt), call)
        }
        addHistory("/v1/interventions", of: .intervention, InterventionID.self)

        add(.post, "/v1/interventions/{id}/arrive", for: Self.observers) { api, call in
            let (arrival, reason) = try call.optionalBody { reader in
                let at = reader.nullableTime("at") ?? call.receivedAt
                let source = reader.nullableCase("source", of: ArrivalSource.self) ?? .keyed
                let reason = reader.nullableWords("reason", length: 1...4_000)
                return (Intervention.Arrival(at: at, source: source), reason)
            }
            let step = InterventionStep.arrive(arrival, isExplained: reason != nil)
            return try await api.take(step, reason, call)
        }
        add(.post, "/v1/interventions/{id}/complete", for: Self.observers) { api, call in
            try call.optionalBody { _ in () }
            return try await api.take(.complete, nil, call)
        }
        add(.post, "/v1/interventions/{id}/cancel", for: Self.observers) { api, call in
            let reason = try call.body { $0.requiredReason() }
            return try await api.take(.cancel, reason, call)
        }
    }

    private func take(_ step: InterventionStep, _ reason: String?, _ call: Call) async throws
        -> Response
    {
        try call.rejectParameters()
        let id = try call.id(InterventionID.self, of: "intervention")
        return try await answer(
            database.apply(
                step, reason: reason, to: id, only: call.site, by: call.author(),
                at: call.receivedAt), call, arrival: "at")
    }

    /// What came of a change of an intervention. An intervention that it did not change is read.
    ///
    /// - Parameter arrival: the member that says when a unit arrived.
    private func answer(
        _ result: InterventionResult, _ call: Call, isNew: Bool = false,
        arrival: String = "arrived_at"
    ) async throws -> Response {
        switch result {
        case .done(let stored):
            return isNew ? .created(stored, path: "/v1/interventions") : .stored(stored)
        case .unchanged(let stored):
            let id = try call.id(InterventionID.self, of: "intervention")
            try await log(.interventionRead, of: id, "intervention", by: call)
            return .stored(stored)
        case .unknown: throw Problem.unknown("intervention")
        case .stale(let revision):
            let id = try call.id(InterventionID.self, of: "intervention")
            throw try await stale("intervention", id, revision)
        case .refused(let obstacle, let current):
            var problem = Problem(obstacle, arrival: arrival)
            if case .rule(let refusal) = obstacle, let since = refusal.since {
                let id = try call.id(InterventionID.self, of: "intervention")
                let shown = try await shown(current, .interventionRead, of: id, by: call)
                problem.members = [
                    ("since", Problem.quoted(since.rfc3339)), Problem.current(shown),
                ]
            }
            throw problem
        }
    }
}

extension NewIntervention {
    init?(_ reader: inout ObjectReader) {
        let incident = reader.required("incident", expected: "an incident's id") { IncidentID($0) }
        let immediate = reader.requiredBool("immediate")
        let precinct = reader.nullableLine("precinct", length: 1...200)
        let unit = reader.nullableLine("unit", length: 1...200)
        let dispatchedAt = reader.nullableTime("dispatched_at")
        guard let incident, let immediate else { return nil }
        self.init(incident: incident, immediate: immediate)
        self.precinct = precinct
        self.unit = unit
        self.dispatchedAt = dispatchedAt
    }
}

extension InterventionChange {
    init(_ reader: inout ObjectReader) {
        self.init()
        immediate = reader.optionalBool("immediate")
        let precinct = reader.nullableLine("precinct", length: 1...200)
        if reader.contains("precinct") { self.precinct = .some(precinct) }
        let unit = reader.nullableLine("unit", length: 1...200)
        if reader.contains("unit") { self.unit = .some(unit) }
        dispatchedAt = reader.optionalTime("dispatched_at")
        let arrivedAt = reader.nullableTime("arrived_at")
        if reader.contains("arrived_at") { self.arrivedAt = .some(arrivedAt) }
        arrivalSource = reader.optionalCase("arrival_source", of: ArrivalSource.self)
    }
}

extension InterventionFilter {
    init(_ query: inout QueryReader, for call: Call) throws(Problem) {
        self.init()
        site = try query.site(for: call)
        incident = query.id("incident")
        immediate = query.bool("immediate")
        precinct = query.line("precinct")
        unit = query.line("unit")
        statuses = query.anyOf("status", InterventionStatusName.self)
        arrivalSources = query.anyOf("arrival_source", ArrivalSource.self)
        dispatchedAt = query.time("dispatched_at")
        arrivedAt = query.time("arrived_at")
        completedAt = query.time("completed_at")
        cancelledAt = query.time("cancelled_at")
        createdAt = query.time("created_at")
        from = query.time("from")
        to = query.time("to")
    }
}

extension QueryReader {
    fileprivate mutating func line(_ name: String) -> String? {
        value(name, expected: "1 to 200 characters of one line") {
            (1...200).contains($0.unicodeScalars.count) && isLine($0) ? $0 : nil
        }
    }
}

extension InterventionRefusal {
    /// Since when the intervention is as it refuses to be; nil where a time is wrong.
    fileprivate var since: Timestamp? {
        switch self {
        case .alreadyArrived(let instant), .alreadyCompleted(let instant),
            .alreadyCancelled(let instant):
            instant
        case .dispatchedInFuture, .dispatchedBeforeRecognised, .arrivedInFuture,
            .arrivedBeforeDispatched, .arrivalUnexplained:
            nil
        }
    }
}

extension Problem {
    /// - Parameter arrival: the member that says when a unit arrived.
    fileprivate init(_ obstacle: InterventionObstacle, arrival: String) {
        func invalid(_ member: String, _ code: String, _ detail: String) -> Problem {
            .invalidBody([MemberError(pointer: "/\(member)", code: code, detail: detail)])
        }
        switch obstacle {
        case .unknownIncident:
            self = invalid("incident", "incident.unknown", "must be an incident of the site")
        case .incidentRetracted:
            self.init(
                409, "incident.retracted", "The incident is retracted; it takes no intervention.")
        case .sourceWithoutArrival:
            self = invalid("arrival_source", "invalid", "must stand with an arrival")
        case .rule(.alreadyArrived):
            self.init(
                409, "intervention.already-arrived", "The unit arrived; correct its time by PATCH.")
        case .rule(.alreadyCompleted):
            self.init(409, "intervention.already-completed", "The intervention is completed.")
        case .rule(.alreadyCancelled):
            self.init(409, "intervention.already-cancelled", "The intervention is cancelled.")
        case .rule(.dispatchedInFuture):
            self = invalid("dispatched_at", "intervention.in-future", "must not be in the future")
        case .rule(.dispatchedBeforeRecognised(let recognisedAt)):
            self = invalid(
                "dispatched_at", "intervention.dispatched-before-recognised",
                "must not be before the incident's recognition, \(recognisedAt.rfc3339)")
        case .rule(.arrivedInFuture):
            self = invalid(
                arrival, "intervention.in-future",
                "must not be in the future")
        case .rule(.arrivedBeforeDispatched(let dispatchedAt)):
            self = invalid(
                arrival, "intervention.arrived-before-dispatched",
                "must not be before the dispatch, \(dispatchedAt.rfc3339)")
        case .rule(.arrivalUnexplained(let dispatchedAt)):
            self = invalid(
                "reason", "missing",
                "is required of an arrival more than 6 hours after the dispatch, "
                    + dispatchedAt.rfc3339)
        }
    }
}
