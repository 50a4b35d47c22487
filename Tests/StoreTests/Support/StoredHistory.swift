import ControlCentre
import PostgreSQL
import TestSupport

@testable import Store

/// All that ingest and clearing have written, in the order of the commits.
struct StoredHistory {
    struct Alarm: Hashable {
        let key: CorrelationKey
        let episode: Episode
    }

    /// The new detections of one key in one transaction.
    struct Group {
        let key: CorrelationKey
        var detections: [CorrelatedDetection] = []
        /// The alarm that each was stored with.
        var alarms: [AlarmID?] = []
    }

    enum Change {
        case detections([CorrelationKey: Group])
        /// By the clock.
        case clearing([AlarmID])
    }

    let alarms: [AlarmID: Alarm]
    let changes: [Change]

    init(of database: TestDatabase) async throws {
        let rows = try await database.query(
            """
            SELECT site, camera, pattern, operating_mode, model, id, raised_at, started_at,
                last_detection_at, cleared_at, detection_count, max_confidence, late
            FROM alarms
            """)
        var alarms: [AlarmID: Alarm] = [:]
        for row in 0..<rows.rowCount {
            let id: AlarmID = try rows.id(row, 5)
            alarms[id] = Alarm(
                key: try Self.key(rows, row),
                episode: Episode(
                    id: id, raisedAt: try rows.time(row, 6), start: try rows.time(row, 7),
                    last: try rows.time(row, 8), clearedAt: try rows.timeIfPresent(row, 9),
                    detectionCount: Int(try rows.int64(row, 10)),
                    maxConfidence: try rows.double(row, 11), late: try rows.bool(row, 12)))
        }
        self.alarms = alarms

        var changes = try await Self.groups(of: database).mapValues { Change.detections($0) }
        // Of the changes that bring no detections, those that clear.
        let clearings = try await database.query(
            """
            SELECT p.position, j.subject::uuid FROM journal j JOIN positions p USING (change)
            WHERE j.event = 'alarm.cleared'
                AND NOT EXISTS (SELECT FROM detections d WHERE d.change = j.change)
            """)
        var cleared: [Int64: [AlarmID]] = [:]
        for row in 0..<clearings.rowCount {
            cleared[try clearings.int64(row, 0), default: []].append(try clearings.id(row, 1))
        }
        for (position, ids) in cleared { changes[position] = .clearing(ids) }
        self.changes = changes.sorted { $0.key < $1.key }.map(\.value)
    }

    private static func groups(of database: TestDatabase) async throws
        -> [Int64: [CorrelationKey: Group]]
    {
        // In no particular order within a group, as that must decide nothing.
        let rows = try await database.query(
            """
            SELECT d.site, d.camera, d.pattern, d.operating_mode, d.model, p.position, d.id,
                d.occurred_at, d.received_at, d.confidence, d.alarm
            FROM detections d JOIN positions p USING (change)
            ORDER BY md5(d.id::text)
            """)
        var groups: [Int64: [CorrelationKey: Group]] = [:]
        for row in 0..<rows.rowCount {
            let key = try key(rows, row)
            let position = try rows.int64(row, 5)
            var group = groups[position]?[key] ?? Group(key: key)
            group.detections.append(
                CorrelatedDetection(
                    id: try rows.id(row, 6), occurredAt: try rows.time(row, 7),
                    receivedAt: try rows.time(row, 8), confidence: try rows.double(row, 9)))
            group.alarms.append(try rows.idIfPresent(row, 10))
            groups[position, default: [:]][key] = group
        }
        return groups
    }

    private static func key(_ rows: QueryResult, _ row: Int) throws -> CorrelationKey {
        CorrelationKey(
            site: try rows.site(row, 0), camera: try rows.id(row, 1),
            pattern: try rows.value(row, 2),
            mode: try rows.value(row, 3), modelVersion: try rows.text(row, 4))
    }
}
