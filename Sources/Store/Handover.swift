import ControlCentre
import PostgreSQL

/// What whoever takes over a shift must know.
public struct Handover: Sendable {
    public let document: [UInt8]
    /// Those of which it shows holder and case number.
    public let holds: [HoldID]
}

extension Database {
    /// What whoever takes over a shift at a site must know, as one snapshot.
    ///
    /// - Parameters:
    ///   - reviewWithin: holds whose review is due by then after `instant` are part of it.
    ///   - itemsMax: of each kind at most so many are shown; all are counted.
    /// - Returns: nil when there is no such site.
    public func handover(
        at site: SiteID, _ instant: Timestamp, reviewWithin: Duration, itemsMax: Int32
    ) async throws(StoreError) -> Handover? {
        let results = try await read([
            Statement(
                """
                SELECT h.document::text, array_to_string(ARRAY(
                    SELECT hold ->> 'id'
                    FROM json_array_elements(h.document #> '{holds_due,items}') hold), ' ')
                FROM sites s CROSS JOIN LATERAL (
                    SELECT handover(s.id, $2, $3 * interval '1 microsecond', $4) AS document
                    OFFSET 0) h
                WHERE s.id = $1
                """, .text(site), .time(instant), .int64(reviewWithin.microseconds),
                .int32(itemsMax))
        ])
        do throws(PostgreSQLError) {
            guard results[0].rowCount == 1 else { return nil }
            return Handover(
                document: try results[0].bytes(0, 0),
                holds: try results[0].text(0, 1).split(separator: " ").compactMap {
                    HoldID(String($0))
                })
        } catch {
            throw StoreError(error)
        }
    }
}
