import ControlCentre
import PostgreSQL

extension Database {
    /// What whoever takes over a shift at a site must know, as one snapshot.
    ///
    /// - Parameters:
    ///   - reviewWithin: holds whose review is due by then after `instant` are part of it.
    ///   - itemsMax: of each kind at most so many are shown; all are counted.
    /// - Returns: nil when there is no such site.
    public func handover(
        at site: SiteID, _ instant: Timestamp, reviewWithin: Duration, itemsMax: Int32
    ) async throws(StoreError) -> [UInt8]? {
        let results = try await read([
            Statement(
                """
                SELECT handover(s.id, $2, $3 * interval '1 microsecond', $4)::text
                FROM sites s WHERE s.id = $1
                """, .text(site), .time(instant), .int64(reviewWithin.microseconds),
                .int32(itemsMax))
        ])
        do throws(PostgreSQLError) {
            return results[0].rowCount == 1 ? try results[0].bytes(0, 0) : nil
        } catch {
            throw StoreError(error)
        }
    }
}
