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
            "SELECT erase($1, $2, $3)", .text(kind.rawValue), .uuid(PostgreSQLUUID(id)),
            .text(site?.description))
        var count: Int64 = 0
        do throws(PostgreSQLError) {
            let results = try await commit(reading: [erase]) { (read) throws(PostgreSQLError) in
                if read[0].isNull(0, 0) { return nil }
                count = try read[0].int64(0, 0)
                // A subject of its own: the history of what was erased tells of that alone.
                return JournalEntry(
                    event: "erasure.completed", site: site,
                    subject: UUID.v7(at: instant).description,
                    occurredAt: instant, author: author,
                    remark: JournalEntry.Remark(id: .v7(at: instant), text: reason)
                ).statements(
                    ordinal: 1, document: "e.document",
                    from: """
                        (SELECT json_build_object('kind', $1::text, 'id', $2::uuid,
                            'erased', $3::bigint, 'erased_at', rfc3339($4)) AS document) e
                        """,
                    [
                        .text(kind.rawValue), .uuid(PostgreSQLUUID(id)), .int64(count),
                        .time(instant),
                    ])
                    + [
                        Statement(
                            """
                            SELECT document::text FROM journal
                            WHERE change = currval('changes') AND ordinal = 1
                            """)
                    ]
            }
            return try results?.last.map { (result) throws(PostgreSQLError) in
                try result.bytes(0, 0)
            }
        } catch {
            throw StoreError(error)
        }
    }
}
