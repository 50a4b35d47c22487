import ControlCentre
import PostgreSQL

/// What a group writes, column by column: each table gets one statement, whatever the group's
/// size.
struct Writes {
    private let now: Timestamp

    private var detections = Detections()
    private var raised = Alarms()
    private var moved = Alarms()
    private var events = Events()
    private var preceding = Preceding()

    /// How often `alarm.extended` is journaled per alarm at most.
    private static let extensionInterval: Duration = .seconds(1)

    /// What an alarm keeps of the detection that raised it.
    struct Raising {
        let receivedAt: Timestamp
        /// Nil: neither the detection nor its node names one.
        let model: String?
    }

    private struct Detections {
        var site: [String?] = []
        var id: [PostgreSQLUUID?] = []
        var occurredAt: [Int64?] = []
        var receivedAt: [Int64?] = []
        var endedAt: [Int64?] = []
        var node: [PostgreSQLUUID?] = []
        var camera: [PostgreSQLUUID?] = []
        var pattern: [String?] = []
        var mode: [String?] = []
        var model: [String?] = []
        var confidence: [Double?] = []
        var alarm: [PostgreSQLUUID?] = []
        var countedOnly: [Bool?] = []
        var late: [Bool?] = []
        var content: [[UInt8]?] = []
        var payload: [[UInt8]?] = []
    }

    private struct Alarms {
        var key: [CorrelationKey] = []
        var area: [PostgreSQLUUID?] = []
        var receivedAt: [Int64?] = []
        var raisedByModel: [String?] = []
        var episode: [Episode] = []
        var rule: [CorrelationRule] = []
        var extendedAt: [Int64?] = []
        var extensionPending: [Bool?] = []
    }

    /// Detections stored before that a new alarm counts.
    private struct Preceding {
        var site: [String?] = []
        var alarm: [PostgreSQLUUID?] = []
        var occurredAt: [Int64?] = []
        var id: [PostgreSQLUUID?] = []
    }

    private struct Events {
        var name: [String?] = []
        var alarm: [PostgreSQLUUID?] = []
        var occurredAt: [Int64?] = []
    }

    init(now: Timestamp) { self.now = now }

    mutating func add(
        _ item: IncomingDetection, _ resolved: Group.Resolved, _ outcome: IngestOutcome,
        under rule: CorrelationRule
    ) {
        var alarm: AlarmID?
        if case .created(let id) = outcome { alarm = id }
        let isCountedOnly = outcome == .countedOnly
        detections.site.append(item.site.description)
        detections.id.append(PostgreSQLUUID(item.id.uuid))
        detections.occurredAt.append(item.occurredAt.microsecondsSinceEpoch)
        detections.receivedAt.append(item.receivedAt.microsecondsSinceEpoch)
        detections.endedAt.append(item.endedAt?.microsecondsSinceEpoch)
        detections.node.append(PostgreSQLUUID(item.node.uuid))
        detections.camera.append(PostgreSQLUUID(resolved.camera.id.uuid))
        detections.pattern.append(item.pattern)
        detections.mode.append(resolved.key.mode.rawValue)
        detections.model.append(resolved.model)
        detections.confidence.append(item.confidence)
        detections.alarm.append(alarm.map { PostgreSQLUUID($0.uuid) })
        detections.countedOnly.append(isCountedOnly)
        detections.late.append(item.receivedAt - item.occurredAt > rule.lateAfter)
        detections.content.append(item.content)
        // Past its retention period nothing but the count and the key may be kept, but for a hold.
        detections.payload.append(isCountedOnly ? nil : item.payload)
    }

    /// - Parameters:
    ///   - raising: the detection that raised it; nil for a known alarm.
    ///   - journaledAt: when `alarm.extended` was last journaled; nil for a new alarm.
    mutating func add(
        _ change: EpisodeChange, of key: CorrelationKey, area: AreaID,
        under rule: CorrelationRule, raising: Raising?, journaledAt: Timestamp?
    ) {
        let isNew = change.before == nil
        let isCleared = change.events.contains(.cleared)
        let isExtended = change.events.contains {
            if case .extended = $0 { true } else { false }
        }
        // What raises or clears an alarm is journaled with the alarm as it then is; an extension
        // of the same group adds nothing to that.
        let extensionIsDue =
            isExtended && !isNew && !isCleared
            && now - (journaledAt ?? now) >= Self.extensionInterval
        let isHeldBack = isExtended && !isNew && !isCleared && !extensionIsDue

        for event in change.events {
            switch event {
            case .raised: journal("alarm.raised", change, at: change.after.raisedAt)
            case .lateBorn: journal("alarm.late", change, at: change.after.raisedAt)
            case .cleared: journal("alarm.cleared", change, at: change.after.clearedAt)
            case .extended: break
            }
        }
        if extensionIsDue { journal("alarm.extended", change, at: change.after.last) }

        var rows = isNew ? raised : moved
        rows.key.append(key)
        rows.area.append(PostgreSQLUUID(area.uuid))
        rows.receivedAt.append(raising?.receivedAt.microsecondsSinceEpoch)
        rows.raisedByModel.append(raising?.model)
        rows.episode.append(change.after)
        rows.rule.append(rule)
        rows.extendedAt.append(
            isNew || extensionIsDue ? now.microsecondsSinceEpoch : nil)
        rows.extensionPending.append(isHeldBack ? true : isExtended || isCleared ? false : nil)
        if isNew { raised = rows } else { moved = rows }
        for detection in change.preceding {
            preceding.site.append(key.site.description)
            preceding.alarm.append(PostgreSQLUUID(change.after.id.uuid))
            preceding.occurredAt.append(detection.occurredAt.microsecondsSinceEpoch)
            preceding.id.append(PostgreSQLUUID(detection.id.uuid))
        }
    }

