import ControlCentre
import PostgreSQL

/// Which rows of the journal a list shows; nil does not filter.
public struct AuditFilter: Sendable {
    public var site: SiteID?
    public var event: String?
    public var subject: String?
    public var actor: TokenID?
    public var roles: [Role]?
    public var requestID: String?
    /// Half-open, by `recorded_at`.
    public var from: Timestamp?
    public var to: Timestamp?

    public init() {}
}

extension Database {
    /// The journal, newest first, with the names and texts that are not erased.
    public func audit(_ filter: AuditFilter, before: EventID?, limit: Int)
        async throws(StoreError) -> JournalPage
    {
        var query = Query()
        query.filter("j.site", filter.site.map { .text($0) })
        query.filter("j.event", filter.event.map { .text($0) })
        query.filter("j.subject", filter.subject.map { .text($0) })
        query.filter("j.actor", filter.actor.map { .uuid($0) })
        query.filter("j.role", anyOf: filter.roles)
        query.filter("j.request_id", filter.requestID.map { .text($0) })
        query.filter("p.recorded_at", from: filter.from, to: filter.to)
        if let before {
            let position = query.bind(.int64(before.position))
            query.filter(
                "(p.position, j.ordinal) < (\(position), \(query.bind(.int32(before.ordinal))))")
            // The pair alone is compared after the join; the position alone finds where to begin.
            query.filter("p.position <= \(position)")
        }
        let results = try await read([
            Statement(
                """
                SELECT p.position, j.ordinal, json_build_object(
                    \(JournalPage.members),
                    'site', j.site,
                    'subject', j.subject,
                    'document', \(JournalPage.document))::text
                FROM positions p JOIN journal j USING (change)
                \(query.whereClause)
                ORDER BY p.position DESC, j.ordinal DESC LIMIT \(limit + 1)
                """, parameters: query.parameters)
        ])
        do throws(PostgreSQLError) {
            return try JournalPage(results[0], limit: limit)
        } catch {
            throw StoreError(error)
        }
    }
}
