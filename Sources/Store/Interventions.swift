import ControlCentre
import PostgreSQL

public struct NewIntervention: Sendable {
    public var incident: IncidentID
    public var immediate: Bool
    public var precinct: String?
    public var unit: String?
    /// Nil: now.
    public var dispatchedAt: Timestamp?

    public init(incident: IncidentID, immediate: Bool) {
        self.incident = incident
        self.immediate = immediate
    }
}

/// What to correct of an intervention; nil leaves it, and an inner nil removes the value.
public struct InterventionChange: Sendable {
    public var immediate: Bool?
    public var precinct: String??
    public var unit: String??
    public var dispatchedAt: Timestamp?
    public var arrivedAt: Timestamp??
    /// Nil keeps the source that is known, or is `later` for a time that is new.
    public var arrivalSource: ArrivalSource?

    public init() {}
}

/// Which interventions a list shows; nil does not filter.
public struct InterventionFilter: Sendable {
    public var site: SiteID?
    public var incident: IncidentID?
    public var immediate: Bool?
    public var precinct: String?
    public var unit: String?
    public var statuses: [InterventionStatusName]?
    public var arrivalSources: [ArrivalSource]?
    public var dispatchedAt: Timestamp?
    public var arrivedAt: Timestamp?
    public var completedAt: Timestamp?
    public var cancelledAt: Timestamp?
    public var createdAt: Timestamp?
    /// Half-open, by `dispatched_at`.
    public var from: Timestamp?
    public var to: Timestamp?

    public init() {}
}

/// The status of an intervention without its time, as the database and the API name it.
public enum InterventionStatusName: String, Sendable, CaseIterable {
    case dispatched, arrived, completed, cancelled
}

/// Why an intervention cannot be recorded as asked.
public enum InterventionObstacle: Sendable, Equatable {
    case unknownIncident
    case incidentRetracted
    /// A source needs an arrival.
    case sourceWithoutArrival
    case rule(InterventionRefusal)
}

public enum InterventionResult: Sendable {
    /// The intervention as it is now.
    case done(Stored)
    /// The intervention, which was as it was wanted already.
    case unchanged(Stored)
    case unknown
    /// Somebody changed it since; this is its revision now.
    case stale(Int64)
    /// Of an intervention that refuses for what it is, also what it is.
    case refused(InterventionObstacle, current: [UInt8]?)
}

extension Database {
    public func interventions(_ filter: InterventionFilter, _ request: PageRequest)
        async throws(StoreError) -> Page
    {
        var query = Query()
        query.filter("t.site", filter.site.map { .text($0) })
        query.filter("t.incident", filter.incident.map { .uuid($0) })
        query.filter("t.immediate", is: filter.immediate)
        query.filter("t.precinct", filter.precinct.map { .text($0) })
        query.filter("t.unit", filter.unit.map { .text($0) })
        query.filter("t.status", anyOf: filter.statuses)
        query.filter("t.arrival_source", anyOf: filter.arrivalSources)
        query.filter("t.dispatched_at", filter.dispatchedAt.map { .time($0) })
        query.filter("t.arrived_at", filter.arrivedAt.map { .time($0) })
        query.filter("t.completed_at", filter.completedAt.map { .time($0) })
        query.filter("t.cancelled_at", filter.cancelledAt.map { .time($0) })
        query.filter("t.created_at", filter.createdAt.map { .time($0) })
        query.filter("t.dispatched_at", from: filter.from, to: filter.to)
        let statement = query.page(
            request, of: "interventions", document: "intervention_document(t)",
            time: "t.dispatched_at", id: "t.id", idType: "uuid")
        let results = try await read([statement])
        do throws(PostgreSQLError) {
            return try Page(results[0], request)
        } catch {
            throw StoreError(error)
        }
    }

    /// - Parameter site: the site that the reader is bound to.
    public func intervention(_ id: InterventionID, only site: SiteID?)
        async throws(StoreError) -> Stored?
    {
        let results = try await read([Self.stored(id, only: site)])
        do throws(PostgreSQLError) {
            return try Stored(results[0])
        } catch {
            throw StoreError(error)
        }
    }

