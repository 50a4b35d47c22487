import ControlCentre
import PostgreSQL

/// Which alarms a list shows; nil does not filter.
public struct AlarmFilter: Sendable {
    public var site: SiteID?
    public var area: AreaID?
    public var camera: CameraID?
    public var patterns: [BehaviourPattern]?
    public var operatingModes: [OperatingMode]?
    public var conditions: [Condition]?
    public var handlings: [HandlingName]?
    public var suppressions: [Suppression]?
    public var position: String?
    public var verdicts: [VerdictName]?
    public var priorities: [Priority]?
    public var raisedAt: Timestamp?
    public var lastDetectionAt: Timestamp?
    public var clearedAt: Timestamp?
    public var detectionCount: Int?
    public var maxConfidence: Double?
    public var late: Bool?
    public var overdue: Bool?
    public var chattering: Bool?
    public var stale: Bool?
    public var flood: Bool?
    /// The id of the group's first alarm.
    public var group: AlarmID?
    public var ruleVersion: Int?
    /// Whether it has rung.
    public var annunciated: Bool?
    public var attentions: [Attention]?
    /// To which it belongs.
    public var incident: IncidentID?
    /// Half-open, by `raised_at`.
    public var from: Timestamp?
    public var to: Timestamp?

    public init() {}
}

/// The handling axis without who and when, as the database and the API name it.
public enum HandlingName: String, Sendable, CaseIterable {
    case new, acknowledged, closed
}

/// The verdict axis without its reason.
public enum VerdictName: String, Sendable, CaseIterable {
    case none, confirmed, dismissed
}

extension Attention {
    /// As `alarm_document` has it, in the words of the indexes.
    fileprivate var condition: String {
        switch self {
        case .none: "NOT (\(Self.ring.condition) OR \(Self.worklist.condition))"
        case .ring:
            """
            (t.condition = 'active' AND t.annunciated_at IS NOT NULL AND t.handling = 'new'
                AND t.shelving IS NULL)
            """
        case .worklist:
            """
            (t.verdict = 'none' AND t.operating_mode <> 'production' AND t.handling <> 'closed'
                AND t.shelving IS NULL)
            """
        }
    }
}

extension Database {
    public func alarms(_ filter: AlarmFilter, _ request: PageRequest) async throws(StoreError)
        -> Page
    {
        var query = Query()
        query.filter("t.site", filter.site.map { .text($0) })
        query.filter("t.area", filter.area.map { .uuid($0) })
        query.filter("t.camera", filter.camera.map { .uuid($0) })
        query.filter("t.pattern", anyOf: filter.patterns)
        query.filter("t.operating_mode", anyOf: filter.operatingModes)
        query.filter("t.condition", anyOf: filter.conditions)
        query.filter("t.handling", anyOf: filter.handlings)
        // One value of two filters; both together say nothing.
        if let suppressions = filter.suppressions, Set(suppressions).count == 1 {
            let isShelved = suppressions[0] == .shelved
            query.filter("t.shelving IS \(isShelved ? "NOT NULL" : "NULL")")
        }
        query.filter("t.position", filter.position.map { .text($0) })
        query.filter("t.verdict", anyOf: filter.verdicts)
        query.filter("t.priority", anyOf: filter.priorities)
        query.filter("t.raised_at", filter.raisedAt.map { .time($0) })
        query.filter("t.last_detection_at", filter.lastDetectionAt.map { .time($0) })
        query.filter("t.cleared_at", filter.clearedAt.map { .time($0) })
        query.filter("t.detection_count", filter.detectionCount.map { .int64(Int64($0)) })
        query.filter("t.max_confidence", filter.maxConfidence.map { .double($0) })
        query.filter("t.late", is: filter.late)
        query.filter("t.overdue", is: filter.overdue)
        query.filter("t.chattering", is: filter.chattering)
        query.filter("t.stale", is: filter.stale)
        query.filter("t.flood", is: filter.flood)
        if let group = filter.group {
            let id = query.bind(.uuid(group))
            // The index has no alarm that is alone.
            query.filter(
                """
                t.id IN (SELECT \(id) UNION ALL
                    SELECT g.id FROM alarms g WHERE g.alarm_group = \(id) AND g.alarm_group <> g.id)
                """)
            query.filter("t.alarm_group = \(id)")
        }
        query.filter("t.rule_version", filter.ruleVersion.map { .int32(Int32($0)) })
        query.filter("(t.annunciated_at IS NOT NULL)", is: filter.annunciated)
        if let attentions = filter.attentions {
            query.filter("(\(Set(attentions).map(\.condition).sorted().joined(separator: " OR ")))")
        }
        query.filter("t.incident", filter.incident.map { .uuid($0) })
        query.filter("t.raised_at", from: filter.from, to: filter.to)
        let statement = query.page(
            request, of: "alarms", document: "with_staff_names(alarm_document(t))",
            time: "t.raised_at", id: "t.id", idType: "uuid")
        let results = try await read([statement])
        do throws(PostgreSQLError) {
            return try Page(results[0], request)
        } catch {
            throw StoreError(error)
        }
    }

    /// - Parameter site: the site that the reader is bound to; an alarm elsewhere is unknown.
    public func alarm(_ id: AlarmID, only site: SiteID?) async throws(StoreError) -> [UInt8]? {
        let results = try await read([Self.alarms([id], only: site)])
        do throws(PostgreSQLError) {
            return try Self.documents(results[0])[id]
        } catch {
            throw StoreError(error)
        }
    }

    /// The alarms of these ids that the reader may see.
    static func alarms(_ ids: [AlarmID], only site: SiteID?) -> Statement {
        Statement(
            """
            SELECT t.id, with_staff_names(alarm_document(t))::text FROM alarms t
            WHERE t.id = ANY ($1) AND ($2::text IS NULL OR t.site = $2)
            """, .uuids(ids.map { PostgreSQLUUID($0.uuid) }), .text(site?.description))
    }

    /// Reads the rows of `alarms(_:only:)`.
    static func documents(_ result: QueryResult) throws(PostgreSQLError) -> [AlarmID: [UInt8]] {
        var documents: [AlarmID: [UInt8]] = [:]
        for row in 0..<result.rowCount {
            documents[try result.id(row, 0)] = try result.bytes(row, 1)
        }
        return documents
    }
}
