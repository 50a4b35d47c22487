import CPostgreSQL
import Dispatch
import EventLoop
import Glibc

extension PostgreSQLConnection {
    /// Connects to the server that `conninfo` names, a URL or `key=value` text, which may give
    /// several hosts.
    ///
    /// Defaults that `conninfo` may change: a dead peer is noticed within about half a minute
    /// (`keepalives_idle`, `keepalives_interval`, `keepalives_count`, `tcp_user_timeout`). Set
    /// always: UTF-8, no GSS encryption.
    ///
    /// The handshake runs on a thread of its own, because libpq resolves names and reads
    /// certificate and password files blockingly even when asked not to block.
    ///
    /// - Parameter timeout: for all hosts together. A name server that does not answer is waited
    ///   for as long as the system's resolver is set to.
    /// - Throws: `cannotConnect`, `timedOut`.
    public static func connect(
        to conninfo: String, on loop: isolated EventLoop, timeout: Duration = .seconds(5)
    ) async throws(PostgreSQLError) -> PostgreSQLConnection {
        let deadline = ContinuousClock.now + timeout
        let outcome = await withCheckedContinuation { continuation in
            Handshake.queue.async {
                continuation.resume(returning: Handshake(conninfo).run(until: deadline))
            }
        }
        return try PostgreSQLConnection(adopting: outcome.get().pointer, on: loop)
    }
}

/// The blocking steps from a `conninfo` to an established connection.
private struct Handshake {
    /// Threads for handshakes; each pool runs one at a time.
    static let queue = DispatchQueue(label: "PostgreSQL handshakes", attributes: .concurrent)

    /// A libpq handle on its way from the handshake's thread to the loop.
    struct Handle: @unchecked Sendable {
        // @unchecked: the thread does not touch the handle after it has returned it.
        let pointer: OpaquePointer
    }

    private let conninfo: String

    private static let defaults = [
        ("fallback_application_name", "leitstand"),
        ("keepalives_idle", "10"), ("keepalives_interval", "5"), ("keepalives_count", "4"),
        ("tcp_user_timeout", "30000"),
    ]
    private static let fixed = [("client_encoding", "UTF8"), ("gssencmode", "disable")]

    init(_ conninfo: String) {
        self.conninfo = conninfo
    }

    func run(until deadline: ContinuousClock.Instant) -> Result<Handle, PostgreSQLError> {
        // libpq lets a later setting overrule an earlier one.
        let settings = Self.defaults + [("dbname", conninfo)] + Self.fixed
        guard let handle = Self.start(settings) else {
            return .failure(.cannotConnect("out of memory", nil))
        }
        // Makes libpq put the SQLSTATE, which it gives in no other way here, into the text.
        PQsetErrorVerbosity(handle, PQERRORS_VERBOSE)
        if let failure = Self.complete(handle, until: deadline) {
            PQfinish(handle)
            return .failure(failure)
        }
        PQsetErrorVerbosity(handle, PQERRORS_DEFAULT)
        return .success(Handle(pointer: handle))
    }

    private static func start(_ settings: [(String, String)]) -> OpaquePointer? {
        let keys = settings.map { strdup($0.0) }
        let values = settings.map { strdup($0.1) }
        defer { (keys + values).forEach { free($0) } }
        return PQconnectStartParams(
            keys.map { UnsafePointer($0) } + [nil], values.map { UnsafePointer($0) } + [nil], 1)
    }

    /// Nil once the connection is established.
    private static func complete(
        _ handle: OpaquePointer, until deadline: ContinuousClock.Instant
    ) -> PostgreSQLError? {
        var need = PGRES_POLLING_WRITING
        while PQstatus(handle) != CONNECTION_BAD {
            switch need {
            case PGRES_POLLING_OK:
                return nil
            case PGRES_POLLING_READING, PGRES_POLLING_WRITING:
                // The socket may be another one after each step.
                var descriptor = pollfd(
                    fd: PQsocket(handle),
                    events: Int16(need == PGRES_POLLING_READING ? POLLIN : POLLOUT), revents: 0)
                let left = (deadline - .now) / .milliseconds(1)
                guard left > 0 else { return .timedOut }
                guard poll(&descriptor, 1, Int32(min(left, 3_600_000).rounded(.up))) != 0 else {
                    return .timedOut
                }
                need = PQconnectPoll(handle)
            default:
                return refusal(by: handle)
            }
        }
        return refusal(by: handle)
    }

    private static func refusal(by handle: OpaquePointer) -> PostgreSQLError {
        let lines = String(cString: PQerrorMessage(handle)).split(whereSeparator: \.isNewline)
        // A verbose message reads `FATAL:  3D000: database "x" does not exist`.
        let code = lines.lazy.compactMap { stateNamed(in: $0) }.first
        let text = lines.filter { !$0.hasPrefix("LOCATION:") }.joined(separator: "; ")
        return .cannotConnect(text, code)
    }

    private static func stateNamed(in line: Substring) -> SQLState? {
        for part in line.split(separator: ":") {
            let word = part.drop { $0 == " " }
            let isCode =
                word.utf8.count == 5
                && word.utf8.allSatisfy {
                    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                        || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0)
                }
            // `FATAL` has the form of a code, too; every code has a digit.
            if isCode, word.utf8.contains(where: { $0 < UInt8(ascii: "A") }) {
                return SQLState(String(word))
            }
        }
        return nil
    }
}
