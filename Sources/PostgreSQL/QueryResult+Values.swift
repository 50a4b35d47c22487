/// Reading values.
///
/// Each type has two forms: the plain one refuses NULL, the one that ends in `IfPresent` returns
/// nil for it. Both refuse a column of another type.
///
/// - Throws: `unexpectedValue`.
extension QueryResult {
    public func isNull(_ row: Int, _ column: Int) -> Bool {
        field(row, column) == nil
    }

    public func bool(_ row: Int, _ column: Int) throws(PostgreSQLError) -> Bool {
        try present(boolIfPresent(row, column), row, column)
    }

    public func boolIfPresent(_ row: Int, _ column: Int) throws(PostgreSQLError) -> Bool? {
        guard let field = field(row, column) else { return nil }
        guard type(column) == .bool, field.count == 1 else {
            throw mismatch(row, column, expected: "boolean")
        }
        return field[0] != 0
    }

    /// A value of type `smallint`, `integer` or `bigint`.
    public func int64(_ row: Int, _ column: Int) throws(PostgreSQLError) -> Int64 {
        try present(int64IfPresent(row, column), row, column)
    }

    /// A value of type `smallint`, `integer` or `bigint`.
    public func int64IfPresent(_ row: Int, _ column: Int) throws(PostgreSQLError) -> Int64? {
        guard let field = field(row, column) else { return nil }
        switch (type(column), field.count) {
        case (.int64, 8): return field.bigEndian(Int64.self)
        case (.int32, 4): return Int64(field.bigEndian(Int32.self))
        case (.objectID, 4): return Int64(field.bigEndian(UInt32.self))
        case (.int16, 2): return Int64(field.bigEndian(Int16.self))
        default: throw mismatch(row, column, expected: "an integer")
        }
    }

    /// A value of type `smallint` or `integer`.
    public func int32(_ row: Int, _ column: Int) throws(PostgreSQLError) -> Int32 {
        try present(int32IfPresent(row, column), row, column)
    }

    /// A value of type `smallint` or `integer`.
    public func int32IfPresent(_ row: Int, _ column: Int) throws(PostgreSQLError) -> Int32? {
        guard let field = field(row, column) else { return nil }
        switch (type(column), field.count) {
        case (.int32, 4): return field.bigEndian(Int32.self)
        case (.int16, 2): return Int32(field.bigEndian(Int16.self))
        default: throw mismatch(row, column, expected: "an integer of at most 32 bits")
        }
    }

    /// A value of type `double precision` or `real`; `numeric` needs a cast.
    public func double(_ row: Int, _ column: Int) throws(PostgreSQLError) -> Double {
        try present(doubleIfPresent(row, column), row, column)
    }

    /// A value of type `double precision` or `real`; `numeric` needs a cast.
    public func doubleIfPresent(_ row: Int, _ column: Int) throws(PostgreSQLError) -> Double? {
        guard let field = field(row, column) else { return nil }
        switch (type(column), field.count) {
        case (.double, 8): return Double(bitPattern: field.bigEndian(UInt64.self))
        case (.float, 4): return Double(Float(bitPattern: field.bigEndian(UInt32.self)))
        default: throw mismatch(row, column, expected: "a floating-point number")
        }
    }

    /// A value of type `text`, `varchar`, `char`, `name` or `json`; `jsonb` needs a cast.
    public func text(_ row: Int, _ column: Int) throws(PostgreSQLError) -> String {
        try present(textIfPresent(row, column), row, column)
    }

    /// A value of type `text`, `varchar`, `char`, `name` or `json`; `jsonb` needs a cast.
    public func textIfPresent(_ row: Int, _ column: Int) throws(PostgreSQLError) -> String? {
        guard let field = field(row, column) else { return nil }
        guard let type = type(column), type.isText else {
            throw mismatch(row, column, expected: "text")
        }
        return String(decoding: field, as: UTF8.self)
    }

    /// A value of type `bytea`, or the UTF-8 of a text or `json`.
    public func bytes(_ row: Int, _ column: Int) throws(PostgreSQLError) -> [UInt8] {
        try present(bytesIfPresent(row, column), row, column)
    }

    /// A value of type `bytea`, or the UTF-8 of a text or `json`.
    public func bytesIfPresent(_ row: Int, _ column: Int) throws(PostgreSQLError) -> [UInt8]? {
        try withBytes(row, column) { $0.map { [UInt8]($0) } }
    }

    /// Calls `body` with what `bytes` would copy; with nil for NULL.
    ///
    /// The buffer is valid during the call only.
    public func withBytes<Result>(
        _ row: Int, _ column: Int, _ body: (UnsafeRawBufferPointer?) -> Result
    ) throws(PostgreSQLError) -> Result {
        guard let field = field(row, column) else { return body(nil) }
        guard let type = type(column), type == .bytes || type.isText else {
            throw mismatch(row, column, expected: "bytea or text")
        }
        return body(field)
    }

    public func uuid(_ row: Int, _ column: Int) throws(PostgreSQLError) -> PostgreSQLUUID {
        try present(uuidIfPresent(row, column), row, column)
    }

    public func uuidIfPresent(
        _ row: Int, _ column: Int
    ) throws(PostgreSQLError) -> PostgreSQLUUID? {
        guard let field = field(row, column) else { return nil }
        guard type(column) == .uuid, field.count == 16 else {
            throw mismatch(row, column, expected: "uuid")
        }
        return PostgreSQLUUID(
            high: field.bigEndian(UInt64.self), low: field.bigEndian(UInt64.self, at: 8))
    }

    /// A value of type `timestamptz`, in microseconds since 1970 (UTC); infinity is refused.
    public func timestampMicroseconds(
        _ row: Int, _ column: Int
    ) throws(PostgreSQLError) -> Int64 {
        try present(timestampMicrosecondsIfPresent(row, column), row, column)
    }

    /// A value of type `timestamptz`, in microseconds since 1970 (UTC); infinity is refused.
    public func timestampMicrosecondsIfPresent(
        _ row: Int, _ column: Int
    ) throws(PostgreSQLError) -> Int64? {
        guard let field = field(row, column) else { return nil }
        guard type(column) == .timestamp, field.count == 8,
            let time = Timestamp.microsecondsSinceUnixEpoch(binary: field.bigEndian(Int64.self))
        else { throw mismatch(row, column, expected: "a finite timestamptz") }
        return time
    }

    private func present<Value>(
        _ value: Value?, _ row: Int, _ column: Int
    ) throws(PostgreSQLError) -> Value {
        guard let value else {
            throw .unexpectedValue("column \(columnName(column)) is NULL in row \(row)")
        }
        return value
    }
}

extension UnsafeRawBufferPointer {
    fileprivate func bigEndian<Integer: FixedWidthInteger & BitwiseCopyable>(
        _: Integer.Type, at offset: Int = 0
    ) -> Integer {
        Integer(bigEndian: loadUnaligned(fromByteOffset: offset, as: Integer.self))
    }
}
