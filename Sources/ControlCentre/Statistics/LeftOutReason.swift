/// Why something that the filters would take is not in a figure, beside its operating mode.
public enum LeftOutReason: String, Hashable, Sendable, CaseIterable {
    /// The matter was.
    case retracted
    /// The intervention was called off.
    case cancelled
    /// The detection was turned away: an unknown camera, a pattern that is not permitted.
    case refused
    /// The alarm was neither confirmed nor dismissed.
    case unjudged
    /// The alarm reached the server too late to ring.
    case late
}