    /// Records that units were sent.
    ///
    /// - Parameter author: nil from the command line.
    public func createIntervention(
        _ new: NewIntervention, only site: SiteID?, by author: Author?, at instant: Timestamp
    ) async throws(StoreError) -> InterventionResult {
        let id = InterventionID.make(at: instant)
        let lock = Statement(
            """
            SELECT site, recognised_at, retracted_at IS NOT NULL FROM incidents
            WHERE id = $1 AND ($2::text IS NULL OR site = $2) FOR UPDATE
            """, .uuid(new.incident), .text(site?.description))
        return try await record(id, reading: [lock]) { (read) throws(PostgreSQLError) in
            guard read[0].rowCount == 1 else { return .refused(.unknownIncident) }
            if try read[0].bool(0, 2) { return .refused(.incidentRetracted) }
            let recognisedAt = try read[0].time(0, 1)
            let dispatchedAt = new.dispatchedAt ?? max(instant, recognisedAt)
            let refusal = Intervention.refusal(
                dispatchedAt: dispatchedAt, recognisedAt: recognisedAt, at: instant)
            if let refusal { return .refused(.rule(refusal)) }
            let recording = InterventionRecording(
                site: try read[0].site(0, 0), id: id, incident: new.incident, author: author,
                instant: instant)
            return .write(
                recording.statements(
                    "intervention.created", reason: nil, changesIncident: true,
                    Statement(
                        """
                        INSERT INTO interventions (site, id, incident, immediate, precinct, unit,
                            status, dispatched_at, created_at)
                        VALUES ($1, $2, $3, $4, $5, $6, 'dispatched', $7, $8)
                        """, .text(recording.site), .uuid(id), .uuid(new.incident),
                        .bool(new.immediate), .text(new.precinct), .text(new.unit),
                        .time(dispatchedAt), .time(instant))))
        }
    }

    /// Takes a step, or refuses it; of two at once the second sees the first.
    public func apply(
        _ step: InterventionStep, reason: String?, to id: InterventionID, only site: SiteID?,
        by author: Author, at instant: Timestamp
    ) async throws(StoreError) -> InterventionResult {
        let reading = RecordedIntervention.statements(id, only: site)
        return try await record(id, reading: reading) { (read) throws(PostgreSQLError) in
            guard let recorded = try RecordedIntervention(read[1]) else { return .unknown }
            var intervention = recorded.intervention
            if let refusal = intervention.apply(step, at: instant) {
                return .refused(.rule(refusal))
            }
            let recording = InterventionRecording(
                site: recorded.site, id: id, incident: recorded.incident, author: author,
                instant: instant)
            return .write(
                recording.statements(
                    step.event, reason: reason, changesIncident: step.changesIncident,
                    recording.update(
                        intervention, immediate: recorded.immediate, precinct: recorded.precinct,
                        unit: recorded.unit)))
        }
    }

