import ControlCentre
import HTTP
import JSON
import Store

extension API {
    private static let observers: Set<Role> = [.observer, .shiftSupervisor]

    func addAlarms() {
        add(.get, "/v1/alarms", for: Self.observers) { api, call in
            var query = QueryReader(call.request)
            let page = try query.page()
            let filter = try AlarmFilter(&query, for: call)
            try query.finish()
            return .page(try await api.database.alarms(filter, page), for: call.request)
        }
        add(.get, "/v1/alarms/{id}", for: Self.observers) { api, call in
            try call.rejectParameters()
            let id = try call.id(AlarmID.self, of: "alarm")
            try await api.log(.alarmRead, of: id, "alarm", by: call)
            guard let alarm = try await api.database.alarm(id, only: call.site) else {
                throw Problem.unknown("alarm")
            }
            return .json(alarm)
        }
        addHistory("/v1/alarms", of: .alarm, AlarmID.self)

        addStep("acknowledge") { _ in (.acknowledge, nil) }
        addStep("release") { _ in (.release, nil) }
        addStep("confirm") { (.confirm(note: $0.optionalNote()), nil) }
        addStep("dismiss") { reader in
            let reason = reader.requiredCase("reason", of: DismissalReason.self)
            let note = reader.optionalNote()
            return reason.map { (.dismiss($0, note: note), nil) }
        }
        addStep("comment") { reader in
            reader.requiredString("text", length: 1...4_000).map { (.comment(text: $0), nil) }
        }
        addStep("close") { (.close, $0.optionalNote()) }
        addStep("reopen") { (.reopen, $0.optionalNote()) }
    }

    /// Adds a step's route; `read` makes the step, and the note that goes with it, of the body.
    private func addStep(
        _ name: String, _ read: @escaping (inout ObjectReader) -> (AlarmStep, note: String?)?
    ) {
        add(.post, "/v1/alarms/{id}/\(name)", for: Self.observers) { api, call in
            try call.rejectParameters()
            let id = try call.id(AlarmID.self, of: "alarm")
            let (step, note) = try call.optionalBody { read(&$0) }
            let result = try await api.database.apply(
                step, note: note, to: id, only: call.site, by: call.author(), at: call.receivedAt)
            switch result {
            case .done(let alarm):
                return .json(alarm)
            case .unknown:
                throw Problem.unknown("alarm")
            case .refused(let refusal, let current, let holderName):
                throw Problem(refusal, current: current, holderName: holderName)
            }
        }
    }
}

extension ObjectReader {
    /// A note that goes with a step; an empty one is none.
    fileprivate mutating func optionalNote() -> String? {
        let note = optionalString("note", length: 0...4_000)
        return note?.isEmpty == true ? nil : note
    }
}

extension AlarmFilter {
    init(_ query: inout QueryReader, for call: Call) throws(Problem) {
        self.init()
        site = try query.site(for: call)
        area = query.id("area")
        camera = query.id("camera")
        patterns = query.anyOf("pattern", BehaviourPattern.self)
        operatingModes = query.anyOf("operating_mode", OperatingMode.self)
        conditions = query.anyOf("condition", Condition.self)
        handlings = query.anyOf("handling", HandlingName.self)
        // Its one value does not filter; other values come with shelving.
        _ = query.anyOf("suppression", Suppression.self)
        verdicts = query.anyOf("verdict", VerdictName.self)
        priorities = query.anyOf("priority", Priority.self)
        raisedAt = query.time("raised_at")
        lastDetectionAt = query.time("last_detection_at")
        clearedAt = query.time("cleared_at")
        detectionCount = query.integer("detection_count", in: 0...Int(Int32.max))
        maxConfidence = query.value("max_confidence", expected: "a number from 0 to 1") {
            guard let number = Double($0), (0...1).contains(number) else { return nil }
            return number
        }
        late = query.bool("late")
        overdue = query.bool("overdue")
        chattering = query.bool("chattering")
        stale = query.bool("stale")
        flood = query.bool("flood")
        group = query.id("group")
        ruleVersion = query.integer("rule_version", in: 1...Int(Int32.max))
        annunciated = query.bool("annunciated")
        from = query.time("from")
        to = query.time("to")
    }
}

extension Problem {
    /// A step that was refused, with the alarm as it is and whoever holds it.
    fileprivate init(_ refusal: StepRefusal, current: [UInt8], holderName: String?) {
        let holder = holderName ?? "Somebody else"
        switch refusal {
        case .acknowledgedBy:
            self.init(409, "alarm.acknowledged-by-other", "\(holder) has acknowledged the alarm.")
        case .notAcknowledged:
            self.init(409, "alarm.not-acknowledged", "Nobody has acknowledged the alarm.")
        case .alreadyClosed:
            self.init(
                409, "alarm.already-closed",
                "The alarm is closed; it takes only a comment and a reopening.")
        case .notClosed:
            self.init(409, "alarm.not-closed", "The alarm is not closed.")
        }
        var writer = JSONWriter()
        if let actor = refusal.handling.holder {
            writer.object { writer in
                writer.member("token", actor.description)
                writer.member("name", holderName)
            }
        } else {
            writer.null()
        }
        members = [("holder", writer.bytes)]
        writer = JSONWriter()
        if let since = refusal.handling.since { writer.value(since.rfc3339) } else { writer.null() }
        members.append(("since", writer.bytes))
        members.append(("current", current))
    }
}
