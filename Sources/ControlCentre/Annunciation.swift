/// How an alarm rings that waits for somebody from now on; only production rings, and only what is
/// still active.
public enum Annunciation: Hashable, Sendable {
    /// Whether or not it has rung before.
    case anew
    /// Only if it has never rung.
    case unlessHeard
}