    /// Corrects an intervention if its revision is one that the caller knows.
    public func changeIntervention(
        _ id: InterventionID, only site: SiteID?, if precondition: Precondition,
        to change: InterventionChange, reason: String, by author: Author, at instant: Timestamp
    ) async throws(StoreError) -> InterventionResult {
        let reading = RecordedIntervention.statements(id, only: site)
        return try await record(id, reading: reading) { (read) throws(PostgreSQLError) in
            guard let recorded = try RecordedIntervention(read[1]) else { return .unknown }
            guard precondition.holds(for: recorded.revision) else {
                return .stale(recorded.revision)
            }
            var intervention = recorded.intervention
            let known = intervention.arrival
            let arrivedAt = change.arrivedAt ?? known?.at
            if change.arrivalSource != nil, arrivedAt == nil {
                return .refused(.sourceWithoutArrival)
            }
            let refusal = intervention.correct(
                dispatchedAt: change.dispatchedAt,
                arrival: .some(
                    arrivedAt.map {
                        Intervention.Arrival(
                            at: $0,
                            source: change.arrivalSource
                                ?? (known?.at == $0 ? known?.source : nil) ?? .later)
                    }), recognisedAt: recorded.recognisedAt, at: instant)
            if let refusal { return .refused(.rule(refusal)) }
            let immediate = change.immediate ?? recorded.immediate
            let precinct = change.precinct ?? recorded.precinct
            let unit = change.unit ?? recorded.unit
            if intervention == recorded.intervention, immediate == recorded.immediate,
                precinct == recorded.precinct, unit == recorded.unit
            {
                return .unchanged
            }
            let recording = InterventionRecording(
                site: recorded.site, id: id, incident: recorded.incident, author: author,
                instant: instant)
            return .write(
                recording.statements(
                    "intervention.changed", reason: reason,
                    changesIncident: intervention != recorded.intervention
                        || immediate != recorded.immediate,
                    recording.update(
                        intervention, immediate: immediate, precinct: precinct, unit: unit)))
        }
    }

    private static func stored(_ id: InterventionID, only site: SiteID? = nil) -> Statement {
        Statement(
            """
            SELECT intervention_document(t)::text, t.revision FROM interventions t
            WHERE t.id = $1 AND ($2::text IS NULL OR t.site = $2)
            """, .uuid(id), .text(site?.description))
    }

    /// Runs what is decided about an intervention, and gives the intervention as it is then.
    private func record(
        _ id: InterventionID, reading: [Statement],
        decide: ([QueryResult]) throws(PostgreSQLError) -> InterventionDecision
    ) async throws(StoreError) -> InterventionResult {
        var decision = InterventionDecision.unknown
        do throws(PostgreSQLError) {
            let results = try await commit(reading: reading) { (read) throws(PostgreSQLError) in
                decision = try decide(read)
                guard case .write(let statements) = decision else { return nil }
                return statements + [Self.stored(id)]
            }
            if let results, let stored = try Stored(results[results.count - 1]) {
                return .done(stored)
            }
        } catch {
            throw StoreError(error)
        }
        switch decision {
        case .unknown: return .unknown
        case .stale(let revision): return .stale(revision)
        case .write, .unchanged:
            guard let stored = try await intervention(id, only: nil) else { return .unknown }
            return .unchanged(stored)
        case .refused(let obstacle):
            let current = try await intervention(id, only: nil)
            return .refused(obstacle, current: current?.document)
        }
    }
}

/// What to write of an intervention, decided in its transaction from what was read there.
private enum InterventionDecision {
    case write([Statement])
    case unchanged
    case unknown
    case stale(Int64)
    case refused(InterventionObstacle)
}

/// An intervention as the database has it, locked with its incident until the transaction ends.
private struct RecordedIntervention {
    let site: SiteID
    let incident: IncidentID
    let revision: Int64
    let recognisedAt: Timestamp
    let intervention: Intervention
    let immediate: Bool
    let precinct: String?
    let unit: String?

    /// The incident's row is locked first, as by all that change what it shows.
    static func statements(_ id: InterventionID, only site: SiteID?) -> [Statement] {
        [
            Statement(
                """
                SELECT FROM incidents i JOIN interventions n ON n.site = i.site AND n.incident = i.id
                WHERE n.id = $1 AND ($2::text IS NULL OR n.site = $2) FOR UPDATE OF i
                """, .uuid(id), .text(site?.description)),
            Statement(
                """
                SELECT n.site, n.incident, n.revision, i.recognised_at, n.status, n.dispatched_at,
                    n.arrived_at, n.arrival_source, n.completed_at, n.cancelled_at, n.immediate,
                    n.precinct, n.unit
                FROM interventions n JOIN incidents i ON i.site = n.site AND i.id = n.incident
                WHERE n.id = $1 AND ($2::text IS NULL OR n.site = $2) FOR UPDATE OF n
                """, .uuid(id), .text(site?.description)),
        ]
    }

