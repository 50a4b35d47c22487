/// Why a step was not taken, with the state that forbade it.
public enum StepRefusal: Hashable, Sendable {
    /// Another observer has the alarm, and not the one whom the step named.
    case acknowledgedBy(ActorID, since: Timestamp)
    /// Nobody has it, so nobody can release it or take it over.
    case notAcknowledged
    /// It is for another position than the step named.
    case assignedElsewhere(Assignment)
    /// It is for no position yet, so it cannot be moved from one.
    case notAssigned
    /// It is shelved with its camera or pattern, and cannot be unshelved by itself.
    case shelvedWithOthers(Shelving)
    /// It is closed, and takes only a comment and a reopening.
    case alreadyClosed(by: ActorID, at: Timestamp)
    /// It is not closed, so it cannot be reopened.
    case notClosed(Handling)

    /// Whoever did what stands in the way; nil where nobody did anything.
    public var holder: ActorID? {
        switch self {
        case .acknowledgedBy(let holder, _): holder
        case .assignedElsewhere(let assignment): assignment.by
        case .shelvedWithOthers(let shelving): shelving.by
        case .alreadyClosed(let observer, _): observer
        case .notClosed(let handling): handling.holder
        case .notAcknowledged, .notAssigned: nil
        }
    }

    /// When it was done; nil where nobody did anything.
    public var since: Timestamp? {
        switch self {
        case .acknowledgedBy(_, let since): since
        case .assignedElsewhere(let assignment): assignment.at
        case .shelvedWithOthers(let shelving): shelving.at
        case .alreadyClosed(_, let instant): instant
        case .notClosed(let handling): handling.since
        case .notAcknowledged, .notAssigned: nil
        }
    }
}
