/// Whether the automatic analysis saw a matter.
public enum Assessment: String, Hashable, Sendable, CaseIterable {
    case detected
    /// It had to see it, and did not.
    case missed
    /// It could not have seen it, or nobody can tell.
    case notAssessable = "not_assessable"
}