    init?(_ row: QueryResult) throws(PostgreSQLError) {
        guard row.rowCount == 1 else { return nil }
        site = try row.site(0, 0)
        incident = try row.id(0, 1)
        revision = try row.int64(0, 2)
        recognisedAt = try row.time(0, 3)
        let status: Intervention.Status =
            switch try row.value(0, 4, InterventionStatusName.self) {
            case .dispatched: .dispatched
            case .arrived: .arrived
            case .completed: .completed(at: try row.time(0, 8))
            case .cancelled: .cancelled(at: try row.time(0, 9))
            }
        let arrival: Intervention.Arrival? =
            if let arrivedAt = try row.timeIfPresent(0, 6) {
                Intervention.Arrival(at: arrivedAt, source: try row.value(0, 7))
            } else {
                nil
            }
        intervention = Intervention(
            recorded: status, dispatchedAt: try row.time(0, 5), arrival: arrival)
        immediate = try row.bool(0, 10)
        precinct = try row.textIfPresent(0, 11)
        unit = try row.textIfPresent(0, 12)
    }
}

/// Writes an intervention, and with it what its incident shows of it.
private struct InterventionRecording {
    let site: SiteID
    let id: InterventionID
    let incident: IncidentID
    let author: Author?
    let instant: Timestamp

    func update(
        _ intervention: Intervention, immediate: Bool, precinct: String?, unit: String?
    ) -> Statement {
        var completedAt: Timestamp?
        var cancelledAt: Timestamp?
        let status: InterventionStatusName
        switch intervention.status {
        case .dispatched: status = .dispatched
        case .arrived: status = .arrived
        case .completed(let instant):
            status = .completed
            completedAt = instant
        case .cancelled(let instant):
            status = .cancelled
            cancelledAt = instant
        }
        return Statement(
            """
            UPDATE interventions SET immediate = $3, precinct = $4, unit = $5, status = $6,
                dispatched_at = $7, arrived_at = $8, arrival_source = $9, completed_at = $10,
                cancelled_at = $11, revision = revision + 1
            WHERE site = $1 AND id = $2
            """, .text(site), .uuid(id), .bool(immediate), .text(precinct), .text(unit),
            .text(status.rawValue), .time(intervention.dispatchedAt),
            .time(intervention.arrival?.at), .text(intervention.arrival?.source.rawValue),
            .time(completedAt), .time(cancelledAt))
    }

    /// - Parameter changesIncident: whether the incident shows something else from now on; then its
    ///   revision and the journal say so too, or whoever follows the journal would keep an old one.
    func statements(
        _ event: String, reason: String?, changesIncident: Bool, _ write: Statement
    ) -> [Statement] {
        var statements = [write]
        if changesIncident {
            statements.append(
                Statement("SELECT count_interventions($1, $2)", .text(site), .uuid(incident)))
        }
        statements += JournalEntry(
            event: event, site: site, subject: id.description, occurredAt: instant, author: author,
            remark: reason.map { JournalEntry.Remark(id: .v7(at: instant), text: $0) }
        ).statements(
            ordinal: 1, document: "intervention_document(t)",
            from: "interventions t WHERE t.id = $1", [.uuid(id)])
        if changesIncident {
            statements += JournalEntry(
                event: "incident.changed", site: site, subject: incident.description,
                occurredAt: instant, author: author
            ).incident(incident, ordinal: 2)
        }
        return statements
    }
}

extension InterventionStep {
    /// What the journal and the live stream call it.
    fileprivate var event: String {
        switch self {
        case .arrive: "intervention.arrived"
        case .complete: "intervention.completed"
        case .cancel: "intervention.cancelled"
        }
    }

    /// Whether the incident shows it: when units were done is told by the intervention alone.
    fileprivate var changesIncident: Bool {
        switch self {
        case .arrive, .cancel: true
        case .complete: false
        }
    }
}
