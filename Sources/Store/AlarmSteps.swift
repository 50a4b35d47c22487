import ControlCentre
import PostgreSQL

/// A step that somebody wants to take on an alarm.
public struct RequestedStep: Sendable {
    public let alarm: AlarmID
    public let step: AlarmStep
    /// What the observer wrote to a step that has no text of its own.
    public let note: String?

    public init(_ step: AlarmStep, on alarm: AlarmID, note: String? = nil) {
        self.alarm = alarm
        self.step = step
        self.note = note
    }
}

public enum StepResult: Sendable {
    /// The alarm after the step.
    case done([UInt8])
    /// The alarm, which was as the step wanted it already.
    case unchanged([UInt8])
    /// The alarm as it is and stays, and in which name whoever stands in the way acted.
    case refused(StepRefusal, current: [UInt8], holderName: String?)
    /// There is no such alarm, or not for the one who asks.
    case unknown
    /// The alarm's site has no position of the name that it was to be assigned to.
    case unknownPosition
}

extension Database {
    /// Takes a step, or refuses it.
    public func apply(
        _ step: AlarmStep, note: String?, to id: AlarmID, only site: SiteID?, by author: Author,
        at instant: Timestamp
    ) async throws(StoreError) -> StepResult {
        let step = RequestedStep(step, on: id, note: note)
        return try await apply([step], only: site, by: author, at: instant)[0]
    }

    /// Takes steps in the order given, or refuses them one by one, in one transaction; each step
    /// that changed something is a row of the journal.
    ///
    /// The alarms' rows are locked first, so of two steps at once the second sees the first.
    public func apply(
        _ steps: [RequestedStep], only site: SiteID?, by author: Author, at instant: Timestamp
    ) async throws(StoreError) -> [StepResult] {
        let ids = Array(Set(steps.map(\.alarm)))
        var decision: StepDecision
        var documents: [AlarmID: [UInt8]]
        do throws(PostgreSQLError) {
            (decision, documents) = try await retryingConflicts { () throws(PostgreSQLError) in
                var decision = StepDecision(by: author, at: instant)
                let results = try await commit(reading: StepDecision.reading(steps, only: site)) {
                    (read) throws(PostgreSQLError) in
                    try decision.decide(steps, read)
                    guard !decision.statements.isEmpty else { return nil }
                    return decision.statements + [Self.alarms(ids, only: site)]
                }
                let documents = try results?.last.map(Self.documents) ?? [:]
                return (decision, documents)
            }
        } catch {
            throw StoreError(error)
        }
        if documents.isEmpty {
            let results = try await read([Self.alarms(ids, only: site)])
            do throws(PostgreSQLError) {
                documents = try Self.documents(results[0])
            } catch {
                throw StoreError(error)
            }
        }
        let names = try await names(of: decision.outcomes.compactMap(\.holder))
        return zip(steps, decision.outcomes).map { step, outcome in
            let document = documents[step.alarm] ?? []
            switch outcome {
            case .unknown: return .unknown
            case .unknownPosition: return .unknownPosition
            case .decided(.changed): return .done(document)
            case .decided(.unchanged): return .unchanged(document)
            case .decided(.refused(let refusal)):
                let name = refusal.holder.flatMap { names[$0] }
                return .refused(refusal, current: document, holderName: name)
            }
        }
    }

    /// The names that the tokens behind these actors have; an erased one is none.
    private func names(of actors: [ActorID]) async throws(StoreError) -> [ActorID: String] {
        guard !actors.isEmpty else { return [:] }
        let tokens = Set(actors).compactMap { TokenID($0.description) }
        let results = try await read([
            Statement(
                "SELECT id, name FROM tokens WHERE id = ANY ($1) AND name IS NOT NULL",
                .uuids(tokens.map { PostgreSQLUUID($0.uuid) }))
        ])
        do throws(PostgreSQLError) {
            var names: [ActorID: String] = [:]
            for row in 0..<results[0].rowCount {
                let token: TokenID = try results[0].id(row, 0)
                names[ActorID(token.description)] = try results[0].text(row, 1)
            }
            return names
        } catch {
            throw StoreError(error)
        }
    }
}

