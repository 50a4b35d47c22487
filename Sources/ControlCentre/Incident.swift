/// A matter relevant to the police, as far as people correct it.
///
/// A value: a correction makes another, and whoever records it sees both.
public struct Incident: Hashable, Sendable {
    public var category: Category
    public var subcategory: Subcategory?
    public var occurredAt: Timestamp
    /// The behaviour that was seen; nil if none of the catalogue.
    public var pattern: BehaviourPattern?
    public var area: AreaID?
    public var operatingMode: OperatingMode
    /// Those that had it in view, its alarms' among them.
    public var cameras: Set<CameraID>
    /// The alarms of it; each is one of the recognitions.
    public private(set) var alarms: Set<AlarmID>
    public private(set) var recognitions: [Recognition]
    public var outcomes: [IncidentOutcome]

    /// How far a person's clock may be ahead of the server's.
    public static let clockToleranceMax: Duration = .seconds(60)
    /// No question to the statistics can be about an earlier one, but it would tell all of them that
    /// matters had been recorded since.
    public static let occurredMin = Timestamp.epoch
    /// Bounds of what one incident holds.
    public static let camerasMax = 100
    public static let alarmsMax = 100
    public static let recognitionsMax = 100

    /// An incident without an alarm, which an observer is assumed to have seen as it happened until
    /// recognitions say otherwise.
    public init(
        category: Category, subcategory: Subcategory? = nil, occurredAt: Timestamp,
        pattern: BehaviourPattern? = nil, area: AreaID? = nil,
        operatingMode: OperatingMode = .production, cameras: Set<CameraID> = [],
        outcomes: [IncidentOutcome] = []
    ) {
        self.category = category
        self.subcategory = subcategory
        self.occurredAt = occurredAt
        self.pattern = pattern
        self.area = area
        self.operatingMode = operatingMode
        self.cameras = cameras
        alarms = []
        recognitions = [.observer(at: occurredAt, isAssumed: true)]
        self.outcomes = outcomes
    }

    /// The incident as it was recorded, with all recognitions, those of its alarms included.
    public init(recorded incident: Incident, recognitions: [Recognition]) {
        self = incident
        self.recognitions = recognitions
        alarms = Set(recognitions.compactMap(\.alarm))
        assume()
    }

    // MARK: Recognitions

    /// The recognition that counts.
    public var earliest: Recognition {
        Recognition.earliest(of: recognitions) ?? .observer(at: occurredAt, isAssumed: true)
    }

    public var recognisedAt: Timestamp { earliest.at }

    public var source: RecognitionSource { earliest.source }

    /// Adds an alarm, with the recognition that its receipt was and the camera that saw it.
    public mutating func link(_ alarm: LinkedAlarm) {
        guard alarms.insert(alarm.id).inserted else { return }
        cameras.insert(alarm.camera)
        recognitions.append(.alarm(alarm.id, receivedAt: alarm.receivedAt))
        assume()
    }

    /// Takes an alarm away, with its recognition.
    public mutating func unlink(_ alarm: AlarmID) {
        guard alarms.remove(alarm) != nil else { return }
        recognitions.removeAll { $0.alarm == alarm }
        assume()
    }

    /// Replaces what people said about how they came to know; alarms stay.
    public mutating func replaceRecognitions(with others: [Recognition]) {
        var kept: [Recognition] = recognitions.filter { $0.kind == .alarm }
        for other in others where !kept.contains(other) && other.kind != .alarm {
            kept.append(other)
        }
        recognitions = kept
        assume()
    }

    /// Corrects when somebody saw it or called first; an alarm's receipt stays as it is.
    public mutating func moveEarliest(to instant: Timestamp) {
        let first = earliest
        guard first.kind != .alarm, first.at != instant else { return }
        recognitions.removeAll { $0 == first }
        recognitions.append(first.kind == .call ? .call(at: instant) : .observer(at: instant))
    }

    /// Moves the time of the matter, and with it a recognition that was only assumed.
    public mutating func move(to instant: Timestamp) {
        occurredAt = instant
        assume()
    }

    /// Assumes an observer at the time of the matter while nothing else is known, only then.
    private mutating func assume() {
        recognitions.removeAll { $0.isAssumed }
        if recognitions.isEmpty {
            recognitions = [.observer(at: occurredAt, isAssumed: true)]
        }
    }

    // MARK: Rules

    /// What forbids the incident to be as it is; nil when nothing does.
    ///
    /// - Parameters:
    ///   - now: by the server's clock.
    ///   - firstDispatch: when the first of its interventions was dispatched, if there is any.
    public func refusal(at now: Timestamp, firstDispatch: Timestamp? = nil) -> IncidentRefusal? {
        let latest = now + Self.clockToleranceMax
        if occurredAt > latest { return .occurredInFuture }
        if occurredAt < Self.occurredMin { return .occurredTooEarly }
        if let subcategory, !category.subcategories.contains(subcategory) {
            return .subcategoryOfOther
        }
        if outcomes.contains(.none), outcomes.count > 1 { return .noneAmongOutcomes }
        for recognition in recognitions where recognition.kind != .alarm {
            if recognition.at > latest { return .recognisedInFuture(recognition) }
            // An alarm's receipt is a fact by our clock, and may precede what a person entered.
            if recognition.at < occurredAt { return .recognisedBeforeOccurred(recognition) }
        }
        if let firstDispatch, firstDispatch < recognisedAt {
            return .recognisedAfterDispatch(dispatchedAt: firstDispatch)
        }
        return nil
    }
}

/// What an incident takes from an alarm that it is linked with.
public struct LinkedAlarm: Hashable, Sendable {
    public let id: AlarmID
    public let camera: CameraID
    public let area: AreaID
    public let pattern: BehaviourPattern
    public let operatingMode: OperatingMode
    public let raisedAt: Timestamp
    public let receivedAt: Timestamp

    public init(
        id: AlarmID, camera: CameraID, area: AreaID, pattern: BehaviourPattern,
        operatingMode: OperatingMode, raisedAt: Timestamp, receivedAt: Timestamp
    ) {
        self.id = id
        self.camera = camera
        self.area = area
        self.pattern = pattern
        self.operatingMode = operatingMode
        self.raisedAt = raisedAt
        self.receivedAt = receivedAt
    }

    /// The mode of a matter that it shows: parallel operation sees real matters, an exercise or a
    /// staged scene does not.
    public var incidentMode: OperatingMode {
        switch operatingMode {
        case .production, .parallel: .production
        case .exercise, .training: operatingMode
        }
    }
}
