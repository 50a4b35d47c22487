import CPostgreSQL

/// An error that PostgreSQL reported for a statement.
public struct ServerError: Sendable, Equatable, CustomStringConvertible {
    public let state: SQLState
    public let message: String
    public let detail: String?
    public let hint: String?
    public let schema: String?
    public let table: String?
    public let column: String?
    public let constraint: String?
    /// Where in the SQL text the error is, in characters from 1.
    public let position: Int?
    /// Which statement of the batch failed, from 0; nil when none did but the commit at the
    /// batch's end (a deferred constraint), and for a script.
    public let statementIndex: Int?

    /// Copies what a failed result says; nil when the failure is not the server's but libpq's own.
    init?(copying result: OpaquePointer, statementIndex: Int?) {
        guard let code = DiagnosticField.state.text(in: result) else { return nil }
        state = SQLState(code)
        message = DiagnosticField.message.text(in: result) ?? ""
        detail = DiagnosticField.detail.text(in: result)
        hint = DiagnosticField.hint.text(in: result)
        schema = DiagnosticField.schema.text(in: result)
        table = DiagnosticField.table.text(in: result)
        column = DiagnosticField.column.text(in: result)
        constraint = DiagnosticField.constraint.text(in: result)
        position = DiagnosticField.position.text(in: result).flatMap { Int($0) }
        self.statementIndex = statementIndex
    }

    /// Code and message for a log; the detail stays out, because it quotes stored values.
    public var description: String { "\(state): \(message)" }
}
