/// What is wrong with one member of a request's body.
public struct MemberError: Error, Sendable, Equatable {
    /// Which member, as a JSON pointer (RFC 6901): `/patterns/0/legal_basis`.
    public let pointer: String
    /// Stable, for programs: `missing`, `unknown`, `wrong-type`, `out-of-range`, `invalid`, a code
    /// of the caller's own, or `more` for the errors beyond `ObjectReader.errorsMax`.
    public let code: String
    /// In English, for people; says what would be right: "must be a number from 0 to 1, is a
    /// string".
    public let detail: String

    /// Creates an error.
    public init(pointer: String, code: String, detail: String) {
        self.pointer = pointer
        self.code = code
        self.detail = detail
    }
}

/// A JSON pointer's step to a member, with its slash and escaped (RFC 6901, section 3).
func pointerStep(to name: String) -> String {
    var step = "/"
    for scalar in name.unicodeScalars {
        switch scalar {
        case "~": step += "~0"
        case "/": step += "~1"
        default: step.unicodeScalars.append(scalar)
        }
    }
    return step
}
