/// What a group of detections of one key comes to.
public struct CorrelationDecision: Hashable, Sendable {
    /// What became of each detection, in the order in which they were given.
    public let outcomes: [DetectionOutcome]
    /// One change per episode that was touched, in the order in which they first were.
    public let changes: [EpisodeChange]
}
