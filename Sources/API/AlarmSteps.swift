import ControlCentre
import HTTP
import JSON
import Store

extension API {
    private static let observers: Set<Role> = [.observer, .shiftSupervisor]
    /// Steps of one request at most.
    static let stepsMax = 500

    func addAlarmSteps() {
        // Confirming by itself may name the incident too.
        for form in StepForm.all where form.name != "confirm" {
            add(.post, "/v1/alarms/{id}/\(form.name)", for: Self.observers) { api, call in
                try call.rejectParameters()
                let id = try call.id(AlarmID.self, of: "alarm")
                let (step, note) = try call.optionalBody { form.read(&$0, call.receivedAt) }
                let result = try await api.database.apply(
                    step, note: note, to: id, only: call.site, by: call.author(),
                    at: call.receivedAt)
                return try .taken(result)
            }
        }
        add(.post, "/v1/alarms/{id}/confirm", for: Self.observers) { api, call in
            try call.rejectParameters()
            let id = try call.id(AlarmID.self, of: "alarm")
            let (note, matter) = try call.optionalBody { reader in
                (reader.optionalNote(), reader.optionalObject("incident") { MatterOfAlarm(&$0) })
            }
            return try await api.confirm(id, note: note, matter: matter, for: call)
        }
        add(.post, "/v1/alarms/steps", for: Self.observers) { api, call in
            try call.rejectParameters()
            guard case .array(let items) = try call.json() else {
                throw Problem.invalidBody([
                    MemberError(pointer: "", code: "wrong-type", detail: "must be an array")
                ])
            }
            return try await api.take(items, for: call)
        }
    }

    private func confirm(
        _ id: AlarmID, note: String?, matter: MatterOfAlarm?, for call: Call
    ) async throws -> Response {
        guard let matter else {
            let result = try await database.apply(
                .confirm(note: note), note: nil, to: id, only: call.site, by: call.author(),
                at: call.receivedAt)
            return try .taken(result)
        }
        let result = try await database.confirm(
            id, note: note, matter: matter, only: call.site, by: call.author(),
            at: call.receivedAt)
        switch result {
        case .done(let alarm, let incident):
            // The alarm is an object; its incident joins it as its last member.
            return .json(alarm.dropLast() + Array(",\"incident\":\"\(incident)\"}".utf8))
        case .notConfirmed(let step):
            return try .taken(step)
        case .refused(.unknownIncident):
            throw Problem.refusedMember(
                422, "incident.unknown", "/incident/id", "must be an incident of the alarm's site")
        case .refused(let obstacle):
            throw Problem(obstacle, at: "/incident")
        }
    }

    /// Takes the steps of an array, each with an outcome of its own.
    private func take(_ items: [JSON], for call: Call) async throws -> Response {
        guard items.count <= Self.stepsMax else {
            throw Problem(
                413, "steps.too-many",
                "The array has \(items.count) items; send at most \(Self.stepsMax).")
        }
        var steps: [RequestedStep] = []
        /// By place in the array: the place in `steps`, or what is wrong with the item.
        var parsed: [Result<Int, Problem>] = []
        for (index, item) in items.enumerated() {
            var reader = ObjectReader(item, at: "/\(index)")
            if let step = RequestedStep(&reader, receivedAt: call.receivedAt) {
                parsed.append(.success(steps.count))
                steps.append(step)
            } else {
                parsed.append(.failure(.invalidBody(reader.errors)))
            }
        }
        let results = try await database.apply(
            steps, only: call.site, by: call.author(), at: call.receivedAt)

        var writer = JSONWriter()
        writer.object { writer in
            writer.array("items") { writer in
                for (index, item) in items.enumerated() {
                    writer.object { writer in
                        switch parsed[index] {
                        case .success(let place):
                            writer.member("alarm", steps[place].alarm.description)
                            writer.member("outcome", results[place].outcome)
                            writer.member("problem", Problem(results[place], at: "/\(index)"))
                        case .failure(let problem):
                            let id = item["alarm"]?.asString.flatMap { AlarmID($0) }
                            writer.member("alarm", id?.description)
                            writer.member("outcome", "refused")
                            writer.member("problem", problem)
                        }
                    }
                }
            }
        }
        return .json(writer.bytes)
    }
}

