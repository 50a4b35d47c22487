import ControlCentre
import PostgreSQL

/// A request that creates something, as it is known again when it comes again.
public struct RepeatableRequest: Sendable {
    /// Its sender's own name for it.
    let key: String
    /// In what another request under this name would differ.
    let content: [UInt8]

    public init(key: String, content: [UInt8]) {
        self.key = key
        self.content = content
    }

    /// The statement that remembers it: part of the change that it asks for, so that of two at once
    /// the second waits for the first, and fails.
    func remembering(by token: TokenID) -> Statement {
        Statement(
            """
            INSERT INTO remembered_requests (token, key, change, salt, digest)
            SELECT $1, $2, currval('changes'), s.salt, sha256(s.salt || $3)
            FROM (SELECT uuid_send(gen_random_uuid()) AS salt) s
            """, .uuid(token), .text(key), .bytes(content))
    }
}

/// What is known of a request that may have come before.
public enum RememberedRequest: Sendable {
    case none
    /// It did; this is what it created, as it was then.
    case created([UInt8])
    /// Another one came under its name.
    case another
}

extension Database {
    /// What a token's request created when it came before.
    public func remembered(_ request: RepeatableRequest, by token: TokenID)
        async throws(StoreError) -> RememberedRequest
    {
        let results = try await read([
            Statement(
                """
                SELECT r.digest = sha256(r.salt || $3), \(JournalPage.document)::text
                FROM remembered_requests r
                JOIN journal j ON j.change = r.change AND j.ordinal = 1
                WHERE r.token = $1 AND r.key = $2
                """, .uuid(token), .text(request.key), .bytes(request.content))
        ])
        guard results[0].rowCount == 1 else { return .none }
        do throws(PostgreSQLError) {
            return try results[0].bool(0, 0) ? .created(try results[0].bytes(0, 1)) : .another
        } catch {
            throw StoreError(error)
        }
    }

    /// Forgets requests that nobody sends again any more.
    public func forgetRequests() async throws(StoreError) {
        _ = try await work([
            Statement(
                """
                DELETE FROM remembered_requests
                WHERE remembered_at < clock_timestamp() - interval '1 day'
                """)
        ])
    }
}
