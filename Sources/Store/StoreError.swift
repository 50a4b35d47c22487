import PostgreSQL

/// Why the store could not do what it was asked.
///
/// What the domain refuses (an alarm that is closed, a key that is taken) is a return value.
public enum StoreError: Error, Sendable {
    /// PostgreSQL is away, or went away before it confirmed; what was sent may have taken effect.
    case unavailable(String)
    /// Too much is waiting already; nothing was sent.
    case overloaded
    /// A question took longer than questions may.
    case tooSlow
    /// A statement failed in a way that the program did not foresee.
    case failed(PostgreSQLError)

    init(_ error: PostgreSQLError) {
        switch error {
        case .connectionLost(let text), .cannotConnect(let text, _):
            self = .unavailable(text)
        case .committedWithWarning(let notice):
            self = .unavailable(notice.message)
        case .notCommitted(let tag):
            self = .unavailable("COMMIT was answered by \(tag)")
        case .closed:
            self = .unavailable("the connection is closed")
        case .timedOut, .overloaded:
            self = .overloaded
        case .server(let server) where server.state == .queryCancelled:
            self = .tooSlow
        case .server(let server) where server.state.classCode == "57":
            // Shut down, crashed, or starting up.
            self = .unavailable(server.message)
        case .server(let server) where ["40", "53"].contains(server.state.classCode):
            // A conflict with another transaction, or no connection, memory or disk left for now.
            self = .overloaded
        case .server, .cancelled, .unexpectedValue:
            self = .failed(error)
        }
    }
}
