/// When whoever looks at a single alarm, incident or live picture has to say why.
public enum AccessReason: String, Hashable, Sendable, CaseIterable {
    case none
    /// With each request.
    case request
    /// Once in a shift.
    case shift
}
