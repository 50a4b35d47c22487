/// Who, if anyone, has an alarm in hand.
public enum Handling: Hashable, Sendable {
    /// Nobody yet.
    case new
    /// That observer has it.
    case acknowledged(by: ActorID, at: Timestamp)
    /// That observer has closed it.
    case closed(by: ActorID, at: Timestamp)

    /// Whoever acknowledged or closed it; nil while it is new.
    public var holder: ActorID? {
        switch self {
        case .new: nil
        case .acknowledged(let holder, _), .closed(let holder, _): holder
        }
    }

    /// Since when it has been acknowledged or closed; nil while it is new.
    public var since: Timestamp? {
        switch self {
        case .new: nil
        case .acknowledged(_, let instant), .closed(_, let instant): instant
        }
    }
}
