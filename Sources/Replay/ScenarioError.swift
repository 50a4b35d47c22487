import JSON

/// Why a file is no scenario.
public enum ScenarioError: Error, Sendable, Equatable {
    case unreadable(String)
    case notJSON(JSONError)
    /// What is wrong with which members.
    case invalid([MemberError])
}

extension ScenarioError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unreadable(let reason):
            "the scenario is unreadable: \(reason)"
        case .notJSON(let error):
            "the scenario is not JSON: \(error.text) (line \(error.line), column \(error.column))"
        case .invalid(let errors):
            "the scenario is not as described: "
                + errors.map { "\($0.pointer) \($0.detail)" }.joined(separator: "; ")
        }
    }
}
