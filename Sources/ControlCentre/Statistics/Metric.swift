/// A figure that the control centre answers for; what it counts, its definition says.
public enum Metric: String, Hashable, Sendable, CaseIterable {
    case incidents
    case incidentsWithImmediateIntervention = "incidents-with-immediate-intervention"
    case interventions
    case arrivalTimes = "arrival-times"
}

/// Which two instants an arrival time lies between.
public enum ArrivalClock: String, Hashable, Sendable, CaseIterable {
    /// From a matter's recognition to the first arrival.
    case recognition
    /// From each dispatch to its arrival.
    case dispatch
}

/// What a metric says of a cell.
public enum Measure: String, Hashable, Sendable, CaseIterable {
    case count
    /// How many times are known.
    case known
    /// How many are not.
    case missing
    case median = "median_seconds"
    case percentile90 = "percentile_90_seconds"
    case mean = "mean_seconds"

    /// Whether it is a number of cases, and so a whole one.
    public var isCount: Bool {
        switch self {
        case .count, .known, .missing: true
        case .median, .percentile90, .mean: false
        }
    }
}
