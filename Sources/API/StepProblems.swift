import ControlCentre
import HTTP
import JSON
import Store

extension Problem {
    /// Why a step was not taken; nil where it was.
    ///
    /// - Parameter pointer: of the step in the body.
    init?(_ result: StepResult, at pointer: String) {
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
        case .refusedMatter(.unknownIncident):
            self = .refusedMember(
                422, "incident.unknown", "\(pointer)/incident/id",
                "must be an incident of the alarm's site")
        case .refusedMatter(let obstacle):
            self.init(obstacle, at: "\(pointer)/incident")
        }
    }

    /// A step that was refused, with the alarm as it is and whoever stands in the way.
    private init(_ refusal: StepRefusal, current: [UInt8]?, holderName: String?) {
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
        members.append(Self.current(current))
    }
}
