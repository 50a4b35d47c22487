import ControlCentre
import PostgreSQL

/// Detections that were turned away and are not in the ledger yet: so many of a site for a reason,
/// by the quarter hour of receipt.
///
/// No row is kept of a refused detection, and a node that sends nothing else must not cost a
/// transaction each: the counts go into the database every few seconds. A crash of the server loses
/// those since the last time; a COMMIT whose answer is lost may count them twice.
struct RefusalCounts {
    private struct Kind: Hashable {
        let site: SiteID
        let reason: String
        let quarterHour: Int64
    }

    private var counts: [Kind: Int64] = [:]

    private static let quarterHour: Int64 = 900_000_000

    var isEmpty: Bool { counts.isEmpty }

    mutating func add(
        _ count: Int64 = 1, of site: SiteID, for reason: String, at instant: Timestamp
    ) {
        // The division rounds towards 1970, before which nothing is received.
        let start = instant.microsecondsSinceEpoch / Self.quarterHour * Self.quarterHour
        counts[Kind(site: site, reason: reason, quarterHour: start), default: 0] += count
    }

    mutating func add(_ other: RefusalCounts) {
        counts.merge(other.counts, uniquingKeysWith: +)
    }

    /// Appends them to the ledger, under the transaction's change.
    var insert: Statement {
        let kinds = Array(counts.keys)
        return Statement(
            """
            INSERT INTO refusal_ledger (site, amount, change, received_in, reason)
            SELECT r.site, r.amount, currval('changes'), r.received_in, r.reason
            FROM unnest($1::text[], $2::bigint[], $3::timestamptz[], $4::text[])
                AS r (site, amount, received_in, reason)
            """,
            .texts(kinds.map(\.site.description)), .int64s(kinds.map { counts[$0] ?? 0 }),
            .timestamps(microsecondsSinceUnixEpoch: kinds.map(\.quarterHour)),
            .texts(kinds.map(\.reason)))
    }
}