/// Decides about steps on alarms that are locked, and makes the statements that record them.
struct StepDecision {
    /// What came of each step, in the order given.
    private(set) var outcomes: [Outcome] = []
    /// What records the steps that changed something; empty when none did.
    private(set) var statements: [Statement] = []
    private let author: Author
    private let instant: Timestamp
    private var alarms: [AlarmID: LockedAlarm] = [:]
    private var positions: Set<Position> = []
    /// The first that no row of the change has.
    private(set) var nextOrdinal: Int32 = 1

    enum Outcome {
        case unknown
        case unknownPosition
        case decided(StepOutcome)

        var holder: ActorID? {
            if case .decided(.refused(let refusal)) = self { refusal.holder } else { nil }
        }
    }

    private struct LockedAlarm {
        let site: SiteID
        var state: AlarmHandling
    }

    private struct Position: Hashable {
        let site: SiteID
        let name: String
    }

    /// A step's own row, those of the shelvings that it ends and begins, and the alarm's ringing.
    private static let rowsMax: Int32 = 4

    init(by author: Author, at instant: Timestamp) {
        self.author = author
        self.instant = instant
    }

    // MARK: Reading

    /// The statements whose results `decide` takes.
    ///
    /// What is read after the lock was waited for needs a statement of its own, which sees what
    /// the one that held it has done to the shelvings. Alarms are locked in the order of their
    /// ids, so that two batches never wait for each other.
    static func reading(_ steps: [RequestedStep], only site: SiteID?) -> [Statement] {
        let ids = Parameter.uuids(Set(steps.map(\.alarm)).map { PostgreSQLUUID($0.uuid) })
        let positions = Set(
            steps.compactMap { step in
                if case .assign(let position, _) = step.step { position } else { nil }
            })
        var statements = [
            Statement(
                """
                SELECT FROM alarms a WHERE a.id = ANY ($1) AND ($2::text IS NULL OR a.site = $2)
                ORDER BY a.id FOR UPDATE
                """, ids, .text(site?.description)),
            Statement(
                """
                SELECT a.id, a.site, a.handling, a.acknowledged_by, a.acknowledged_at,
                    a.closed_by, a.closed_at, a.verdict, a.dismissal_reason, a.judged_by,
                    a.judged_at, a.taken_over_from, a.position, a.assigned_by, a.assigned_at,
                    own.id, own.shelved_by, own.shelved_at, own.until,
                    cover.id, cover.shelved_by, cover.shelved_at, cover.until
                FROM alarms a
                LEFT JOIN shelvings own ON own.alarm = a.id AND own.ended_at IS NULL
                LEFT JOIN LATERAL covering_shelving(a, false) cover
                    ON a.condition = 'active' OR a.shelving IS NOT NULL
                WHERE a.id = ANY ($1) AND ($2::text IS NULL OR a.site = $2)
                """, ids, .text(site?.description)),
        ]
        if !positions.isEmpty {
            statements.append(
                Statement(
                    """
                    SELECT p.site, p.name FROM observer_positions p
                    WHERE p.name = ANY ($1) AND ($2::text IS NULL OR p.site = $2)
                    """, .texts(Array(positions)), .text(site?.description)))
        }
        return statements
    }

