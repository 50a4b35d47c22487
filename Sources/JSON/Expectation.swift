/// What a member has to be, described only when it is not.
enum Expectation: CustomStringConvertible {
    case anything
    case bool
    case integer(ClosedRange<Int>)
    case number(ClosedRange<Double>)
    case string(length: ClosedRange<Int>)
    case oneOf([String])
    case array(count: ClosedRange<Int>)
    case object
    /// In the caller's words, with an article: "an RFC 3339 time with offset".
    case described(String)

    var description: String {
        switch self {
        case .anything: "any value but null"
        case .bool: "true or false"
        case .integer(let range):
            "a whole number from \(range.lowerBound) to \(range.upperBound)"
        case .number(let range):
            "a number from \(Self.text(range.lowerBound)) to \(Self.text(range.upperBound))"
        case .string(let length):
            "a string of \(length.lowerBound) to \(length.upperBound) characters"
        case .oneOf(let values): "one of " + values.joined(separator: ", ")
        case .array(let count): "an array of \(count.lowerBound) to \(count.upperBound) items"
        case .object: "an object"
        case .described(let text): text
        }
    }

    /// A number as its sender would write it: `1`, not `1.0`.
    static func text(_ number: Double) -> String {
        String(decoding: JSON.number(number).serialized(sortedKeys: true), as: UTF8.self)
    }
}

extension JSON {
    /// The value's type, as an error names it.
    var typeName: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .integer, .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}
