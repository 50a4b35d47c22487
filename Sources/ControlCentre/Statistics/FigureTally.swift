/// What is counted for a figure: one kind of case, or several that belong together.
public enum FigureTally: String, Hashable, Sendable, CaseIterable {
    /// What the metric is about, where that is one thing.
    case cases

    /// By the decile of their confidence where that is asked for.
    case detections
    case alarms

    // Of the alarms, by their verdict
    case confirmed
    case dismissed
    case unjudged

    // Of the alarms, by what followed
    case withIncident = "with_incident"
    case dispatched
    case arrived

    // Matters, by whether the analysis saw them
    case detected
    case missed
    case notAssessable = "not_assessable"

    // Of those not assessable, by the reason
    case noPattern = "not_assessable_no_pattern"
    case notPermitted = "not_assessable_not_permitted"
    case noCamera = "not_assessable_no_camera"
    case notAnalysed = "not_assessable_not_analysed"
    case otherPattern = "not_assessable_other_pattern"
    case overruled = "not_assessable_overruled"

    // Seconds of cameras, by what they did
    case analysed
    case offBySchedule = "off_by_schedule"
    case offByOrder = "off_by_order"
    case blind
    case off
    case unknown

    // Alarms that rang, by their source
    case annunciated
    // Of those that rang
    case chattering
    case stale

    // Cameras, by the day
    case installedCameras = "installed_cameras"
    case analysedCameras = "analysed_cameras"
    /// The days themselves, each once: of the cell and recorded whole.
    case days

    // Of observers' positions
    /// Ten-minute windows, by how many alarms rang in each.
    case windows
    case floods
    case floodSeconds = "flood_seconds"

    var subject: FigureSubject {
        switch self {
        case .cases, .alarms, .confirmed, .dismissed, .unjudged, .withIncident, .dispatched,
            .arrived, .detected, .missed, .notAssessable, .noPattern, .notPermitted, .noCamera,
            .notAnalysed, .otherPattern, .overruled, .annunciated, .chattering, .stale:
            .cases
        case .detections: .detections
        case .analysed, .offBySchedule, .offByOrder, .blind, .off, .unknown, .installedCameras,
            .analysedCameras, .days:
            .cameras
        case .windows, .floods, .floodSeconds: .positions
        }
    }
}
