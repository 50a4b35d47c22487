/// In what earnest a camera is being analysed.
///
/// Statistics count ``production`` unless asked. Episodes of different modes never mix.
public enum OperatingMode: String, Hashable, Sendable, CaseIterable {
    /// Its alarms ring in the control centre.
    case production
    /// Observers judge its alarms from a worklist that does not ring.
    case parallel
    /// An exercise of the people.
    case exercise
    /// Staged scenes for the training of models.
    case training
}
