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

    case detections
    case alarms
    case confirmed
    case dismissed
    case unjudged
    case withIncident = "with_incident"
    case dispatched
    case arrived

    /// Confirmed alarms among those that were judged.
    case precision
    case detected
    case missed
    /// Detected matters among those that had to be detected.
    case recallEstimate = "recall_estimate"
    case notAssessable = "not_assessable"
    case noPattern = "not_assessable_no_pattern"
    case notPermitted = "not_assessable_not_permitted"
    case noCamera = "not_assessable_no_camera"
    case notAnalysed = "not_assessable_not_analysed"
    case otherPattern = "not_assessable_other_pattern"
    case overruled = "not_assessable_overruled"

    // Detections by the decile of their confidence: 0 is below 0.1, 9 from 0.9 on
    case decile0 = "detections_decile_0"
    case decile1 = "detections_decile_1"
    case decile2 = "detections_decile_2"
    case decile3 = "detections_decile_3"
    case decile4 = "detections_decile_4"
    case decile5 = "detections_decile_5"
    case decile6 = "detections_decile_6"
    case decile7 = "detections_decile_7"
    case decile8 = "detections_decile_8"
    case decile9 = "detections_decile_9"

    public static let deciles: [Measure] = [
        .decile0, .decile1, .decile2, .decile3, .decile4, .decile5, .decile6, .decile7, .decile8,
        .decile9,
    ]

    // Of cameras, by what they did
    case analysedHours = "analysed_hours"
    case offByScheduleHours = "off_by_schedule_hours"
    case offByOrderHours = "off_by_order_hours"
    case blindHours = "blind_hours"
    case offHours = "off_hours"
    case unknownHours = "unknown_hours"

    // Alarms that rang
    case annunciated
    case chattering
    case stale
    /// Which part of them comes from the ten worst sources.
    case topTenShare = "top_ten_share"

    // Cameras: on the last day, on a day in the mean, on the days with the fewest and the most, and
    // the days of all
    case installedLast = "installed_last_day"
    case analysedLast = "analysed_last_day"
    case installedMean = "installed_mean"
    case analysedMean = "analysed_mean"
    case installedLowest = "installed_lowest"
    case installedHighest = "installed_highest"
    case analysedLowest = "analysed_lowest"
    case analysedHighest = "analysed_highest"
    case installedDays = "installed_camera_days"
    case analysedDays = "analysed_camera_days"

    // Of observers' positions
    case windows
    case meanPerTenMinutes = "mean_per_ten_minutes"
    case windowsAboveTen = "windows_above_ten"
    case shareAboveTen = "share_above_ten"
    case peakTenMinutes = "peak_ten_minutes"
    case floods
    case floodMinutes = "flood_minutes"

    /// What it is of, and whether it is a number of them.
    ///
    /// Whole numbers are counts, or the most, the fewest or the last of such.
    private var kind: (subject: FigureSubject, isWhole: Bool) {
        switch self {
        case .count, .known, .missing, .alarms, .confirmed, .dismissed, .unjudged, .withIncident,
            .dispatched, .arrived, .detected, .missed, .notAssessable, .noPattern, .notPermitted,
            .noCamera, .notAnalysed, .otherPattern, .overruled, .annunciated, .chattering, .stale:
            (.cases, true)
        case .median, .percentile90, .mean, .precision, .recallEstimate, .topTenShare:
            (.cases, false)
        case .detections, .decile0, .decile1, .decile2, .decile3, .decile4, .decile5, .decile6,
            .decile7, .decile8, .decile9:
            (.detections, true)
        case .installedLast, .analysedLast, .installedLowest, .installedHighest, .analysedLowest,
            .analysedHighest, .installedDays, .analysedDays:
            (.cameras, true)
        case .analysedHours, .offByScheduleHours, .offByOrderHours, .blindHours, .offHours,
            .unknownHours, .installedMean, .analysedMean:
            (.cameras, false)
        case .windows, .windowsAboveTen, .peakTenMinutes, .floods: (.positions, true)
        case .meanPerTenMinutes, .shareAboveTen, .floodMinutes: (.positions, false)
        }
    }

    var subject: FigureSubject { kind.subject }

    /// Whether it is a whole number.
    public var isWhole: Bool { kind.isWhole }

    /// Whether it is a number of cases or detections, of which few could tell about persons.
    var countsCases: Bool { isWhole && subject.tellsOfPersons }

    /// Which decile of confidence it is of; nil: of all.
    var decile: Int64? { Self.deciles.firstIndex(of: self).map { Int64($0) } }
}
