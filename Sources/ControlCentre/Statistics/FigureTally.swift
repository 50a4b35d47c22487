/// What is counted for a figure: one kind of case, or several that belong together.
public enum FigureTally: String, Hashable, Sendable, CaseIterable {
    /// What the metric is about, where that is one thing.
    case cases
}
