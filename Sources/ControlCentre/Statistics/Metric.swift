/// A figure that the control centre answers for; what it counts, its definition says.
public enum Metric: String, Hashable, Sendable, CaseIterable {
    case incidents
    case incidentsWithImmediateIntervention = "incidents-with-immediate-intervention"
    case interventions
    case arrivalTimes = "arrival-times"
    case alarmFunnel = "alarm-funnel"
    case detectionQuality = "detection-quality"
    case coverage
    case alarmLoad = "alarm-load"
    case cameras

    /// Whether it is recorded only where detections come in.
    public var isAutomatic: Bool { countsDetections || self == .alarmLoad }

    public var countsDetections: Bool { self == .alarmFunnel || self == .detectionQuality }

    /// Whether a period begins and ends with a local day, by which is counted.
    public var isByDay: Bool { self == .cameras }

    /// A period begins and ends on a multiple of so many seconds, by which is counted.
    public var stepSeconds: Int64 { self == .coverage || self == .alarmLoad ? 3_600 : 900 }
}

/// Which two instants an arrival time lies between.
public enum ArrivalClock: String, Hashable, Sendable, CaseIterable {
    /// From a matter's recognition to the first arrival.
    case recognition
    /// From each dispatch to its arrival.
    case dispatch
}
