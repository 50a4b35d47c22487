import ControlCentre
import JSON
import Store

/// A step as clients name it, and how its members are read.
struct StepForm: Sendable {
    let name: String
    /// Reads the step's members; nil when the reader has errors.
    let read: @Sendable (inout ObjectReader, _ receivedAt: Timestamp) -> ReadStep?

    static let all = [
        StepForm(name: "acknowledge") { _, _ in ReadStep(.acknowledge) },
        StepForm(name: "release") { _, _ in ReadStep(.release) },
        StepForm(name: "take-over") { reader, _ in
            let former = reader.optional("from", expected: "a token's id") { TokenID($0) }
            return ReadStep(.takeOver(from: former.map { ActorID($0.description) }))
        },
        StepForm(name: "assign") { reader, _ in
            let position = reader.requiredLine("position", length: ObserverPosition.nameLength)
            let former = reader.optionalLine("from", length: ObserverPosition.nameLength)
            return position.map { ReadStep(.assign(position: $0, from: former)) }
        },
        StepForm(name: "confirm") { reader, _ in
            let note = reader.nullableNote()
            let matter = reader.nullableObject("incident") { MatterOfAlarm(&$0) }
            return ReadStep(.confirm(note: note), joining: matter)
        },
        StepForm(name: "dismiss") { reader, _ in
            let reason = reader.requiredCase("reason", of: DismissalReason.self)
            let note = reader.nullableNote()
            return reason.map { ReadStep(.dismiss($0, note: note)) }
        },
        StepForm(name: "comment") { reader, _ in
            let text = reader.requiredWords("text", length: 1...4_000)
            return text.map { ReadStep(.comment(text: $0)) }
        },
        StepForm(name: "shelve") { reader, receivedAt in
            let reason = reader.requiredReason()
            let until = reader.requiredShelvingEnd("until", receivedAt: receivedAt)
            guard let reason, let until else { return nil }
            return ReadStep(.shelve(.make(at: receivedAt), until: until, reason: reason))
        },
        StepForm(name: "unshelve") { reader, _ in
            ReadStep(.unshelve(note: reader.nullableNote()))
        },
        StepForm(name: "close") { reader, _ in ReadStep(.close(note: reader.nullableNote())) },
        StepForm(name: "reopen") { reader, _ in ReadStep(.reopen(note: reader.nullableNote())) },
    ]
}

/// A step as it was read, before it is known on which alarm.
struct ReadStep {
    private let step: AlarmStep
    private let matter: MatterOfAlarm?

    fileprivate init(_ step: AlarmStep, joining matter: MatterOfAlarm? = nil) {
        self.step = step
        self.matter = matter
    }

    func on(_ alarm: AlarmID) -> RequestedStep { RequestedStep(step, on: alarm, joining: matter) }
}

extension RequestedStep {
    /// Reads one of many steps; nil when `reader` has errors.
    init?(_ reader: inout ObjectReader, receivedAt: Timestamp) {
        let alarm = reader.required("alarm", expected: "a UUID") { AlarmID($0) }
        let name = reader.requiredString("step", oneOf: StepForm.all.map(\.name))
        // Which members a step has is known only once it is.
        guard let form = StepForm.all.first(where: { $0.name == name }) else { return nil }
        let step = form.read(&reader, receivedAt)
        reader.rejectUnknown()
        guard reader.isValid, let alarm, let step else { return nil }
        self = step.on(alarm)
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
            let occurredAt = reader.nullableTime("occurred_at")
            guard var new = NewIncident(&reader) else { return nil }
            new.occurredAt = occurredAt
            self = .new(new)
        }
    }
}

extension ObjectReader {
    /// A note that goes with a step; an empty one is none.
    fileprivate mutating func nullableNote() -> String? {
        let note = nullableString("note", length: 0...4_000)
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
