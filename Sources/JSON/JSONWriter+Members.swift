extension JSONWriter {
    /// Writes a member that is a text, or null for nil.
    public mutating func member(_ name: String, _ value: String?) {
        self.name(name)
        if let value { self.value(value) } else { null() }
    }

    /// Writes a member that is an integer, or null for nil.
    public mutating func member(_ name: String, _ value: Int64?) {
        self.name(name)
        if let value { self.value(value) } else { null() }
    }

    /// Writes a member that is an integer, or null for nil.
    public mutating func member(_ name: String, _ value: Int?) {
        self.name(name)
        if let value { self.value(value) } else { null() }
    }

    /// Writes a member that is a finite number, or null for nil.
    public mutating func member(_ name: String, _ value: Double?) {
        self.name(name)
        if let value { self.value(value) } else { null() }
    }

    /// Writes a member that is true or false, or null for nil.
    public mutating func member(_ name: String, _ value: Bool?) {
        self.name(name)
        if let value { self.value(value) } else { null() }
    }

    /// Writes a member of any value, or null for nil.
    public mutating func member(_ name: String, _ value: JSON?) {
        self.name(name)
        if let value { self.value(value) } else { null() }
    }

    /// Writes a member from bytes that are one JSON value already.
    public mutating func member(_ name: String, raw json: [UInt8]) {
        self.name(name)
        raw(json)
    }

    /// Writes a member that is an object whose members `body` writes.
    public mutating func object<Failure: Error>(
        _ name: String, _ body: (inout JSONWriter) throws(Failure) -> Void
    ) throws(Failure) {
        self.name(name)
        try object(body)
    }

    /// Writes a member that is an array whose items `body` writes.
    public mutating func array<Failure: Error>(
        _ name: String, _ body: (inout JSONWriter) throws(Failure) -> Void
    ) throws(Failure) {
        self.name(name)
        try array(body)
    }
}
