import ControlCentre
import PostgreSQL

/// What became of the wish to end a mode window or an interruption.
public enum EndOutcome: Sendable {
    case ended(Stored)
    case unknown
    /// It has been over since then.
    case over(Timestamp)
    case endsBeforeStart(Timestamp)
    /// The end asked for is after the one that it has: it can be shortened, not prolonged.
    case endsLater(Timestamp)
}

extension Database {
    /// Ends what has a beginning and an end of its own.
    ///
    /// - Parameter end: nil: now. What has not begun by then is cancelled: it ends as it begins.
    func end(
        _ table: ConfigurationTable, _ key: ConfigurationKey, only site: SiteID?,
        to end: Timestamp?, by author: Author, at instant: Timestamp
    ) async throws(StoreError) -> EndOutcome {
        let lock = Statement(
            """
            SELECT site, starts_at, ends_at FROM \(table.table) t
            WHERE id = $1 AND ($2::text IS NULL OR site = $2) FOR UPDATE
            """, key.parameter, .text(site?.description))
        var outcome = EndOutcome.unknown
        do throws(PostgreSQLError) {
            let results = try await commit(reading: [lock]) { (read) throws(PostgreSQLError) in
                guard read[0].rowCount == 1 else { return nil }
                let startsAt = try read[0].time(0, 1)
                let endsAt = try read[0].timeIfPresent(0, 2)
                if let endsAt, endsAt <= max(instant, startsAt) {
                    outcome = .over(endsAt)
                    return nil
                }
                if let end, end < startsAt {
                    outcome = .endsBeforeStart(startsAt)
                    return nil
                }
                if let end, let endsAt, end > endsAt {
                    outcome = .endsLater(endsAt)
                    return nil
                }
                let end = end ?? max(instant, startsAt)
                let update = Statement(
                    """
                    UPDATE \(table.table)
                    SET ends_at = $2, ended_at = $3, revision = revision + 1 WHERE id = $1
                    """, key.parameter, .time(end), .time(instant))
                let entry = JournalEntry(
                    event: "\(table.name).\(end > startsAt ? "ended" : "cancelled")",
                    site: try read[0].site(0, 0), subject: key.subject, occurredAt: instant,
                    author: author)
                return [update] + journal(entry, table, key) + [storedStatement(table, key)]
            }
            if let last = results?.last, let stored = try Self.stored(last) {
                outcome = .ended(stored)
            }
        } catch {
            throw StoreError(error)
        }
        return outcome
    }
}

extension Query {
    /// Demands that the instant is within the time of what begins and ends.
    mutating func filterTime(runningAt instant: Timestamp?) {
        guard let instant else { return }
        let place = bind(.time(instant))
        filter("t.starts_at <= \(place) AND (t.ends_at IS NULL OR t.ends_at > \(place))")
    }
}
