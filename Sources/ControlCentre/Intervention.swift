/// What units did about an incident: when they were sent, came, and were done.
public struct Intervention: Hashable, Sendable {
    public enum Status: Hashable, Sendable {
        case dispatched
        case arrived
        case completed(at: Timestamp)
        case cancelled(at: Timestamp)
    }

    /// When units came, and how the time is known.
    public struct Arrival: Hashable, Sendable {
        public let at: Timestamp
        public let source: ArrivalSource

        public init(at: Timestamp, source: ArrivalSource) {
            self.at = at
            self.source = source
        }
    }

    public private(set) var status: Status
    public private(set) var dispatchedAt: Timestamp
    public private(set) var arrival: Arrival?

    /// An arrival that takes longer than this is more often a slip of the pen; it needs a reason.
    public static let unexplainedArrivalMax: Duration = .seconds(6 * 3_600)

    public init(dispatchedAt: Timestamp) {
        status = .dispatched
        self.dispatchedAt = dispatchedAt
    }

    /// The intervention as it was recorded.
    public init(recorded status: Status, dispatchedAt: Timestamp, arrival: Arrival?) {
        self.status = status
        self.dispatchedAt = dispatchedAt
        self.arrival = arrival
    }

    /// Takes a step, or refuses it and leaves all as it is.
    ///
    /// - A unit arrives once; a wrong time is corrected, not told again.
    /// - An intervention may be completed without a recorded arrival, which is then missing.
    /// - Whatever is not completed can be cancelled.
    /// - A completed or cancelled intervention takes no step.
    public mutating func apply(
        _ step: InterventionStep, at now: Timestamp
    ) -> InterventionRefusal? {
        switch (status, step) {
        case (.completed(let instant), _):
            return .alreadyCompleted(at: instant)
        case (.cancelled(let instant), _):
            return .alreadyCancelled(at: instant)

        case (.arrived, .arrive):
            return .alreadyArrived(at: arrival?.at ?? dispatchedAt)
        case (.dispatched, .arrive(let arrival, let isExplained)):
            let refusal = Self.refusal(
                dispatchedAt: dispatchedAt, arrivedAt: arrival.at, isExplained: isExplained,
                at: now)
            if let refusal { return refusal }
            self.arrival = arrival
            status = .arrived

        case (_, .complete):
            status = .completed(at: now)
        case (_, .cancel):
            status = .cancelled(at: now)
        }
        return nil
    }

    /// Corrects the times, also of what is completed or cancelled.
    ///
    /// - Parameters:
    ///   - arrival: nil keeps it, an inner nil removes it.
    ///   - recognisedAt: of the incident.
    public mutating func correct(
        dispatchedAt: Timestamp?, arrival: Arrival??, recognisedAt: Timestamp, at now: Timestamp
    ) -> InterventionRefusal? {
        let dispatchedAt = dispatchedAt ?? self.dispatchedAt
        let arrival = arrival ?? self.arrival
        let refusal =
            Self.refusal(dispatchedAt: dispatchedAt, recognisedAt: recognisedAt, at: now)
            // Whoever corrects says why.
            ?? arrival.flatMap {
                Self.refusal(
                    dispatchedAt: dispatchedAt, arrivedAt: $0.at, isExplained: true, at: now)
            }
        if let refusal { return refusal }
        self.dispatchedAt = dispatchedAt
        self.arrival = arrival
        switch status {
        case .dispatched, .arrived: status = arrival == nil ? .dispatched : .arrived
        case .completed, .cancelled: break
        }
        return nil
    }

    // MARK: Times

    /// What forbids a time of dispatch; nil when nothing does.
    public static func refusal(
        dispatchedAt: Timestamp, recognisedAt: Timestamp, at now: Timestamp
    ) -> InterventionRefusal? {
        if dispatchedAt > now + Incident.clockToleranceMax { return .dispatchedInFuture }
        if dispatchedAt < recognisedAt {
            return .dispatchedBeforeRecognised(recognisedAt: recognisedAt)
        }
        return nil
    }

    private static func refusal(
        dispatchedAt: Timestamp, arrivedAt: Timestamp, isExplained: Bool, at now: Timestamp
    ) -> InterventionRefusal? {
        if arrivedAt > now + Incident.clockToleranceMax { return .arrivedInFuture }
        if arrivedAt < dispatchedAt { return .arrivedBeforeDispatched(dispatchedAt: dispatchedAt) }
        if arrivedAt - dispatchedAt > unexplainedArrivalMax, !isExplained {
            return .arrivalUnexplained(dispatchedAt: dispatchedAt)
        }
        return nil
    }
}
