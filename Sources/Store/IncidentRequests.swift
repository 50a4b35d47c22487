import ControlCentre

/// A recognition as a client names it.
public struct NamedRecognition: Sendable, Hashable {
    public var kind: Recognition.Kind
    /// Of an alarm it is known already.
    public var at: Timestamp?
    public var alarm: AlarmID?

    public init(kind: Recognition.Kind, at: Timestamp?, alarm: AlarmID?) {
        self.kind = kind
        self.at = at
        self.alarm = alarm
    }
}

public struct NewIncident: Sendable {
    /// Nil: the site of the alarm that it begins with.
    public var site: SiteID?
    public var category: ControlCentre.Category
    public var subcategory: Subcategory?
    /// Nil: when its first alarm was raised.
    public var occurredAt: Timestamp?
    /// When an observer saw it, if no recognitions say so.
    public var recognisedAt: Timestamp?
    public var pattern: BehaviourPattern?
    /// Whether it has the pattern of its first alarm, where it names none.
    public var takesPatternOfAlarm = false
    /// Nil: of its first alarm or camera.
    public var area: AreaID?
    /// Nil: as its first alarm says, else production.
    public var operatingMode: OperatingMode?
    public var cameras: [CameraID] = []
    public var alarms: [AlarmID] = []
    public var recognitions: [NamedRecognition] = []
    public var outcomes: [IncidentOutcome] = []
    public var note: String?

    public init(category: ControlCentre.Category) { self.category = category }
}

/// What to correct of an incident; nil leaves it, and an inner nil removes the value.
public struct IncidentChange: Sendable {
    public var category: ControlCentre.Category?
    public var subcategory: Subcategory??
    public var occurredAt: Timestamp?
    public var recognisedAt: Timestamp?
    public var pattern: BehaviourPattern??
    public var area: AreaID??
    public var operatingMode: OperatingMode?
    public var cameras: [CameraID]?
    public var alarms: [AlarmID]?
    public var recognitions: [NamedRecognition]?
    public var outcomes: [IncidentOutcome]?
    public var note: String??
    /// Joins what is linked already.
    public var addedAlarm: AlarmID?

    public init() {}
}