    private mutating func load(_ rows: QueryResult) throws(PostgreSQLError) {
        func actor(_ row: Int, _ column: Int) throws(PostgreSQLError) -> ActorID {
            let token: TokenID = try rows.id(row, column)
            return ActorID(token.description)
        }
        func shelving(_ row: Int, _ column: Int) throws(PostgreSQLError) -> Shelving? {
            guard !rows.isNull(row, column) else { return nil }
            return Shelving(
                id: try rows.id(row, column), by: try actor(row, column + 1),
                at: try rows.time(row, column + 2), until: try rows.time(row, column + 3))
        }
        for row in 0..<rows.rowCount {
            let handling: Handling =
                switch try rows.value(row, 2, HandlingName.self) {
                case .new: .new
                case .acknowledged: .acknowledged(by: try actor(row, 3), at: try rows.time(row, 4))
                case .closed: .closed(by: try actor(row, 5), at: try rows.time(row, 6))
                }
            let verdict: Verdict? =
                switch try rows.value(row, 7, VerdictName.self) {
                case .none: nil
                case .confirmed: .confirmed
                case .dismissed: .dismissed(try rows.value(row, 8))
                }
            var judgement: Judgement?
            if let verdict {
                judgement = Judgement(
                    verdict: verdict, by: try actor(row, 9), at: try rows.time(row, 10))
            }
            var assignment: Assignment?
            if !rows.isNull(row, 12) {
                assignment = Assignment(
                    position: try rows.text(row, 12), by: try actor(row, 13),
                    at: try rows.time(row, 14))
            }
            alarms[try rows.id(row, 0)] = LockedAlarm(
                site: try rows.site(row, 1),
                state: AlarmHandling(
                    handling: handling,
                    takenOverFrom: rows.isNull(row, 11) ? nil : try actor(row, 11),
                    assignment: assignment, judgement: judgement,
                    ownShelving: try shelving(row, 15), cover: try shelving(row, 19)))
        }
    }

    // MARK: Deciding

    /// Decides about each step, with the results of `reading`.
    mutating func decide(_ steps: [RequestedStep], _ read: [QueryResult]) throws(PostgreSQLError) {
        try load(read[1])
        // The third result is there when a step names a position.
        for result in read.dropFirst(2) {
            for row in 0..<result.rowCount {
                positions.insert(
                    Position(site: try result.site(row, 0), name: try result.text(row, 1)))
            }
        }
        for step in steps {
            outcomes.append(decide(step))
        }
    }

    private mutating func decide(_ requested: RequestedStep) -> Outcome {
        guard let alarm = alarms[requested.alarm] else { return .unknown }
        if case .assign(let position, _) = requested.step,
            !positions.contains(Position(site: alarm.site, name: position))
        {
            return .unknownPosition
        }
        var state = alarm.state
        let outcome = state.apply(
            requested.step, by: ActorID(author.token.description), as: author.role, at: instant)
        if outcome == .changed {
            record(requested, at: alarm.site, from: alarm.state, to: state)
            alarms[requested.alarm]?.state = state
        }
        return .decided(outcome)
    }

    // MARK: Recording

    private mutating func record(
        _ requested: RequestedStep, at site: SiteID, from before: AlarmHandling,
        to after: AlarmHandling
    ) {
        let (id, step) = (requested.alarm, requested.step)
        let remark = (step.text ?? requested.note).map {
            JournalEntry.Remark(id: .v7(at: instant), text: $0)
        }
        statements.append(update(id, at: site, from: before, to: after))
        statements += JournalEntry(
            event: step.event, site: site, subject: id.description, occurredAt: instant,
            author: author, reason: step.reason?.rawValue, remark: remark
        ).statements(
            ordinal: nextOrdinal, document: "alarm_document(t)", from: "alarms t WHERE t.id = $1",
            [.uuid(id)])
        if before.judgement != after.judgement, let judgement = after.judgement {
            statements.append(append(judgement, to: id, at: site, remark))
        }
        if let ended = before.ownShelving, ended != after.ownShelving {
            statements += NewShelving.end(
                ended.id, of: site, by: author, at: instant, ordinal: nextOrdinal + 1)
        }
        if let begun = after.ownShelving, begun != before.ownShelving, let remark {
            statements += NewShelving(
                id: begun.id, site: site, scope: .alarm(id), reason: remark.id, until: begun.until
            ).statements(by: author, at: instant, ordinal: nextOrdinal + 2)
        }
        if case .unshelve = step {
            statements.append(annunciate(id))
        }
        nextOrdinal += Self.rowsMax
    }

