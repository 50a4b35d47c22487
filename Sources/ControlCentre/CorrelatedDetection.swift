/// What the correlator needs to know of a detection.
public struct CorrelatedDetection: Hashable, Sendable {
    public let id: DetectionID
    /// When it happened, by the node's clock.
    public let occurredAt: Timestamp
    /// When it reached us, by our clock.
    public let receivedAt: Timestamp
    /// How sure the model was, 0 to 1.
    public let confidence: Double

    /// A detection with these values.
    public init(
        id: DetectionID, occurredAt: Timestamp, receivedAt: Timestamp, confidence: Double
    ) {
        self.id = id
        self.occurredAt = occurredAt
        self.receivedAt = receivedAt
        self.confidence = confidence
    }

    /// The instant at which it counts: a node whose clock is ahead cannot put it after its receipt.
    public var effectiveAt: Timestamp { min(occurredAt, receivedAt) }

    /// Its age on arrival, negative if the node's clock is ahead.
    public var age: Duration { receivedAt - occurredAt }
}
