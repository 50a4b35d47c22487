import CPostgreSQL

/// The types that this module reads and writes, by their fixed object ids.
///
/// Source: PostgreSQL's `src/include/catalog/pg_type.dat`.
enum PostgreSQLType: Oid {
    case bool = 16
    case bytes = 17
    case name = 19
    case int64 = 20
    case int16 = 21
    case int32 = 23
    case text = 25
    case objectID = 26
    case json = 114
    case float = 700
    case double = 701
    case unknown = 705
    case blankPadded = 1042
    case varchar = 1043
    case timestamp = 1184
    case uuid = 2950

    case boolArray = 1000
    case bytesArray = 1001
    case int32Array = 1007
    case textArray = 1009
    case int64Array = 1016
    case doubleArray = 1022
    case timestampArray = 1185
    case uuidArray = 2951
    case jsonArray = 199

    /// Whether the binary format is the text itself.
    var isText: Bool {
        switch self {
        case .text, .varchar, .blankPadded, .name, .json, .unknown: true
        default: false
        }
    }
}