    private mutating func journal(_ event: String, _ change: EpisodeChange, at instant: Timestamp?)
    {
        events.name.append(event)
        events.alarm.append(PostgreSQLUUID(change.after.id.uuid))
        events.occurredAt.append((instant ?? now).microsecondsSinceEpoch)
    }

    /// The statements, ending with the position; nil when nothing is to be written.
    var statements: [Statement]? {
        guard !detections.id.isEmpty else { return nil }
        var statements: [Statement] = []
        // Clearing comes before raising: of one key only one alarm may be active at any instant.
        if !moved.episode.isEmpty { statements.append(update) }
        if !raised.episode.isEmpty { statements += [lockAreas, insert] }
        if !preceding.id.isEmpty { statements.append(insertPreceding) }
        if !events.name.isEmpty { statements.append(journal) }
        statements.append(insertDetections)
        statements.append(Database.appendPosition)
        return statements
    }

    private var update: Statement {
        Statement(
            """
            UPDATE alarms a
            SET started_at = m.started_at, last_detection_at = m.last_detection_at,
                cleared_at = m.cleared_at,
                condition = CASE WHEN m.cleared_at IS NULL THEN 'active' ELSE 'cleared' END,
                detection_count = m.detection_count, max_confidence = m.max_confidence,
                clears_after = m.last_detection_at + a.quiet + m.allowance * interval '1 microsecond',
                extended_at = coalesce(m.extended_at, a.extended_at),
                extension_pending = coalesce(m.extension_pending, a.extension_pending)
            FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[], $4::timestamptz[],
                    $5::bigint[], $6::float8[], $7::timestamptz[], $8::bigint[], $9::boolean[])
                AS m (id, started_at, last_detection_at, cleared_at, detection_count,
                    max_confidence, extended_at, allowance, extension_pending)
            WHERE a.id = m.id
            """,
            parameters: episodeColumns(moved) + [
                .timestamps(microsecondsSinceUnixEpoch: moved.extendedAt),
                .int64s(moved.rule.map(\.arrivalAllowance.microseconds)),
                .bools(moved.extensionPending),
            ])
    }

    private func episodeColumns(_ rows: Alarms) -> [Parameter] {
        [
            .uuids(rows.episode.map { PostgreSQLUUID($0.id.uuid) }),
            .timestamps(
                microsecondsSinceUnixEpoch: rows.episode.map(\.start.microsecondsSinceEpoch)),
            .timestamps(
                microsecondsSinceUnixEpoch: rows.episode.map(\.last.microsecondsSinceEpoch)),
            .timestamps(
                microsecondsSinceUnixEpoch: rows.episode.map(\.clearedAt?.microsecondsSinceEpoch)),
            .int64s(rows.episode.map { Int64($0.detectionCount) }),
            .doubles(rows.episode.map(\.maxConfidence)),
        ]
    }

    /// Of two groups that raise alarms in one area the second sees the first's: they may belong
    /// together.
    private var lockAreas: Statement {
        Statement("SELECT lock_areas($1)", .uuids(raised.area))
    }