/// A step as clients name it, and how its members are read.
private struct StepForm: Sendable {
    let name: String
    /// Reads the step's members, and the note that goes with it; nil when the reader has errors.
    let read: @Sendable (inout ObjectReader, _ receivedAt: Timestamp) -> (AlarmStep, note: String?)?

    static let all = [
        StepForm(name: "acknowledge") { _, _ in (.acknowledge, nil) },
        StepForm(name: "release") { _, _ in (.release, nil) },
        StepForm(name: "take-over") { reader, _ in
            let former = reader.optional("from", expected: "a token's id") { TokenID($0) }
            return (.takeOver(from: former.map { ActorID($0.description) }), nil)
        },
        StepForm(name: "assign") { reader, _ in
            let position = reader.requiredLine("position", length: 1...200)
            let former = reader.optionalLine("from", length: 1...200)
            return position.map { (.assign(position: $0, from: former), nil) }
        },
        StepForm(name: "confirm") { reader, _ in (.confirm(note: reader.optionalNote()), nil) },
        StepForm(name: "dismiss") { reader, _ in
            let reason = reader.requiredCase("reason", of: DismissalReason.self)
            let note = reader.optionalNote()
            return reason.map { (.dismiss($0, note: note), nil) }
        },
        StepForm(name: "comment") { reader, _ in
            reader.requiredString("text", length: 1...4_000).map { (.comment(text: $0), nil) }
        },
        StepForm(name: "shelve") { reader, receivedAt in
            let reason = reader.requiredString("reason", length: 1...4_000)
            let until = reader.requiredShelvingEnd("until", receivedAt: receivedAt)
            guard let reason, let until else { return nil }
            return (.shelve(.make(at: receivedAt), until: until, reason: reason), nil)
        },
        StepForm(name: "unshelve") { reader, _ in (.unshelve, reader.optionalNote()) },
        StepForm(name: "close") { reader, _ in (.close, reader.optionalNote()) },
        StepForm(name: "reopen") { reader, _ in (.reopen, reader.optionalNote()) },
    ]
}

extension RequestedStep {
    /// Reads one of many steps; nil when `reader` has errors.
    fileprivate init?(_ reader: inout ObjectReader, receivedAt: Timestamp) {
        let alarm = reader.required("alarm", expected: "a UUID") { AlarmID($0) }
        let name = reader.requiredString("step", oneOf: StepForm.all.map(\.name))
        // Which members a step has is known only once it is.
        guard let form = StepForm.all.first(where: { $0.name == name }) else { return nil }
        let step = form.read(&reader, receivedAt)
        reader.rejectUnknown()
        guard reader.isValid, let alarm, let step else { return nil }
        self.init(step.0, on: alarm, note: step.note)
    }
}

extension MatterOfAlarm {
    /// Reads `{"id": …}`, or a new incident that takes from the alarm what it does not say.
    fileprivate init?(_ reader: inout ObjectReader) {
        if reader.contains("id") {
            let id = reader.required("id", expected: "an incident's id") { IncidentID($0) }
            guard let id else { return nil }
            self = .recorded(id)
        } else {
            let occurredAt = reader.optionalTime("occurred_at")
            guard var new = NewIncident(&reader) else { return nil }
            new.occurredAt = occurredAt
            self = .new(new)
        }
    }
}

extension ObjectReader {
    /// A note that goes with a step; an empty one is none.
    fileprivate mutating func optionalNote() -> String? {
        let note = optionalString("note", length: 0...4_000)
        return note?.isEmpty == true ? nil : note
    }

