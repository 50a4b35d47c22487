/// Everything that can go wrong between the program and PostgreSQL.
public enum PostgreSQLError: Error, Sendable, Equatable {
    /// PostgreSQL refused a statement; the connection is usable, a transaction is aborted.
    case server(ServerError)
    /// The connection broke. Whether what was outstanding took effect is unknown.
    case connectionLost(String)
    /// No connection could be made. The state is nil when no server answered.
    case cannotConnect(String, SQLState?)
    /// No connection was free, or made, within the named time; nothing was sent.
    case timedOut
    /// A named limit of waiters or of outstanding batches is reached; nothing was sent.
    case overloaded
    /// The connection or pool was closed by its owner.
    case closed
    /// The waiting task was cancelled; nothing was sent.
    case cancelled
    /// `COMMIT` was answered by another command tag, given here: nothing was committed.
    case notCommitted(String)
    /// `COMMIT` was answered with a warning: it is not as durable as was asked for.
    case committedWithWarning(Notice)
    /// A value is NULL, or of another type, than the code that reads it expects.
    case unexpectedValue(String)
}

extension PostgreSQLError {
    /// The server's code, where there is one.
    public var state: SQLState? {
        switch self {
        case .server(let error): error.state
        case .cannotConnect(_, let state): state
        case .committedWithWarning(let notice): notice.state
        case .connectionLost, .timedOut, .overloaded, .closed, .cancelled, .notCommitted,
            .unexpectedValue:
            nil
        }
    }
}
