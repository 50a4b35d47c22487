/// Whether what raised an alarm is still going on; no observer's step touches it.
public enum Condition: String, Hashable, Sendable, CaseIterable {
    case active
    case cleared
}
