/// What became of a detection.
public enum DetectionOutcome: Hashable, Sendable {
    /// It is older than the retention period: it counts, but no alarm takes it.
    case countedOnly
    /// Its confidence is below the threshold: it is stored and touches no alarm.
    case belowThreshold
    /// Its rule wants more of its kind than there have been: it is stored, and an alarm that is soon
    /// raised counts it.
    case waiting
    /// It raised that alarm, opened it late, or extended it.
    case joined(AlarmID)
}
