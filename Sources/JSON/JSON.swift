/// One JSON value (RFC 8259), as a tree of Swift values that has no tie to the parser.
///
/// A number written without fraction and exponent is an `integer`, each other one a `number`, so
/// that `1.0` is `number(1.0)`. `==` tells the two apart, compares texts byte by byte, where
/// Swift's strings would take "é" and "e\u{301}" for equal, and takes no notice of the order of
/// an object's members. To ask whether two documents say the same, compare their canonical forms
/// (`serialized(sortedKeys: true)`).
///
/// A value that was parsed is at most `depthMax` deep, which bounds every recursion over it.
public enum JSON: Sendable {
    case null
    case bool(Bool)
    case integer(Int64)
    /// Finite: JSON has neither NaN nor infinity, and the writer refuses them.
    case number(Double)
    case string(String)
    case array([JSON])
    case object(JSONObject)
}

extension JSON {
    /// The truth value, or nil for anything else.
    public var asBool: Bool? {
        guard case .bool(let value) = self else { return nil }
        return value
    }

    /// The value as a whole number, or nil when it is not one or is beyond `Int64`.
    ///
    /// `1.0` is a whole number too, as in JSON Schema.
    public var asInteger: Int64? {
        switch self {
        case .integer(let value): value
        case .number(let value): Int64(exactly: value)
        default: nil
        }
    }

    /// The value as a double, or nil when it is no number; integers beyond 2⁵³ are rounded.
    public var asDouble: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }

    /// The text, or nil for anything else.
    public var asString: String? {
        guard case .string(let value) = self else { return nil }
        return value
    }

    /// The items, or nil for anything else.
    public var asArray: [JSON]? {
        guard case .array(let value) = self else { return nil }
        return value
    }

    /// The object, or nil for anything else.
    public var asObject: JSONObject? {
        guard case .object(let value) = self else { return nil }
        return value
    }

    /// The named member's value; nil when there is none or this is no object.
    public subscript(name: String) -> JSON? {
        asObject?[name]
    }
}

extension JSON: Equatable {
    public static func == (left: JSON, right: JSON) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.bool(let left), .bool(let right)): left == right
        case (.integer(let left), .integer(let right)): left == right
        case (.number(let left), .number(let right)): left == right
        case (.string(let left), .string(let right)): left.hasSameBytes(as: right)
        case (.array(let left), .array(let right)): left == right
        case (.object(let left), .object(let right)): left == right
        default: false
        }
    }
}

extension String {
    /// Whether both are the same bytes; Swift's `==` asks only whether they are canonically
    /// equivalent, and would find a member `K` under the name of the Kelvin sign.
    func hasSameBytes(as other: String) -> Bool {
        // The cheap comparisons first. No other text of as many bytes is equivalent to ASCII.
        utf8.count == other.utf8.count && self == other
            && (utf8Span.isKnownASCII || utf8.elementsEqual(other.utf8))
    }
}
