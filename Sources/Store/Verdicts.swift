import ControlCentre
import PostgreSQL

/// Part of the verdicts on an alarm, newest first.
public struct VerdictPage: Sendable {
    public let documents: [[UInt8]]
    /// The number of the verdict that the next page begins after; nil on the last.
    public let next: Int32?
}

extension Database {
    /// All verdicts that were ever given on an alarm; the first is the current one. Nil when the
    /// reader may not know the alarm.
    ///
    /// - Parameter before: the number of the last verdict of the page before.
    public func verdicts(
        on id: AlarmID, only site: SiteID?, before: Int32?, limit: Int
    ) async throws(StoreError) -> VerdictPage? {
        let results = try await read([
            Statement(
                "SELECT FROM alarms WHERE id = $1 AND ($2::text IS NULL OR site = $2)",
                .uuid(id), .text(site?.description)),
            Statement(
                """
                SELECT v.ordinal, json_build_object(
                    'number', v.ordinal,
                    'verdict', v.verdict,
                    'reason', v.dismissal_reason,
                    'note', (SELECT text FROM remarks r WHERE r.id = v.remark),
                    'judged_by', json_build_object(
                        'token', v.judged_by,
                        'name', (SELECT name FROM tokens t WHERE t.id = v.judged_by)),
                    'judged_at', rfc3339(v.judged_at))::text
                FROM alarms a JOIN verdicts v ON v.site = a.site AND v.alarm = a.id
                WHERE a.id = $1 AND v.ordinal < $2
                ORDER BY v.ordinal DESC LIMIT \(limit + 1)
                """, .uuid(id), .int32(before ?? .max)),
        ])
        guard results[0].rowCount == 1 else { return nil }
        let rows = results[1]
        let count = min(rows.rowCount, limit)
        do throws(PostgreSQLError) {
            var documents: [[UInt8]] = []
            for row in 0..<count { documents.append(try rows.bytes(row, 1)) }
            let next = rows.rowCount > limit ? try rows.int32(count - 1, 0) : nil
            return VerdictPage(documents: documents, next: next)
        } catch {
            throw StoreError(error)
        }
    }
}
