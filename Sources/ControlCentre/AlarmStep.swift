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
    case unshelve
    /// "It is done with."
    case close
    /// "It is not done with after all."
    case reopen
}
