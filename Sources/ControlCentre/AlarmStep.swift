/// What a person may do with an alarm.
public enum AlarmStep: Hashable, Sendable {
    /// "I have it."
    case acknowledge
    /// "I no longer have it."
    case release
    /// "I have it now", to whoever had it; `from` says who that is, as the observer believes.
    case takeOver(from: ActorID?)
    /// "It is for that position"; `from` says at which it is, as the observer believes.
    case assign(position: String, from: String?)
    /// "It is real."
    case confirm(note: String? = nil)
    /// "It is not real."
    case dismiss(DismissalReason, note: String?)
    /// A remark.
    case comment(text: String)
    /// "Not now, but then", and why not.
    case shelve(ShelvingID, until: Timestamp, reason: String)
    /// "Now after all."
    case unshelve(note: String? = nil)
    /// "It is done with."
    case close(note: String? = nil)
    /// "It is not done with after all."
    case reopen(note: String? = nil)

    /// What the observer wrote to it.
    public var note: String? {
        switch self {
        case .comment(let text), .shelve(_, _, let text): text
        case .confirm(let note), .dismiss(_, let note), .unshelve(let note), .close(let note),
            .reopen(let note):
            note
        case .acknowledge, .release, .takeOver, .assign: nil
        }
    }
}
