import ControlCentre
import PostgreSQL

/// What is to be erased of what persons wrote or are called.
public enum ErasureKind: String, Sendable, CaseIterable {
    /// One text, by the id that a history gives it.
    case remark
    /// All texts about one alarm, incident or other thing, and the reasons for reading it.
    case remarks
    /// The name of a token.
    case staff
}

extension Database {
    /// Erases texts or a name, and journals that, by whom and why.
    ///
    /// The journal's rows stay, with the id of what is gone and a hash that says nothing any more.
    ///
    /// - Returns: the erasure with how many texts went; nil when there is nothing of that id.
    public func erase(
        _ kind: ErasureKind, _ id: UUID, reason: String, only site: SiteID?, by author: Author,
        at instant: Timestamp
    ) async throws(StoreError) -> [UInt8]? {
        let erase = Statement(
            "SELECT erase($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)::text",
            .text(kind.rawValue), .uuid(PostgreSQLUUID(id)), .text(site?.description),
            // The journal's subject of it, and the reason's id.
            .uuid(PostgreSQLUUID(.v7(at: instant))), .uuid(PostgreSQLUUID(.v7(at: instant))),
            .text(reason), .uuid(author.token), .text(author.role.rawValue),
            .text(author.requestID), .time(instant))
        do throws(PostgreSQLError) {
            // The function takes number and position of its change by itself.
            let erasure = try await transact([erase])[0]
            guard !erasure.isNull(0, 0) else { return nil }
            announceCommit()
            return try erasure.bytes(0, 0)
        } catch {
            throw StoreError(error)
        }
    }
}
