import Store

extension RetentionStep {
    /// Whether there may be more to do.
    var isMore: Bool {
        if case .done = self { true } else { false }
    }
}
