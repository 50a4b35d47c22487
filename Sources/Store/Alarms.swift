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

public enum StepResult: Sendable {
    /// The alarm after the step, changed or not.
    case done([UInt8])
    /// The alarm as it is and stays, and who holds it in which name.
    case refused(StepRefusal, current: [UInt8], holderName: String?)
    case unknown
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
        let results = try await read([Self.named(id, only: site)])
        do throws(PostgreSQLError) {
            return results[0].rowCount == 1 ? try results[0].bytes(0, 0) : nil
        } catch {
            throw StoreError(error)
        }
    }

    /// Takes a step, or refuses it; each step that changed something is a row of the journal.
    ///
    /// The alarm's row is locked first, so of two steps at once the second sees the first.
    public func apply(
        _ step: AlarmStep, note: String?, to id: AlarmID, only site: SiteID?, by author: Author,
        at instant: Timestamp
    ) async throws(StoreError) -> StepResult {
        let lock = Statement(
            """
            SELECT a.site, a.handling, a.acknowledged_by, a.acknowledged_at, a.closed_by,
                a.closed_at, a.verdict, a.dismissal_reason, a.judged_by, a.judged_at
            FROM alarms a WHERE a.id = $1 AND ($2::text IS NULL OR a.site = $2) FOR UPDATE
            """, .uuid(id), .text(site?.description))
        var outcome: StepOutcome?
        do throws(PostgreSQLError) {
            let results = try await commit(reading: [lock]) { (read) throws(PostgreSQLError) in
                guard read[0].rowCount == 1 else { return nil }
                let alarmSite = try read[0].site(0, 0)
                var handling = try Self.handling(read[0])
                let result = handling.apply(
                    step, by: ActorID(author.token.description), as: author.role, at: instant)
                outcome = result
                guard result == .changed else { return nil }
                return Self.update(id, at: alarmSite, to: handling)
                    + JournalEntry(
                        event: step.event, site: alarmSite, subject: id.description,
                        occurredAt: instant, author: author, reason: step.reason?.rawValue,
                        remark: (step.text ?? note).map {
                            JournalEntry.Remark(id: .v7(at: instant), text: $0)
                        }
                    ).statements(
                        ordinal: 1, document: "alarm_document(t)",
                        from: "alarms t WHERE t.id = $1", [.uuid(id)])
                    + [Self.named(id, only: nil)]
            }
            if let document = results?.last { return .done(try document.bytes(0, 0)) }
        } catch {
            throw StoreError(error)
        }
        switch outcome {
        case nil:
            return .unknown
        case .changed, .unchanged:
            return .done(try await alarm(id, only: site) ?? [])
        case .refused(let refusal):
            let current = try await alarm(id, only: site) ?? []
            return .refused(
                refusal, current: current, holderName: try await name(of: refusal.handling.holder))
        }
    }

    private static func named(_ id: AlarmID, only site: SiteID?) -> Statement {
        Statement(
            """
            SELECT with_staff_names(alarm_document(t))::text FROM alarms t
            WHERE t.id = $1 AND ($2::text IS NULL OR t.site = $2)
            """, .uuid(id), .text(site?.description))
    }

    private func name(of actor: ActorID?) async throws(StoreError) -> String? {
        guard let actor, let token = TokenID(actor.description) else { return nil }
        let results = try await read([
            Statement("SELECT name FROM tokens WHERE id = $1", .uuid(token))
        ])
        do throws(PostgreSQLError) {
            return results[0].rowCount == 1 ? try results[0].text(0, 0) : nil
        } catch {
            throw StoreError(error)
        }
    }

    /// Reads the axes that steps move from the row that `apply` locked.
    private static func handling(_ row: QueryResult) throws(PostgreSQLError) -> AlarmHandling {
        func actor(_ column: Int) throws(PostgreSQLError) -> ActorID {
            let token: TokenID = try row.id(0, column)
            return ActorID(token.description)
        }
        let handling: Handling =
            switch try row.value(0, 1, HandlingName.self) {
            case .new: .new
            case .acknowledged: .acknowledged(by: try actor(2), at: try row.time(0, 3))
            case .closed: .closed(by: try actor(4), at: try row.time(0, 5))
            }
        let verdict: Verdict? =
            switch try row.value(0, 6, VerdictName.self) {
            case .none: nil
            case .confirmed: .confirmed
            case .dismissed: .dismissed(try row.value(0, 7))
            }
        let judgement: Judgement? =
            if let verdict {
                Judgement(verdict: verdict, by: try actor(8), at: try row.time(0, 9))
            } else {
                nil
            }
        return AlarmHandling(handling: handling, judgement: judgement)
    }

    private static func update(_ id: AlarmID, at site: SiteID, to state: AlarmHandling)
        -> [Statement]
    {
        var handling = HandlingName.new
        var acknowledged: (by: TokenID?, at: Timestamp?) = (nil, nil)
        var closed: (by: TokenID?, at: Timestamp?) = (nil, nil)
        switch state.handling {
        case .new: break
        case .acknowledged(let holder, let since):
            handling = .acknowledged
            acknowledged = (TokenID(holder.description), since)
        case .closed(let observer, let since):
            handling = .closed
            closed = (TokenID(observer.description), since)
        }
        var verdict = VerdictName.none
        var reason: DismissalReason?
        switch state.judgement?.verdict {
        case nil: break
        case .confirmed: verdict = .confirmed
        case .dismissed(let why):
            verdict = .dismissed
            reason = why
        }
        return [
            Statement(
                """
                UPDATE alarms SET handling = $3, acknowledged_by = $4, acknowledged_at = $5,
                    closed_by = $6, closed_at = $7, verdict = $8, dismissal_reason = $9,
                    judged_by = $10, judged_at = $11
                WHERE site = $1 AND id = $2
                """,
                .text(site), .uuid(id), .text(handling.rawValue), .optional(acknowledged.by),
                .time(acknowledged.at), .optional(closed.by), .time(closed.at),
                .text(verdict.rawValue), .text(reason?.rawValue),
                .optional(state.judgement.flatMap { TokenID($0.by.description) }),
                .time(state.judgement?.at))
        ]
    }
}

extension AlarmStep {
    /// What the journal and the live stream call it.
    var event: String {
        switch self {
        case .acknowledge: "alarm.acknowledged"
        case .release: "alarm.released"
        case .confirm: "alarm.confirmed"
        case .dismiss: "alarm.dismissed"
        case .comment: "alarm.commented"
        case .close: "alarm.closed"
        case .reopen: "alarm.reopened"
        }
    }

    var reason: DismissalReason? {
        if case .dismiss(let reason, _) = self { reason } else { nil }
    }

    var text: String? {
        switch self {
        case .comment(let text): text
        case .confirm(let note), .dismiss(_, let note): note
        default: nil
        }
    }
}
