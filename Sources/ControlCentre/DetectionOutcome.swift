/// What became of a detection.
public enum DetectionOutcome: Hashable, Sendable {
    /// It is older than the retention period: it counts, but no alarm takes it.
    case countedOnly
    /// Its confidence is below the threshold: it is stored and touches no alarm.
    case belowThreshold
    /// It raised that alarm, opened it late, or extended it.
    case joined(AlarmID)
}
