/// What may happen with an intervention after its dispatch.
public enum InterventionStep: Hashable, Sendable {
    /// The first unit is there; `isExplained` if a reason came along.
    case arrive(Intervention.Arrival, isExplained: Bool)
    case complete
    case cancel
}