    /// When a shelving ends: in the future, but not far in it.
    mutating func requiredShelvingEnd(_ name: String, receivedAt: Timestamp) -> Timestamp? {
        guard let until = requiredTime(name) else { return nil }
        let latest = receivedAt + Shelving.durationMax
        guard until > receivedAt, until <= latest else {
            let hours = Shelving.durationMax.components.seconds / 3_600
            refuse(
                name, code: "out-of-range",
                "must be in the future and at most \(hours) hours ahead, by \(latest.rfc3339)")
            return nil
        }
        return until
    }
}

extension StepResult {
    /// The alarm, where the step was taken.
    fileprivate var alarm: [UInt8]? {
        switch self {
        case .done(let alarm), .unchanged(let alarm): alarm
        case .refused, .unknown, .unknownPosition: nil
        }
    }

    fileprivate var outcome: String {
        switch self {
        case .done: "done"
        case .unchanged: "unchanged"
        case .refused, .unknownPosition: "refused"
        case .unknown: "unknown"
        }
    }
}

extension Response {
    /// The alarm that a step was taken on, or the problem why it was not.
    fileprivate static func taken(_ result: StepResult) throws(Problem) -> Response {
        if let problem = Problem(result, at: "") { throw problem }
        return .json(result.alarm ?? [])
    }
}

extension JSONWriter {
    fileprivate mutating func member(_ name: String, _ problem: Problem?) {
        self.name(name)
        if let problem { problem.write(to: &self, requestID: nil) } else { null() }
    }
}

extension Problem {
    /// Why a step was not taken; nil where it was.
    ///
    /// - Parameter pointer: of the step in the body.
    fileprivate init?(_ result: StepResult, at pointer: String) {
        switch result {
        case .done, .unchanged:
            return nil
        case .unknown:
            self = .unknown("alarm")
        case .unknownPosition:
            self = .refusedMember(
                422, "position.unknown", "\(pointer)/position",
                "The alarm's site has no observer position of this name.")
        case .refused(let refusal, let current, let holderName):
            self.init(refusal, current: current, holderName: holderName)
        }
    }

    /// A step that was refused, with the alarm as it is and whoever stands in the way.
    private init(_ refusal: StepRefusal, current: [UInt8], holderName: String?) {
        let holder = holderName ?? "Somebody else"
        switch refusal {
        case .acknowledgedBy:
            self.init(
                409, "alarm.acknowledged-by-other",
                "\(holder) has the alarm. To get it, take it over; name its holder as `from` there."
            )
        case .notAcknowledged:
            self.init(409, "alarm.not-acknowledged", "Nobody has acknowledged the alarm.")
        case .assignedElsewhere(let assignment):
            self.init(
                409, "alarm.assigned-elsewhere",
                "\(holder) has assigned the alarm to \(assignment.position). To move it, name that "
                    + "position as `from`.")
        case .notAssigned:
            self.init(
                409, "alarm.not-assigned",
                "The alarm is assigned to no position; leave `from` out.")
        case .shelvedWithOthers:
            self.init(
                409, "alarm.shelved-with-others",
                "The alarm is shelved with its camera or pattern; end that shelving.")
        case .alreadyClosed:
            self.init(
                409, "alarm.already-closed",
                "The alarm is closed; it takes only a comment and a reopening.")
        case .notClosed:
            self.init(409, "alarm.not-closed", "The alarm is not closed.")
        }
        var writer = JSONWriter()
        if let actor = refusal.holder {
            writer.object { writer in
                writer.member("token", actor.description)
                writer.member("name", holderName)
            }
        } else {
            writer.null()
        }
        members = [("holder", writer.bytes)]
        writer = JSONWriter()
        if let since = refusal.since { writer.value(since.rfc3339) } else { writer.null() }
        members.append(("since", writer.bytes))
        members.append(("current", current))
    }
}
