/// Writing parameters in PostgreSQL's binary formats: numbers most significant byte first, text
/// as UTF-8, arrays as a header followed by each element's length and bytes.
///
/// Source: the `…_recv` functions in PostgreSQL's `src/backend/utils/adt`.
extension Parameter {
    /// Appends the value to `bytes`; false when it is NULL, which appends nothing.
    func write(to bytes: inout [UInt8]) -> Bool {
        switch self {
        case .bool(let value): bytes.append(value: value) { $0.append($1 ? 1 : 0) }
        case .int16(let value): bytes.append(value: value) { $0.append(bigEndian: $1) }
        case .int32(let value): bytes.append(value: value) { $0.append(bigEndian: $1) }
        case .int64(let value): bytes.append(value: value) { $0.append(bigEndian: $1) }
        case .double(let value): bytes.append(value: value) { $0.append(double: $1) }
        case .text(let value): bytes.append(value: value) { $0.append(text: $1) }
        case .bytes(let value): bytes.append(value: value) { $0.append(contentsOf: $1) }
        case .uuid(let value): bytes.append(value: value) { $0.append(uuid: $1) }
        case .timestamp(let value): bytes.append(value: value) { $0.append(timestamp: $1) }
        case .json(let value): bytes.append(value: value) { $0.append(contentsOf: $1) }
        case .bools(let values):
            bytes.append(array: values, of: .bool) { $0.append($1 ? 1 : 0) }
        case .int32s(let values):
            bytes.append(array: values, of: .int32) { $0.append(bigEndian: $1) }
        case .int64s(let values):
            bytes.append(array: values, of: .int64) { $0.append(bigEndian: $1) }
        case .doubles(let values):
            bytes.append(array: values, of: .double) { $0.append(double: $1) }
        case .texts(let values):
            bytes.append(array: values, of: .text) { $0.append(text: $1) }
        case .byteStrings(let values):
            bytes.append(array: values, of: .bytes) { $0.append(contentsOf: $1) }
        case .uuids(let values):
            bytes.append(array: values, of: .uuid) { $0.append(uuid: $1) }
        case .timestamps(let values):
            bytes.append(array: values, of: .timestamp) { $0.append(timestamp: $1) }
        case .jsons(let values):
            bytes.append(array: values, of: .json) { $0.append(contentsOf: $1) }
        }
    }
}

extension [UInt8] {
    fileprivate mutating func append<Value>(
        value: Value?, _ write: (inout [UInt8], Value) -> Void
    ) -> Bool {
        guard let value else { return false }
        write(&self, value)
        return true
    }

    fileprivate mutating func append<Value>(
        array: [Value?], of type: PostgreSQLType, _ write: (inout [UInt8], Value) -> Void
    ) -> Bool {
        append(bigEndian: Int32(array.isEmpty ? 0 : 1))  // dimensions
        append(bigEndian: Int32(array.contains { $0 == nil } ? 1 : 0))
        append(bigEndian: type.rawValue)
        guard !array.isEmpty else { return true }
        append(bigEndian: Int32(array.count))
        append(bigEndian: Int32(1))  // the first element's subscript
        for element in array {
            guard let element else {
                append(bigEndian: Int32(-1))
                continue
            }
            let lengthAt = count
            append(bigEndian: Int32(0))
            write(&self, element)
            let length = Int32(count - lengthAt - 4)
            for byte in 0..<4 {
                self[lengthAt + byte] = UInt8(truncatingIfNeeded: length >> (24 - 8 * byte))
            }
        }
        return true
    }

    fileprivate mutating func append(bigEndian value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
    }

    fileprivate mutating func append(double value: Double) {
        append(bigEndian: value.bitPattern)
    }

    fileprivate mutating func append(text: String) {
        append(contentsOf: text.utf8)
    }

    fileprivate mutating func append(uuid: PostgreSQLUUID) {
        append(bigEndian: uuid.high)
        append(bigEndian: uuid.low)
    }

    fileprivate mutating func append(timestamp time: Int64) {
        append(bigEndian: Timestamp.binary(microsecondsSinceUnixEpoch: time))
    }
}
