/// The detections behind one alarm, as an interval.
public struct Episode: Hashable, Sendable {
    /// The alarm that the episode is.
    public let id: AlarmID
    /// When the detection happened that raised it; never moved.
    public let raisedAt: Timestamp
    /// The earliest detection, which may be before ``raisedAt`` if it arrived afterwards.
    public private(set) var start: Timestamp
    /// The latest detection.
    public private(set) var last: Timestamp
    /// When the condition ended, ``last`` and the quiet time; nil while it is active.
    public private(set) var clearedAt: Timestamp?
    /// How many detections it counts.
    public private(set) var detectionCount: Int
    /// The greatest confidence among them.
    public private(set) var maxConfidence: Double
    /// Whether a late detection opened it, so that it was born cleared and never rang. Only late
    /// detections join it.
    public let late: Bool
    /// The quiet time of the rule that it was raised under: it ends so long after ``last``.
    public let quiet: Duration

    /// An episode with these values, as the store keeps it.
    public init(
        id: AlarmID, raisedAt: Timestamp, start: Timestamp, last: Timestamp, clearedAt: Timestamp?,
        detectionCount: Int, maxConfidence: Double, late: Bool,
        quiet: Duration = CorrelationRule.quietDefault
    ) {
        self.id = id
        self.raisedAt = raisedAt
        self.start = start
        self.last = last
        self.clearedAt = clearedAt
        self.detectionCount = detectionCount
        self.maxConfidence = maxConfidence
        self.late = late
        self.quiet = quiet
    }

    /// Whether it is still going on.
    public var condition: Condition { clearedAt == nil ? .active : .cleared }

    /// Takes one more detection in; the end of a cleared episode moves along.
    mutating func extend(confidence: Double, at instant: Timestamp) {
        start = min(start, instant)
        last = max(last, instant)
        detectionCount += 1
        maxConfidence = max(maxConfidence, confidence)
        if condition == .cleared { clear() }
    }

    /// Ends the condition: nothing has been seen for ``quiet`` after the last detection.
    mutating func clear() {
        clearedAt = last + quiet
    }
}
