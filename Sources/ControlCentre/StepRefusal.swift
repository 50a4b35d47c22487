/// Why a step was not taken, with the state that forbade it.
public enum StepRefusal: Hashable, Sendable {
    /// Another observer has the alarm.
    case acknowledgedBy(ActorID, since: Timestamp)
    /// Nobody has it, so nobody can release it.
    case notAcknowledged
    /// It is closed, and takes only a comment and a reopening.
    case alreadyClosed(by: ActorID, at: Timestamp)
    /// It is not closed, so it cannot be reopened.
    case notClosed(Handling)

    /// The handling that the alarm has and keeps.
    public var handling: Handling {
        switch self {
        case .acknowledgedBy(let holder, let since): .acknowledged(by: holder, at: since)
        case .notAcknowledged: .new
        case .alreadyClosed(let observer, let instant): .closed(by: observer, at: instant)
        case .notClosed(let handling): handling
        }
    }
}
