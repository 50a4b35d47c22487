import ControlCentre
import PostgreSQL

/// What a step of retention has come to.
public enum RetentionStep: Sendable {
    /// Nothing is left to do, or another instance is at it.
    case nothing
    /// There may be more.
    case done(RetentionRun?)
}

/// A run through one day of a site's detections, or through the copies that a released hold leaves.
public struct RetentionRun: Sendable {
    public let site: SiteID
    public let deletedBefore: Timestamp
    /// How many it has deleted or left to holds so far.
    public let settled: Int64
}

/// How much retention deletes at once: as much as is done soon, on this machine and at this hour,
/// since whoever makes a hold meanwhile waits for it.
public struct RetentionPace: Sendable {
    /// Detections of the next step; few at first, when nothing is known of the machine.
    public private(set) var rowsMax: Int32 = 500

    private static let rowsRange: ClosedRange<Int32> = 100...5_000
    private static let stepTime: Duration = .milliseconds(250)

    public init() {}

    /// Takes note of how long a step has taken.
    public mutating func note(_ time: Duration) {
        let rows = time > Self.stepTime ? rowsMax / 2 : rowsMax * 2
        rowsMax = min(max(rows, Self.rowsRange.lowerBound), Self.rowsRange.upperBound)
    }
}

extension Database {
    /// Deletes a part of what no site may keep any longer and no hold covers.
    ///
    /// - Parameter rowsMax: how many detections at most, 1 to 5,000. Who makes a hold waits for no more
    ///   than these.
    public func deleteDue(rowsMax: Int32 = 5_000) async throws(StoreError) -> RetentionStep {
        let results = try await work([
            Statement("SELECT run_retention($1)", .int32(rowsMax)),
            Statement(
                """
                SELECT r.site, r.deleted_before,
                    (SELECT coalesce(sum(greatest(s.due, s.deleted)), 0)::bigint
                        FROM retention_steps s)
                FROM retention_runs r
                """),
        ])
        do throws(PostgreSQLError) {
            guard try results[0].int64(0, 0) > 0 else { return .nothing }
            guard results[1].rowCount > 0 else {
                // The end of a run is in the journal; a step of one is not.
                announceCommit()
                return .done(nil)
            }
            return .done(
                RetentionRun(
                    site: try results[1].site(0, 0), deletedBefore: try results[1].time(0, 1),
                    settled: try results[1].int64(0, 2)))
        } catch {
            throw StoreError(error)
        }
    }
}
