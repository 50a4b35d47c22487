import ControlCentre

/// Why an incident cannot be recorded as asked.
public enum IncidentObstacle: Error, Sendable, Equatable {
    case unknownSite
    case unknownArea
    case unknownCamera(CameraID)
    case unknownAlarm(AlarmID)
    /// An alarm belongs to one incident only.
    case alarmTaken(AlarmID, by: IncidentID)
    /// The alarm was received at this instant, and at no other.
    case alarmReceivedAt(Timestamp, AlarmID)
    /// The earliest recognition is another than the time asked for.
    case earliestRecognition(Timestamp)
    case retracted
    case unknownIncident
    case rule(IncidentRefusal)
}
