/// What came of a step.
public enum StepOutcome: Hashable, Sendable {
    /// It was taken, and is to be journaled.
    case changed
    /// All was as the step wanted it already.
    case unchanged
    /// It was not taken.
    case refused(StepRefusal)
}
