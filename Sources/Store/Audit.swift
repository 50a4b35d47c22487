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

public enum AuditOutcome: Sendable {
    case page(JournalPage)
    /// A site demands a reason for what the page would show of it, and none was given.
    case withoutReason(AccessReason)
}

extension Database {
    /// The journal, newest first, with the names and texts that are not erased.
    ///
    /// A page shows single alarms, incidents and whatever else has changed: the reading of it is
    /// recorded at their sites, with the reason given, or it is not shown.
    public func audit(
        _ filter: AuditFilter, before: EventID?, limit: Int, by reader: Author, reason: String?,
        at instant: Timestamp
    ) async throws(StoreError) -> AuditOutcome {
        var query = Query()
        query.filter("j.event", filter.event.map { .text($0) })
        query.filter("j.subject", filter.subject.map { .text($0) })
        query.filter("j.actor", filter.actor.map { .uuid($0) })
        query.filter("j.role", anyOf: filter.roles)
        var ordinals = ["j.change = p.change"] + (query.condition.map { [$0] } ?? [])
        var positions: [String] = []
        for (column, value) in [
            ("j.request_id", filter.requestID), ("j.site", filter.site?.description),
        ] {
            guard let value else { continue }
            query.filter(column, .text(value))
            // Most rows of a change have both. Written so that no index serves it: they are read in
            // their order, up to the end of the page.
            ordinals.append("\(column) IS NOT DISTINCT FROM \(query.bind(.text(value)))")
        }
        if let rows = query.condition {
            // Found by an index of what is asked for, or by the age where there is much of it.
            let found =
                filter.requestID == nil
                ? "SELECT j.change FROM journal j WHERE \(rows)" : Self.changes(where: rows)
            positions.append("p.change IN (\(found))")
        }
        // Positions and their times have the same order. A bound that lies before or after all of
        // them is found at once, where a comparison of times would read them all.
        if let from = filter.from {
            positions.append(
                """
                p.position >= (SELECT f.position FROM positions f
                    WHERE f.recorded_at >= \(query.bind(.time(from)))
                    ORDER BY f.recorded_at LIMIT 1)
                """)
        }
        if let to = filter.to {
            positions.append(
                """
                p.position <= (SELECT l.position FROM positions l
                    WHERE l.recorded_at < \(query.bind(.time(to)))
                    ORDER BY l.recorded_at DESC LIMIT 1)
                """)
        }
        if let before {
            let position = query.bind(.int64(before.position))
            positions.append("p.position <= \(position)")
            ordinals.append(
                "(p.position < \(position) OR j.ordinal < \(query.bind(.int32(before.ordinal))))")
        }
        // Of a change, such as an import, only as many rows are read as the page may show.
        let results = try await search([
            Statement(
                """
                SELECT p.position, j.ordinal, json_build_object(
                    \(JournalPage.members),
                    'site', j.site,
                    'subject', j.subject,
                    'document', \(JournalPage.document))::text, j.site, j.subject
                FROM positions p CROSS JOIN LATERAL (
                    SELECT * FROM journal j
                    WHERE \(ordinals.joined(separator: " AND "))
                    ORDER BY j.ordinal DESC LIMIT \(limit + 1)) j
                WHERE \((["true"] + positions).joined(separator: " AND "))
                ORDER BY p.position DESC, j.ordinal DESC LIMIT \(limit + 1)
                """, parameters: query.parameters)
        ])
        do throws(PostgreSQLError) {
            let page = try JournalPage(results[0], limit: limit)
            let rows = 0..<page.documents.count
            let log = Statement(
                "SELECT log_journal_reading($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                .texts(
                    try rows.map { (row) throws(PostgreSQLError) in
                        results[0].isNull(row, 3) ? nil : try results[0].text(row, 3)
                    }),
                .texts(
                    try rows.map { (row) throws(PostgreSQLError) in try results[0].text(row, 4) }),
                .text(filter.subject), .uuid(PostgreSQLUUID(.v7(at: instant))),
                .uuid(reader.token), .text(reader.role.rawValue), .text(reason),
                .text(reader.requestID), .time(instant))
            let rule = try await transact([log])[0]
            return rule.isNull(0, 0) ? .page(page) : .withoutReason(try rule.value(0, 0))
        } catch {
            throw StoreError(error)
        }
    }

    /// SQL of the changes of a request, each once: it makes few, of which one, an import, may have
    /// hundreds of thousands of rows. The index is asked for the change before the last one found.
    private static func changes(where rows: String) -> String {
        func last(_ condition: String) -> String {
            "SELECT j.change FROM journal j WHERE \(condition) ORDER BY j.change DESC LIMIT 1"
        }
        return """
            WITH RECURSIVE found (change) AS (
                (\(last(rows)))
                UNION ALL
                SELECT l.change FROM found f
                CROSS JOIN LATERAL (\(last("\(rows) AND j.change < f.change"))) l
            )
            SELECT f.change FROM found f
            """
    }
}
