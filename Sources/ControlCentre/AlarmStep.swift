/// What a person may do with an alarm.
public enum AlarmStep: Hashable, Sendable {
    /// "I have it."
    case acknowledge
    /// "I no longer have it."
    case release
    /// "It is real."
    case confirm(note: String? = nil)
    /// "It is not real."
    case dismiss(DismissalReason, note: String?)
    /// A remark.
    case comment(text: String)
    /// "It is done with."
    case close
    /// "It is not done with after all."
    case reopen
}
