/// A value given to a statement; nil is NULL of that type.
///
/// A parameter always has a type, also when it is NULL, so that a statement prepared with a NULL
/// takes a value the next time. The array cases become PostgreSQL arrays of one dimension, for
/// `unnest`; their elements may be NULL.
public enum Parameter: Sendable {
    case bool(Bool?)
    /// `smallint`
    case int16(Int16?)
    /// `integer`
    case int32(Int32?)
    /// `bigint`
    case int64(Int64?)
    /// `double precision`
    case double(Double?)
    /// `text`; PostgreSQL refuses a NUL character in it (22021).
    case text(String?)
    /// `bytea`
    case bytes([UInt8]?)
    case uuid(PostgreSQLUUID?)
    /// `timestamptz`
    case timestamp(microsecondsSinceUnixEpoch: Int64?)
    /// `json`, as UTF-8 text. It casts to `jsonb` by assignment.
    case json([UInt8]?)

    case bools([Bool?])
    case int32s([Int32?])
    case int64s([Int64?])
    case doubles([Double?])
    case texts([String?])
    case byteStrings([[UInt8]?])
    case uuids([PostgreSQLUUID?])
    case timestamps(microsecondsSinceUnixEpoch: [Int64?])
    case jsons([[UInt8]?])

    var type: PostgreSQLType {
        switch self {
        case .bool: .bool
        case .int16: .int16
        case .int32: .int32
        case .int64: .int64
        case .double: .double
        case .text: .text
        case .bytes: .bytes
        case .uuid: .uuid
        case .timestamp: .timestamp
        case .json: .json
        case .bools: .boolArray
        case .int32s: .int32Array
        case .int64s: .int64Array
        case .doubles: .doubleArray
        case .texts: .textArray
        case .byteStrings: .bytesArray
        case .uuids: .uuidArray
        case .timestamps: .timestampArray
        case .jsons: .jsonArray
        }
    }
}