    private func update(
        _ id: AlarmID, at site: SiteID, from before: AlarmHandling, to after: AlarmHandling
    ) -> Statement {
        var handling = HandlingName.new
        var acknowledged: (by: TokenID?, at: Timestamp?) = (nil, nil)
        var closed: (by: TokenID?, at: Timestamp?) = (nil, nil)
        switch after.handling {
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
        switch after.judgement?.verdict {
        case nil: break
        case .confirmed: verdict = .confirmed
        case .dismissed(let why):
            verdict = .dismissed
            reason = why
        }
        func token(_ actor: ActorID?) -> Parameter {
            .optional(actor.flatMap { TokenID($0.description) })
        }
        // An alarm under a shelving that has just ended is about to be released from it, which no
        // other step may take for done.
        let movesShelving = before.shelving != after.shelving || handling == .closed
        return Statement(
            """
            UPDATE alarms SET handling = $3, acknowledged_by = $4, acknowledged_at = $5,
                closed_by = $6, closed_at = $7, verdict = $8, dismissal_reason = $9,
                judged_by = $10, judged_at = $11, taken_over_from = $12, position = $13,
                assigned_by = $14, assigned_at = $15,
                shelving = CASE WHEN $16 THEN $17 ELSE shelving END,
                shelved_until = CASE WHEN $16 THEN $18 ELSE shelved_until END,
                overdue_at = CASE WHEN $16 AND $17 IS NOT NULL THEN NULL ELSE overdue_at END
            WHERE site = $1 AND id = $2
            """,
            .text(site), .uuid(id), .text(handling.rawValue), .optional(acknowledged.by),
            .time(acknowledged.at), .optional(closed.by), .time(closed.at),
            .text(verdict.rawValue), .text(reason?.rawValue), token(after.judgement?.by),
            .time(after.judgement?.at), token(after.takenOverFrom),
            .text(after.assignment?.position), token(after.assignment?.by),
            .time(after.assignment?.at), .bool(movesShelving), .optional(after.shelving?.id),
            .time(after.shelving?.until))
    }

    private func append(
        _ judgement: Judgement, to id: AlarmID, at site: SiteID, _ remark: JournalEntry.Remark?
    ) -> Statement {
        var reason: DismissalReason?
        if case .dismissed(let why) = judgement.verdict { reason = why }
        return Statement(
            """
            INSERT INTO verdicts (site, alarm, ordinal, verdict, dismissal_reason, remark,
                judged_by, judged_at, change)
            SELECT $1, $2, coalesce(max(v.ordinal), 0) + 1, $3, $4, $5, $6, $7,
                currval('changes')
            FROM verdicts v WHERE v.site = $1 AND v.alarm = $2
            """,
            .text(site), .uuid(id),
            .text((reason == nil ? VerdictName.confirmed : .dismissed).rawValue),
            .text(reason?.rawValue), .uuid(remark.map { PostgreSQLUUID($0.id) }),
            .uuid(author.token), .time(judgement.at))
    }

    private func annunciate(_ id: AlarmID) -> Statement {
        Statement(
            "SELECT annunciate_alarms(currval('changes'), $1, ARRAY[$2::uuid], $3, $4, $5, $6)",
            .int32(nextOrdinal + 3), .uuid(id), .time(instant), .uuid(author.token),
            .text(author.role.rawValue), .text(author.requestID))
    }
}

extension AlarmStep {
    /// What the journal and the live stream call it.
    var event: String {
        switch self {
        case .acknowledge: "alarm.acknowledged"
        case .release: "alarm.released"
        case .takeOver: "alarm.taken-over"
        case .assign: "alarm.assigned"
        case .confirm: "alarm.confirmed"
        case .dismiss: "alarm.dismissed"
        case .comment: "alarm.commented"
        case .shelve: "alarm.shelved"
        case .unshelve: "alarm.unshelved"
        case .close: "alarm.closed"
        case .reopen: "alarm.reopened"
        }
    }

    var reason: DismissalReason? {
        if case .dismiss(let reason, _) = self { reason } else { nil }
    }

    var text: String? {
        switch self {
        case .comment(let text), .shelve(_, _, let text): text
        case .confirm(let note), .dismiss(_, let note): note
        default: nil
        }
    }
}
