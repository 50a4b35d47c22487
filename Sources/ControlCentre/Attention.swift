/// What an alarm asks of the observers.
public enum Attention: String, CaseIterable, Hashable, Sendable {
    case none
    /// It is to be heard: it has rung, is active and not put aside, and nobody has it.
    case ring
    /// It is of another mode than production, and waits for a verdict without ringing.
    case worklist
}
