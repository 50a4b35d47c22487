/// Whether a figure of a stretch of time can be told: zero must mean zero.
public enum RecordingState: String, Hashable, Sendable {
    case complete
    /// It was recorded for a part of the time only.
    case partial
    case notRecorded = "not_recorded"
    /// It is known, and hidden because it is small, or because a small one could be told from it.
    case suppressed

    /// Of a stretch, half-open, of which nothing is known before `since` nor from `until` on.
    ///
    /// - Parameter since: nil: never.
    public init(from lower: Timestamp, to upper: Timestamp, since: Timestamp?, until: Timestamp) {
        guard let since else {
            self = .notRecorded
            return
        }
        if lower >= upper {
            // Of no time at all everything is known.
            self = .complete
        } else if since >= upper || until <= lower || until <= since {
            self = .notRecorded
        } else {
            self = since <= lower && upper <= until ? .complete : .partial
        }
    }

    /// Of several stretches together; nil of none.
    public init?(_ states: some Sequence<RecordingState>) {
        let states = Set(states)
        guard let first = states.first else { return nil }
        self = states.count == 1 ? first : .partial
    }
}
