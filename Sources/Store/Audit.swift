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
        let rows = filter.conditions(&query)
        var positions: [String] = []
        if !rows.isEmpty {
            // Found by an index of what is asked for, or by the age where there is much of it.
            positions.append(
                "p.change IN (SELECT j.change FROM journal j WHERE \(rows.joined(separator: " AND ")))"
            )
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
        var ordinals = rows
        if let before {
            let position = query.bind(.int64(before.position))
            positions.append("p.position <= \(position)")
            ordinals.append(
                "(p.position < \(position) OR j.ordinal < \(query.bind(.int32(before.ordinal))))")
        }
        // Of a change, such as an import, only as many rows are read as the page may show.
        let results = try await read([
            Statement(
                """
                SELECT p.position, j.ordinal, json_build_object(
                    \(JournalPage.members),
                    'site', j.site,
                    'subject', j.subject,
                    'document', \(JournalPage.document))::text
                FROM positions p CROSS JOIN LATERAL (
                    SELECT * FROM journal j
                    WHERE \((["j.change = p.change"] + ordinals).joined(separator: " AND "))
                    ORDER BY j.ordinal DESC LIMIT \(limit + 1)) j
                WHERE \((["true"] + positions).joined(separator: " AND "))
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

extension AuditFilter {
    /// What it demands of a row `j` of the journal.
    fileprivate func conditions(_ query: inout Query) -> [String] {
        var conditions: [String] = []
        if let site { conditions.append("j.site = \(query.bind(.text(site)))") }
        if let event { conditions.append("j.event = \(query.bind(.text(event)))") }
        if let subject { conditions.append("j.subject = \(query.bind(.text(subject)))") }
        if let actor { conditions.append("j.actor = \(query.bind(.uuid(actor)))") }
        if let roles {
            let names = roles.map { "'\($0.rawValue)'" }
            conditions.append(
                names.count == 1
                    ? "j.role = \(names[0])" : "j.role IN (\(names.joined(separator: ", ")))")
        }
        if let requestID { conditions.append("j.request_id = \(query.bind(.text(requestID)))") }
        return conditions
    }
}
