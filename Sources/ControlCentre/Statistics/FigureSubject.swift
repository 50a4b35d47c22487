/// What is counted or measured.
enum FigureSubject: Sendable, Hashable {
    /// Alarms, matters, and dispatches.
    case cases
    /// Detections, which are counted a while after they were received.
    case detections
    /// What cameras did, and how many there were.
    case cameras
    /// What observers' positions bore, each of which watches several sources.
    case positions

    /// Whether few of them could tell about persons.
    var tellsOfPersons: Bool {
        switch self {
        case .cases, .detections: true
        case .cameras, .positions: false
        }
    }
}
