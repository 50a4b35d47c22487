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

/// A page of the journal, newest first.
public struct AuditPage: Sendable {
    public let documents: [[UInt8]]
    public let next: EventID?
}

extension Database {
    /// The journal, newest first, with the names and texts that are not erased.
    public func audit(_ filter: AuditFilter, before: EventID?, limit: Int)
        async throws(StoreError) -> AuditPage
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
                    'id', p.position || '.' || j.ordinal,
                    'event', j.event,
                    'site', j.site,
                    'subject', j.subject,
                    'occurred_at', rfc3339(j.occurred_at),
                    'recorded_at', rfc3339(p.recorded_at),
                    'actor', CASE WHEN j.actor IS NOT NULL THEN json_build_object(
                        'token', j.actor,
                        'name', (SELECT name FROM tokens t WHERE t.id = j.actor),
                        'role', j.role) END,
                    'reason', j.reason,
                    'remark', j.remark,
                    'note', (SELECT text FROM remarks r WHERE r.id = j.remark),
                    'request_id', j.request_id,
                    'document', with_remarks(with_staff_names(j.document)))::text
                FROM positions p JOIN journal j USING (change)
                \(query.whereClause)
                ORDER BY p.position DESC, j.ordinal DESC LIMIT \(limit + 1)
                """, parameters: query.parameters)
        ])
        let rows = results[0]
        let count = min(rows.rowCount, limit)
        do throws(PostgreSQLError) {
            var documents: [[UInt8]] = []
            for row in 0..<count { documents.append(try rows.bytes(row, 2)) }
            let next: EventID? =
                rows.rowCount > limit
                ? EventID(
                    position: try rows.int64(count - 1, 0), ordinal: try rows.int32(count - 1, 1))
                : nil
            return AuditPage(documents: documents, next: next)
        } catch {
            throw StoreError(error)
        }
    }
}
