/// Why a matter's assessment is as it is, where the assessment does not say it.
public enum AssessmentReason: String, Hashable, Sendable, CaseIterable {
    /// The incident names no pattern.
    case noPattern = "no_pattern"
    /// The site did not permit the pattern then.
    case notPermitted = "not_permitted"
    /// No camera had it in view.
    case noCamera = "no_camera"
    /// No camera in view was analysed for the pattern then; the coverage says what it was.
    case notAnalysed = "not_analysed"
    /// An alarm made it known, but of another pattern.
    case otherPattern = "other_pattern"
    /// A person said so.
    case overruled
}
