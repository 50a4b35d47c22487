/// What happened to an episode, and what the journal tells of it.
public enum EpisodeEvent: Hashable, Sendable {
    /// A detection raised it; it is active.
    case raised
    /// A late detection opened it; it is cleared.
    case lateBorn
    /// So many further detections joined it in a row.
    case extended(by: Int)
    /// Its condition ended.
    case cleared
}
