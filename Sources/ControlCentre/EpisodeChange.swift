/// What one group of detections did to one episode.
public struct EpisodeChange: Hashable, Sendable {
    /// The episode before the group; nil if the group brought it forth.
    public let before: Episode?
    /// The episode after the group.
    public let after: Episode
    /// What happened to it, in order; never empty.
    ///
    /// An extension may follow a clearing: the episode stays cleared, and its end has moved.
    public let events: [EpisodeEvent]
    /// Detections of earlier groups that the episode, brought forth by this one, counts: in the
    /// order of their instants.
    public let preceding: [CorrelatedDetection]
}
