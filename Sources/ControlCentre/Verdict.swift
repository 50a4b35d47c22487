/// What an observer found an alarm to be.
public enum Verdict: Hashable, Sendable {
    /// It is real.
    case confirmed
    /// It is not, for that reason.
    case dismissed(DismissalReason)
}
