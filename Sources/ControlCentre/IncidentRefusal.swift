/// Why an incident cannot be as somebody wants it.
public enum IncidentRefusal: Hashable, Sendable {
    /// It occurred later than now.
    case occurredInFuture
    /// It occurred before any figure can be of.
    case occurredTooEarly
    /// The sub-category is one of another category.
    case subcategoryOfOther
    /// No outcome stands beside outcomes.
    case noneAmongOutcomes
    case recognisedInFuture(Recognition)
    /// Somebody knew of it before it happened.
    case recognisedBeforeOccurred(Recognition)
    /// An intervention was dispatched before anybody knew of it.
    case recognisedAfterDispatch(dispatchedAt: Timestamp)
}
