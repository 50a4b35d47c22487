/// What an incident led to; several may apply.
public enum IncidentOutcome: String, Hashable, Sendable, CaseIterable {
    /// Criminal proceedings.
    case proceedings
    /// Proceedings for an administrative offence.
    case fineProceedings = "fine_proceedings"
    case arrest
    /// Custody to avert a danger.
    case custody
    case identityCheck = "identity_check"
    case removalOrder = "removal_order"
    case warning
    case medicalAid = "medical_aid"
    case recordingsSecured = "recordings_secured"
    /// Handed on to another authority.
    case handedOver = "handed_over"
    case other
    /// Nothing; excludes the others.
    case none
}
