extension ObjectReader {
    // MARK: Any value

    /// The member, which must be there and may be anything but null.
    public mutating func required(_ name: String) -> JSON? {
        value(name, .required, .anything)
    }

    /// The member if it is there and not null.
    public mutating func nullable(_ name: String) -> JSON? {
        value(name, .nullable, .anything)
    }

    // MARK: Objects

    /// What `read` makes of the member, which must be there and be an object.
    ///
    /// The part's errors become this reader's. Members of it that `read` did not ask for are
    /// refused. Nil when anything in the part was wrong.
    public mutating func requiredObject<Value>(
        _ name: String, _ read: (inout ObjectReader) -> Value?
    ) -> Value? {
        guard let json = value(name, .required, .object) else { return nil }
        return part(json, at: pointer(to: name), read)
    }

    /// What `read` makes of the member, which must be an object or null if it is there (see
    /// `requiredObject`).
    public mutating func nullableObject<Value>(
        _ name: String, _ read: (inout ObjectReader) -> Value?
    ) -> Value? {
        guard let json = value(name, .nullable, .object) else { return nil }
        return part(json, at: pointer(to: name), read)
    }

    // MARK: Arrays

    /// The member, which must be there and be an array of a number of items in `count`.
    public mutating func requiredArray(_ name: String, count: ClosedRange<Int>) -> [JSON]? {
        array(name, count: count, .required)
    }

    /// The member, which must be an array of a number of items in `count`, or null, if it is there.
    public mutating func nullableArray(_ name: String, count: ClosedRange<Int>) -> [JSON]? {
        array(name, count: count, .nullable)
    }

    /// What `read` makes of each item of the member, which must be there and be an array of objects.
    ///
    /// Nil when any item was wrong; the others are read nevertheless, to find all errors. Members
    /// that `read` did not ask for are refused.
    public mutating func requiredObjects<Value>(
        _ name: String, count: ClosedRange<Int>, _ read: (inout ObjectReader) -> Value?
    ) -> [Value]? {
        items(name, count: count, .required) { $0.part($1, at: $2, read) }
    }

    /// What `read` makes of each item of the member, which must be an array of objects if it is
    /// there (see `requiredObjects`).
    public mutating func optionalObjects<Value>(
        _ name: String, count: ClosedRange<Int>, _ read: (inout ObjectReader) -> Value?
    ) -> [Value]? {
        items(name, count: count, .optional) { $0.part($1, at: $2, read) }
    }

    /// As `optionalObjects`, of a member that may be null.
    public mutating func nullableObjects<Value>(
        _ name: String, count: ClosedRange<Int>, _ read: (inout ObjectReader) -> Value?
    ) -> [Value]? {
        items(name, count: count, .nullable) { $0.part($1, at: $2, read) }
    }

    /// What `read` makes of each item of the member, which must be there and be an array of texts.
    ///
    /// - Parameter expected: what an item has to be, with an article; ends "must be …".
    public mutating func requiredItems<Value>(
        _ name: String, count: ClosedRange<Int>, expected: String, _ read: (String) -> Value?
    ) -> [Value]? {
        items(name, count: count, .required) {
            $0.item($1, at: $2, expected: expected, read)
        }
    }

    /// What `read` makes of each item of the member, which must be an array of texts if it is there
    /// (see `requiredItems`).
    public mutating func optionalItems<Value>(
        _ name: String, count: ClosedRange<Int>, expected: String, _ read: (String) -> Value?
    ) -> [Value]? {
        items(name, count: count, .optional) {
            $0.item($1, at: $2, expected: expected, read)
        }
    }

    /// As `optionalItems`, of a member that may be null.
    public mutating func nullableItems<Value>(
        _ name: String, count: ClosedRange<Int>, expected: String, _ read: (String) -> Value?
    ) -> [Value]? {
        items(name, count: count, .nullable) {
            $0.item($1, at: $2, expected: expected, read)
        }
    }

    // MARK: Shared by required, optional and nullable

    private mutating func array(
        _ name: String, count: ClosedRange<Int>, _ presence: Presence
    ) -> [JSON]? {
        guard let value = value(name, presence, .array(count: count)) else {
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
        _ name: String, count: ClosedRange<Int>, _ presence: Presence,
        _ read: (inout ObjectReader, JSON, String) -> Value?
    ) -> [Value]? {
        guard let items = array(name, count: count, presence) else { return nil }
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
