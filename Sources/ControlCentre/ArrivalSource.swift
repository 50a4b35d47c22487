/// How a time of arrival is known.
public enum ArrivalSource: String, Hashable, Sendable, CaseIterable {
    /// From the unit's radio.
    case radioStatus = "radio_status"
    /// Keyed in as it happened.
    case keyed
    /// Entered afterwards.
    case later
}
