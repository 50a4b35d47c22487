import CPostgreSQL

/// The fields of an error or notice that this module reads.
///
/// The letters are those of the protocol ("Error and Notice Message Fields" in the manual), which
/// are libpq's `PG_DIAG_…` macros, too.
enum DiagnosticField: UInt8 {
    case severity = 0x56  // V, never translated
    case state = 0x43  // C
    case message = 0x4D  // M
    case detail = 0x44  // D
    case hint = 0x48  // H
    case position = 0x50  // P
    case schema = 0x73  // s
    case table = 0x74  // t
    case column = 0x63  // c
    case constraint = 0x6E  // n

    /// Nil when PostgreSQL did not send the field.
    func text(in result: OpaquePointer) -> String? {
        PQresultErrorField(result, Int32(rawValue)).map { String(cString: $0) }
    }
}
