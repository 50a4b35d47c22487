import CPostgreSQL

/// A message that PostgreSQL sends beside a result: a warning, a notice, an information.
public struct Notice: Sendable, Equatable {
    /// How grave it is, never translated: `WARNING`, `NOTICE`, `INFO`, `LOG`, `DEBUG`.
    public let severity: String
    public let state: SQLState
    public let message: String

    public var isWarning: Bool { severity == "WARNING" }

    /// Copies what the result of a notice says; the result stays libpq's.
    init(copying result: OpaquePointer) {
        severity = DiagnosticField.severity.text(in: result) ?? ""
        state = SQLState(DiagnosticField.state.text(in: result) ?? "")
        message = DiagnosticField.message.text(in: result) ?? ""
    }
}
