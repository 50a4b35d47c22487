extension ObjectReader {
    // MARK: Truth values and numbers

    /// The member, which must be there and be true or false.
    public mutating func requiredBool(_ name: String) -> Bool? {
        bool(name, .required)
    }

    /// The member, which must be true or false if it is there.
    public mutating func optionalBool(_ name: String) -> Bool? {
        bool(name, .optional)
    }

    /// The member, which must be there and be a whole number in `range`; `5.0` is one.
    public mutating func requiredInteger(_ name: String, in range: ClosedRange<Int>) -> Int? {
        integer(name, in: range, .required)
    }

    /// The member, which must be a whole number in `range` if it is there; `5.0` is one.
    public mutating func optionalInteger(_ name: String, in range: ClosedRange<Int>) -> Int? {
        integer(name, in: range, .optional)
    }

    /// As `optionalInteger`, of a member that may be null.
    public mutating func nullableInteger(_ name: String, in range: ClosedRange<Int>) -> Int? {
        integer(name, in: range, .nullable)
    }

    /// The member, which must be there and be a number in `range`.
    public mutating func requiredNumber(
        _ name: String, in range: ClosedRange<Double>
    ) -> Double? {
        number(name, in: range, .required)
    }

    /// The member, which must be a number in `range` if it is there.
    public mutating func optionalNumber(
        _ name: String, in range: ClosedRange<Double>
    ) -> Double? {
        number(name, in: range, .optional)
    }

    /// As `optionalNumber`, of a member that may be null.
    public mutating func nullableNumber(
        _ name: String, in range: ClosedRange<Double>
    ) -> Double? {
        number(name, in: range, .nullable)
    }

    // MARK: Texts

    /// The member, which must be there and be a text of a number of code points in `length`.
    public mutating func requiredString(_ name: String, length: ClosedRange<Int>) -> String? {
        string(name, length: length, .required)
    }

    /// The member, which must be a text of a number of code points in `length` if it is there.
    public mutating func optionalString(_ name: String, length: ClosedRange<Int>) -> String? {
        string(name, length: length, .optional)
    }

    /// As `optionalString`, of a member that may be null.
    public mutating func nullableString(_ name: String, length: ClosedRange<Int>) -> String? {
        string(name, length: length, .nullable)
    }

    /// The member, which must be there and be one of `values`.
    public mutating func requiredString(_ name: String, oneOf values: [String]) -> String? {
        mapped(name, .oneOf(values), .required) { values.contains($0) ? $0 : nil }
    }

    /// The member, which must be there and be the raw value of one of the cases.
    public mutating func requiredCase<Case: CaseIterable & RawRepresentable<String>>(
        _ name: String, of type: Case.Type = Case.self
    ) -> Case? {
        mapped(
            name, .oneOf(Case.allCases.map(\.rawValue)), .required,
            Case.init(rawValue:))
    }

    /// The member, which must be the raw value of one of the cases if it is there.
    public mutating func optionalCase<Case: CaseIterable & RawRepresentable<String>>(
        _ name: String, of type: Case.Type = Case.self
    ) -> Case? {
        mapped(
            name, .oneOf(Case.allCases.map(\.rawValue)), .optional,
            Case.init(rawValue:))
    }

    /// As `optionalCase`, of a member that may be null.
    public mutating func nullableCase<Case: CaseIterable & RawRepresentable<String>>(
        _ name: String, of type: Case.Type = Case.self
    ) -> Case? {
        mapped(
            name, .oneOf(Case.allCases.map(\.rawValue)), .nullable,
            Case.init(rawValue:))
    }

    /// What `read` makes of the member, which must be there and be a text.
    ///
    ///     reader.required("occurred_at", expected: "an RFC 3339 time with offset") { Time($0) }
    ///
    /// - Parameters:
    ///   - expected: what it has to be, with an article; ends the sentence "must be …".
    ///   - read: nil for a text that is not what is expected.
    public mutating func required<Value>(
        _ name: String, expected: String, _ read: (String) -> Value?
    ) -> Value? {
        mapped(name, .described(expected), .required, read)
    }

    /// What `read` makes of the member, which must be a text if it is there.
    public mutating func optional<Value>(
        _ name: String, expected: String, _ read: (String) -> Value?
    ) -> Value? {
        mapped(name, .described(expected), .optional, read)
    }

    /// As `optional`, of a member that may be null.
    public mutating func nullable<Value>(
        _ name: String, expected: String, _ read: (String) -> Value?
    ) -> Value? {
        mapped(name, .described(expected), .nullable, read)
    }

    // MARK: Shared by required, optional and nullable

    private mutating func bool(_ name: String, _ presence: Presence) -> Bool? {
        guard let value = value(name, presence, .bool) else { return nil }
        guard let bool = value.asBool else {
            refuseType(name, .bool, value)
            return nil
        }
        return bool
    }

    private mutating func integer(
        _ name: String, in range: ClosedRange<Int>, _ presence: Presence
    ) -> Int? {
        guard let value = value(name, presence, .integer(range)) else { return nil }
        guard let number = value.asDouble else {
            refuseType(name, .integer(range), value)
            return nil
        }
        guard let integer = value.asInteger.map({ Int($0) }) else {
            let found = "is \(Expectation.text(number))"
            refuse(name, code: "wrong-type", .integer(range), found)
            return nil
        }
        guard range.contains(integer) else {
            refuse(name, code: "out-of-range", .integer(range), "is \(integer)")
            return nil
        }
        return integer
    }

    private mutating func number(
        _ name: String, in range: ClosedRange<Double>, _ presence: Presence
    ) -> Double? {
        guard let value = value(name, presence, .number(range)) else { return nil }
        guard let number = value.asDouble else {
            refuseType(name, .number(range), value)
            return nil
        }
        guard range.contains(number) else {
            refuse(name, code: "out-of-range", .number(range), "is \(Expectation.text(number))")
            return nil
        }
        return number
    }

    private mutating func string(
        _ name: String, length: ClosedRange<Int>, _ presence: Presence
    ) -> String? {
        guard let value = value(name, presence, .string(length: length)) else {
            return nil
        }
        guard let text = value.asString else {
            refuseType(name, .string(length: length), value)
            return nil
        }
        guard text.hasCodePoints(in: length) else {
            let count = text.unicodeScalars.count
            refuse(name, code: "out-of-range", .string(length: length), "has \(count)")
            return nil
        }
        return text
    }

    private mutating func mapped<Value>(
        _ name: String, _ expectation: @autoclosure () -> Expectation, _ presence: Presence,
        _ read: (String) -> Value?
    ) -> Value? {
        guard let value = value(name, presence, expectation()) else { return nil }
        guard let text = value.asString else {
            refuseType(name, expectation(), value)
            return nil
        }
        guard let result = read(text) else {
            refuse(name, code: "invalid", expectation(), "is \(text.quotedForError)")
            return nil
        }
        return result
    }
}

extension String {
    /// Whether the number of code points, which is what PostgreSQL counts, is in `range`.
    fileprivate func hasCodePoints(in range: ClosedRange<Int>) -> Bool {
        // A code point has one to four bytes: most texts need no counting.
        let byteCount = utf8.count
        if byteCount <= range.upperBound && (byteCount + 3) / 4 >= range.lowerBound {
            return true
        }
        return range.contains(unicodeScalars.count)
    }

    /// The text's beginning in quotation marks: enough to find the mistake by.
    var quotedForError: String {
        let start = unicodeScalars.prefix(40)
        return start.endIndex == endIndex ? "\"\(self)\"" : "\"\(String(start))…\""
    }
}
