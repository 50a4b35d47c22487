import ControlCentre
import PostgreSQL

extension Database {
    /// Records that somebody is about to read a report's figures, at its site or at all of them. No
    /// site wants a reason for it: there is nobody in them.
    ///
    /// - Parameter reader: nil on the command line.
    /// - Returns: whether there is such a report for this reader.
    public func logReading(
        of report: ReportID, only site: SiteID?, by reader: Author?, at instant: Timestamp
    ) async throws(StoreError) -> Bool {
        let log = Statement(
            """
            INSERT INTO accesses
                (site, id, accessed_at, action, subject, actor, role, request_id)
            SELECT s.id, $3, $4, $5, $1::uuid::text, $6, $7, $8
            FROM reports t JOIN sites s ON t.site IS NULL OR s.id = t.site
            WHERE t.id = $1 AND ($2::text IS NULL OR t.site = $2)
            """,
            .uuid(report), .text(site?.description), .uuid(PostgreSQLUUID(.v7(at: instant))),
            .time(instant), .text(AccessAction.reportRead.rawValue), .optional(reader?.token),
            .text(reader?.role.rawValue), .text(reader?.requestID))
        do throws(PostgreSQLError) {
            return try await transact([log])[0].affectedRows > 0
        } catch {
            throw StoreError(error)
        }
    }
}
