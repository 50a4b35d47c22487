/// An SQL statement with its parameters, `$1` for the first.
///
///     Statement("SELECT name FROM cameras WHERE site = $1", .text("mannheim"))
///
/// A connection prepares the statement when it meets its text for the first time, so texts should
/// be fixed and values be parameters; beyond 1,000 texts it sends further ones unprepared.
/// Parameters and results travel in binary. The text holds one command; several belong in
/// `PostgreSQLConnection.executeScript`.
public struct Statement: Sendable {
    public let sql: String
    public let parameters: [Parameter]

    /// The protocol counts parameters in 16 bits.
    public static let parametersMax = 65_535

    public init(_ sql: String, _ parameters: Parameter...) {
        self.init(sql, parameters: parameters)
    }

    public init(_ sql: String, parameters: [Parameter]) {
        precondition(parameters.count <= Self.parametersMax, "too many parameters")
        self.sql = sql
        self.parameters = parameters
    }
}
