/// How many cases there are, if that may be told.
public enum CaseCount: Sendable, Hashable, ExpressibleByIntegerLiteral {
    case number(Int64)
    /// At least one.
    case suppressed

    public init(integerLiteral value: Int64) { self = .number(value) }

    static func += (count: inout CaseCount, added: Int64) {
        guard case .number(let number) = count else { return }
        count = .number(number + added)
    }

    func suppressed(below threshold: Int64) -> CaseCount {
        guard case .number(let number) = self, number > 0, number < threshold else { return self }
        return .suppressed
    }
}
