/// What the bearer of a token is to the control centre.
public enum Role: String, Hashable, Sendable, CaseIterable {
    /// Posts detections and heartbeats of its own node.
    case node
    /// Handles alarms, records incidents, interventions and holds.
    case observer
    /// An observer who also sets rules, retracts, and releases what another holds.
    case shiftSupervisor = "shift_supervisor"
    /// Reads statistics and reports, no single incident.
    case statistician
    /// Reads the journal and the access log, changes nothing.
    case auditor
    /// Keeps sites, cameras, nodes, rules and tokens; takes no step on an alarm.
    case administrator
    /// Reads the program's own metrics.
    case monitor
}