    private var insert: Statement {
        Statement(
            """
            INSERT INTO alarms (id, started_at, last_detection_at, cleared_at, detection_count,
                max_confidence, site, camera, pattern, operating_mode, model, area, received_at,
                raised_at, late, extended_at, priority, rule_version, condition, quiet,
                clears_after, raised_by_model)
            SELECT r.id, r.started_at, r.last_detection_at, r.cleared_at, r.detection_count,
                r.max_confidence, r.site, r.camera, r.pattern, r.operating_mode, r.model, r.area,
                r.received_at, r.raised_at, r.late, r.extended_at, r.priority, r.rule_version,
                CASE WHEN r.cleared_at IS NULL THEN 'active' ELSE 'cleared' END,
                r.quiet * interval '1 microsecond',
                r.last_detection_at + (r.quiet + r.allowance) * interval '1 microsecond',
                r.raised_by_model
            FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[], $4::timestamptz[],
                    $5::bigint[], $6::float8[], $7::text[], $8::uuid[], $9::text[], $10::text[],
                    $11::text[], $12::uuid[], $13::timestamptz[], $14::timestamptz[],
                    $15::boolean[], $16::timestamptz[], $17::text[], $18::bigint[],
                    $19::bigint[], $20::bigint[], $21::text[])
                AS r (id, started_at, last_detection_at, cleared_at, detection_count,
                    max_confidence, site, camera, pattern, operating_mode, model, area,
                    received_at, raised_at, late, extended_at, priority, rule_version, quiet,
                    allowance, raised_by_model)
            """,
            parameters: episodeColumns(raised) + [
                .texts(raised.key.map(\.site.description)),
                .uuids(raised.key.map { PostgreSQLUUID($0.camera.uuid) }),
                .texts(raised.key.map(\.pattern.rawValue)),
                .texts(raised.key.map(\.mode.rawValue)),
                .texts(raised.key.map { $0.modelVersion ?? "" }),
                .uuids(raised.area),
                .timestamps(microsecondsSinceUnixEpoch: raised.receivedAt),
                .timestamps(
                    microsecondsSinceUnixEpoch: raised.episode.map(
                        \.raisedAt.microsecondsSinceEpoch)
                ),
                .bools(raised.episode.map(\.late)),
                .timestamps(microsecondsSinceUnixEpoch: raised.extendedAt),
                .texts(raised.rule.map(\.priority.rawValue)),
                .int64s(raised.rule.map { $0.version.map { Int64($0) } }),
                .int64s(raised.episode.map(\.quiet.microseconds)),
                .int64s(raised.rule.map(\.arrivalAllowance.microseconds)),
                .texts(raised.raisedByModel),
            ])
    }

    private var insertPreceding: Statement {
        Statement(
            """
            INSERT INTO preceding_detections (site, alarm, occurred_at, id)
            SELECT * FROM unnest($1::text[], $2::uuid[], $3::timestamptz[], $4::uuid[])
            """,
            .texts(preceding.site), .uuids(preceding.alarm),
            .timestamps(microsecondsSinceUnixEpoch: preceding.occurredAt), .uuids(preceding.id))
    }

    private var journal: Statement {
        Statement(
            """
            INSERT INTO journal (change, ordinal, event, site, subject, occurred_at, document)
            SELECT currval('changes'), e.ordinal, e.event, a.site, a.id, e.occurred_at,
                alarm_document(a)
            FROM unnest($1::text[], $2::uuid[], $3::timestamptz[]) WITH ORDINALITY
                AS e (event, alarm, occurred_at, ordinal)
            JOIN alarms a ON a.id = e.alarm
            """,
            .texts(events.name), .uuids(events.alarm),
            .timestamps(microsecondsSinceUnixEpoch: events.occurredAt))
    }

    private var insertDetections: Statement {
        Statement(
            """
            INSERT INTO detections (site, id, occurred_at, received_at, ended_at, node, camera,
                pattern, operating_mode, model, confidence, alarm, counted_only, late,
                content_hash, payload, change)
            SELECT d.site, d.id, d.occurred_at, d.received_at, d.ended_at, d.node, d.camera,
                d.pattern, d.operating_mode, d.model, d.confidence, d.alarm, d.counted_only,
                d.late, sha256(uuid_send(d.camera) || d.content), d.payload, currval('changes')
            FROM unnest($1::text[], $2::uuid[], $3::timestamptz[], $4::timestamptz[],
                    $5::timestamptz[], $6::uuid[], $7::uuid[], $8::text[], $9::text[],
                    $10::text[], $11::float8[], $12::uuid[], $13::boolean[], $14::boolean[],
                    $15::bytea[], $16::json[])
                AS d (site, id, occurred_at, received_at, ended_at, node, camera, pattern,
                    operating_mode, model, confidence, alarm, counted_only, late, content,
                    payload)
            """,
            .texts(detections.site), .uuids(detections.id),
            .timestamps(microsecondsSinceUnixEpoch: detections.occurredAt),
            .timestamps(microsecondsSinceUnixEpoch: detections.receivedAt),
            .timestamps(microsecondsSinceUnixEpoch: detections.endedAt),
            .uuids(detections.node), .uuids(detections.camera), .texts(detections.pattern),
            .texts(detections.mode), .texts(detections.model), .doubles(detections.confidence),
            .uuids(detections.alarm), .bools(detections.countedOnly), .bools(detections.late),
            .byteStrings(detections.content), .jsons(detections.payload))
    }
}

extension Duration {
    var microseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1_000_000 + attoseconds / 1_000_000_000_000
    }
}
