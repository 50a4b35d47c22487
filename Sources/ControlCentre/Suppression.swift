/// Whether an alarm has been put aside for a time.
public enum Suppression: String, Hashable, Sendable, CaseIterable {
    /// It has not.
    case none
    /// It has, with an end, by itself or with its camera or pattern.
    case shelved
}
