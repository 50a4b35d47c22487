import ControlCentre
import PostgreSQL

/// Which detections a list shows; nil does not filter.
public struct DetectionFilter: Sendable {
    public var site: SiteID?
    public var camera: CameraID?
    public var patterns: [BehaviourPattern]?
    public var alarm: AlarmID?
    /// Half-open, by `occurred_at`.
    public var from: Timestamp?
    public var to: Timestamp?

    public init() {}
}

extension Database {
    public func detections(_ filter: DetectionFilter, _ request: PageRequest)
        async throws(StoreError) -> Page
    {
        var query = Query()
        query.filter("t.site", filter.site.map { .text($0) })
        query.filter("t.camera", filter.camera.map { .uuid($0) })
        query.filter("t.pattern", anyOf: filter.patterns)
        if let alarm = filter.alarm {
            // No index by alarm, which each insert would pay for: the alarm tells where to look.
            let id = query.bind(.uuid(alarm))
            query.filter(
                """
                (t.alarm = \(id) OR t.alarm IS NULL AND EXISTS (
                    SELECT FROM preceding_detections p WHERE p.alarm = \(id)
                        AND p.site = t.site AND p.occurred_at = t.occurred_at AND p.id = t.id))
                """)
            query.filter("(t.site, t.camera) = (SELECT site, camera FROM alarms WHERE id = \(id))")
            query.filter("t.occurred_at >= (SELECT started_at FROM alarms WHERE id = \(id))")
            // A node's clock may be ahead of ours by the tolerated five minutes.
            query.filter(
                """
                t.occurred_at <= (SELECT last_detection_at + interval '5 minutes'
                    FROM alarms WHERE id = \(id))
                """)
        }
        query.filter("t.occurred_at", from: filter.from, to: filter.to)
        let statement = query.page(
            request, of: "detections", document: "detection_document(t)", time: "t.occurred_at",
            id: "t.id", idType: "uuid")
        let results = try await read([statement])
        do throws(PostgreSQLError) {
            return try Page(results[0], request)
        } catch {
            throw StoreError(error)
        }
    }

    /// Makes sure that the days around now have partitions of their own.
    public func ensurePartitions() async throws(StoreError) {
        _ = try await work([
            Statement(
                """
                SELECT ensure_detection_partitions(
                    (now() AT TIME ZONE 'UTC')::date - 4, (now() AT TIME ZONE 'UTC')::date + 2)
                """)
        ])
    }

    /// Clears the alarms that are due and journals extensions that were held back.
    ///
    /// - Returns: whether anything was journaled.
    public func clearDueAlarms() async throws(StoreError) -> Bool {
        let results = try await work([
            Statement("SELECT clear_due_alarms()"),
            Statement("SELECT journal_pending_extensions()"),
        ])
        do throws(PostgreSQLError) {
            let changed = try results[0].int64(0, 0) + results[1].int64(0, 0)
            if changed > 0 { announceCommit() }
            return changed > 0
        } catch {
            throw StoreError(error)
        }
    }
}
