/// Why an intervention does not take a step or a time.
public enum InterventionRefusal: Hashable, Sendable {
    case alreadyArrived(at: Timestamp)
    case alreadyCompleted(at: Timestamp)
    case alreadyCancelled(at: Timestamp)
    case dispatchedInFuture
    case dispatchedBeforeRecognised(recognisedAt: Timestamp)
    case arrivedInFuture
    case arrivedBeforeDispatched(dispatchedAt: Timestamp)
    /// So late that it needs a reason.
    case arrivalUnexplained(dispatchedAt: Timestamp)
}
