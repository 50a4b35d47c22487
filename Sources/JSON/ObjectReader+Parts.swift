extension ObjectReader {
    // MARK: Any value

    /// The member, which must be there and may be anything but null.
    public mutating func required(_ name: String) -> JSON? {
        value(name, isRequired: true, .anything)
    }

    /// The member if it is there and not null.
    public mutating func optional(_ name: String) -> JSON? {
        value(name, isRequired: false, .anything)
    }

    // MARK: Objects

    /// What `read` makes of the member, which must be there and be an object.
    ///
    /// The part's errors become this reader's. Members of it that `read` did not ask for are
    /// refused. Nil when anything in the part was wrong.
    public mutating func requiredObject<Value>(
        _ name: String, _ read: (inout ObjectReader) -> Value?
    ) -> Value? {
        guard let json = value(name, isRequired: true, .object) else { return nil }
        return part(json, at: pointer(to: name), read)
    }

    /// What `read` makes of the member, which must be an object if it is there (see
    /// `requiredObject`).
    public mutating func optionalObject<Value>(
        _ name: String, _ read: (inout ObjectReader) -> Value?
    ) -> Value? {
        guard let json = value(name, isRequired: false, .object) else { return nil }
        return part(json, at: pointer(to: name), read)
    }

    // MARK: Arrays

    /// The member, which must be there and be an array of a number of items in `count`.
    public mutating func requiredArray(_ name: String, count: ClosedRange<Int>) -> [JSON]? {
        array(name, count: count, isRequired: true)
    }

    /// The member, which must be an array of a number of items in `count` if it is there.
    public mutating func optionalArray(_ name: String, count: ClosedRange<Int>) -> [JSON]? {
        array(name, count: count, isRequired: false)
    }

    /// What `read` makes of each item of the member, which must be there and be an array of objects.
    ///
    /// Nil when any item was wrong; the others are read nevertheless, to find all errors. Members
    /// that `read` did not ask for are refused.
    public mutating func requiredObjects<Value>(
        _ name: String, count: ClosedRange<Int>, _ read: (inout ObjectReader) -> Value?
    ) -> [Value]? {
        items(name, count: count, isRequired: true) { $0.part($1, at: $2, read) }
    }

    /// What `read` makes of each item of the member, which must be an array of objects if it is
    /// there (see `requiredObjects`).
    public mutating func optionalObjects<Value>(
        _ name: String, count: ClosedRange<Int>, _ read: (inout ObjectReader) -> Value?
    ) -> [Value]? {
        items(name, count: count, isRequired: false) { $0.part($1, at: $2, read) }
    }

    /// What `read` makes of each item of the member, which must be there and be an array of texts.
    ///
    /// - Parameter expected: what an item has to be, with an article; ends "must be …".
    public mutating func requiredItems<Value>(
        _ name: String, count: ClosedRange<Int>, expected: String, _ read: (String) -> Value?
    ) -> [Value]? {
        items(name, count: count, isRequired: true) {
            $0.item($1, at: $2, expected: expected, read)
        }
    }

    /// What `read` makes of each item of the member, which must be an array of texts if it is there
    /// (see `requiredItems`).
    public mutating func optionalItems<Value>(
        _ name: String, count: ClosedRange<Int>, expected: String, _ read: (String) -> Value?
    ) -> [Value]? {
        items(name, count: count, isRequired: false) {
            $0.item($1, at: $2, expected: expected, read)
        }
    }

    // MARK: Shared by required and optional

    private mutating func array(
        _ name: String, count: ClosedRange<Int>, isRequired: Bool
    ) -> [JSON]? {
        guard let value = value(name, isRequired: isRequired, .array(count: count)) else {
            return nil
        }
        guard let items = value.asArray else {
            refuseType(name, .array(count: count), value)
            return nil
        }
        guard count.contains(items.count) else {
            refuse(name, code: "out-of-range", .array(count: count), "has \(items.count)")
            return nil
        }
        return items
    }

    private mutating func items<Value>(
        _ name: String, count: ClosedRange<Int>, isRequired: Bool,
        _ read: (inout ObjectReader, JSON, String) -> Value?
    ) -> [Value]? {
        guard let items = array(name, count: count, isRequired: isRequired) else { return nil }
        let pointer = pointer(to: name)
        var values: [Value] = []
        values.reserveCapacity(items.count)
        for (index, item) in items.enumerated() {
            if let value = read(&self, item, "\(pointer)/\(index)") {
                values.append(value)
            }
        }
        return values.count == items.count ? values : nil
    }

    private mutating func item<Value>(
        _ json: JSON, at pointer: String, expected: String, _ read: (String) -> Value?
    ) -> Value? {
        guard let text = json.asString else {
            record(
                MemberError(
                    pointer: pointer, code: "wrong-type",
                    detail: "must be \(expected), is \(json.typeName)"))
            return nil
        }
        guard let value = read(text) else {
            record(
                MemberError(
                    pointer: pointer, code: "invalid",
                    detail: "must be \(expected), is \(text.quotedForError)"))
            return nil
        }
        return value
    }

    private mutating func part<Value>(
        _ json: JSON, at pointer: String, _ read: (inout ObjectReader) -> Value?
    ) -> Value? {
        var part = ObjectReader(json, at: pointer)
        let value = read(&part)
        part.rejectUnknown()
        adopt(part)
        return part.isValid ? value : nil
    }
}
