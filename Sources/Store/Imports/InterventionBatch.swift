import ControlCentre
import PostgreSQL

/// Some lines' interventions, on their way from what a file says to rows.
struct InterventionBatch {
    private let lines: [NumberedLine<HistoricIntervention>]
    private let scope: ImportScope
    private let places: ImportPlaces

    init(
        _ lines: [NumberedLine<HistoricIntervention>], _ scope: ImportScope, _ places: ImportPlaces
    ) {
        self.lines = lines
        self.scope = scope
        self.places = places
    }

    /// What has to be read before `decide`; empty when there are no lines.
    var reading: [Statement] {
        guard !lines.isEmpty else { return [] }
        let times = lines.flatMap { line in
            let intervention = line.record
            return [
                intervention.dispatchedAt, intervention.arrivedAt, intervention.completedAt,
                intervention.cancelledAt,
            ].compactMap { $0 }
        }
        return [
            LocalTimes.statement(times, in: places.zone),
            KnownKeys.statement("intervention", lines.map(\.record.key), scope),
            Statement(
                """
                SELECT k.key, i.id, i.recognised_at, i.retracted_at IS NOT NULL
                FROM (SELECT DISTINCT unnest($3::text[]) AS key) asked
                CROSS JOIN LATERAL (\(KnownKeys.lookUp)) k
                JOIN incidents i ON i.site = k.site AND i.id = k.subject
                """, .text(scope.site), .text("incident"),
                .texts(lines.map(\.record.incident))),
        ]
    }

    private struct Matter {
        let id: IncidentID
        let recognisedAt: Timestamp
        let isRetracted: Bool
    }

    /// - Parameter read: the results of `reading`.
    func decide(_ read: [QueryResult]) throws(PostgreSQLError) -> ImportDecision {
        let times = try LocalTimes(read[0], in: places.zone)
        var known = try KnownKeys(read[1])
        var matters: [String: Matter] = [:]
        for row in 0..<read[2].rowCount {
            matters[try read[2].text(row, 0)] = Matter(
                id: try read[2].id(row, 1), recognisedAt: try read[2].time(row, 2),
                isRetracted: try read[2].bool(row, 3))
        }
        var decision = ImportDecision()
        let new = decision.sort(lines, &known) {
            historic, faults -> (Moments, content: [String?])? in
            guard let moments = Moments(historic, times, faults) else { return nil }
            return (moments, historic.content(moments))
        } make: { historic, moments, faults -> NewInterventionRow? in
            let matter = faults.collect { () throws(ColumnFault) in
                try Self.matter(matters[historic.incident])
            }
            guard let matter,
                let intervention = intervention(historic, moments, of: matter, faults)
            else { return nil }
            return NewInterventionRow(
                id: .make(at: scope.instant), incident: matter.id, historic: historic,
                intervention: intervention,
                reason: historic.arrivalReason.map { (UUID.v7(at: scope.instant), $0) })
        }
        decision.tally.interventions = new.count
        if !new.isEmpty { decision.statements = statements(new) }
        return decision
    }

    private static func matter(_ matter: Matter?) throws(ColumnFault) -> Matter {
        guard let matter else {
            throw ColumnFault(
                "incident", "incident.unknown",
                "must be the key of an incident of this file that is not refused, or of one that"
                    + " was imported before")
        }
        guard !matter.isRetracted else {
            throw ColumnFault(
                "incident", "incident.retracted", "must not be that of a retracted incident")
        }
        return matter
    }

    /// The intervention by the domain's rules; nil with what they forbid.
    private func intervention(
        _ historic: HistoricIntervention, _ moments: Moments, of matter: Matter,
        _ faults: FaultCollector
    ) -> Intervention? {
        var intervention = Intervention(dispatchedAt: moments.dispatchedAt)
        var refusal = Intervention.refusal(
            dispatchedAt: moments.dispatchedAt, recognisedAt: matter.recognisedAt,
            at: scope.instant)
        if refusal == nil, let arrivedAt = moments.arrivedAt {
            let arrival = Intervention.Arrival(
                at: arrivedAt, source: historic.arrivalSource ?? .later)
            refusal = intervention.apply(
                .arrive(arrival, isExplained: historic.arrivalReason != nil), at: scope.instant)
        }
        if let refusal { faults.add(ColumnFault(refusal)) }
        let ends: [(column: String, step: InterventionStep, instant: Timestamp?)] = [
            ("completed_at", .complete, moments.completedAt),
            ("cancelled_at", .cancel, moments.cancelledAt),
        ]
        for (column, step, instant) in ends {
            guard let instant else { continue }
            if instant > scope.instant + Incident.clockToleranceMax {
                faults.add(
                    ColumnFault(column, "intervention.in-future", "must not be in the future"))
            }
            let last = moments.arrivedAt ?? moments.dispatchedAt
            if instant < last {
                faults.add(
                    ColumnFault(
                        column, "invalid",
                        "must not be before the \(moments.arrivedAt == nil ? "dispatch" : "arrival"),"
                            + " \(last)"))
            }
            if let refusal = intervention.apply(step, at: instant) {
                faults.add(ColumnFault(refusal))
            }
        }
        return faults.isEmpty ? intervention : nil
    }

    // MARK: Writing

    private struct NewInterventionRow {
        let id: InterventionID
        let incident: IncidentID
        let historic: HistoricIntervention
        let intervention: Intervention
        let reason: (id: UUID, text: String)?
    }

    private func statements(_ lines: [NewLine<NewInterventionRow>]) -> [Statement] {
        let rows = lines.map(\.subject)
        let ids = Parameter.uuids(rows.map { PostgreSQLUUID($0.id.uuid) })
        let incidents = Parameter.uuids(rows.map { PostgreSQLUUID($0.incident.uuid) })
        var statements: [Statement] = []
        let reasons = rows.compactMap(\.reason)
        if !reasons.isEmpty { statements.append(scope.remarks(reasons)) }
        statements.append(
            Statement(
                """
                INSERT INTO interventions (site, id, incident, immediate, precinct, unit, status,
                    dispatched_at, arrived_at, arrival_source, completed_at, cancelled_at,
                    created_at)
                SELECT $1, n.id, n.incident, n.immediate, n.precinct, n.unit, n.status,
                    n.dispatched_at, n.arrived_at, n.arrival_source, n.completed_at,
                    n.cancelled_at, $13
                FROM unnest($2::uuid[], $3::uuid[], $4::boolean[], $5::text[], $6::text[],
                    $7::text[], $8::timestamptz[], $9::timestamptz[], $10::text[],
                    $11::timestamptz[], $12::timestamptz[])
                    AS n (id, incident, immediate, precinct, unit, status, dispatched_at,
                        arrived_at, arrival_source, completed_at, cancelled_at)
                """, .text(scope.site), ids, incidents, .bools(rows.map(\.historic.immediate)),
                .texts(rows.map(\.historic.precinct)), .texts(rows.map(\.historic.unit)),
                .texts(rows.map(\.intervention.status.name.rawValue)),
                .times(rows.map(\.intervention.dispatchedAt)),
                .times(rows.map(\.intervention.arrival?.at)),
                .texts(rows.map(\.intervention.arrival?.source.rawValue)),
                .times(rows.map(\.intervention.status.completedAt)),
                .times(rows.map(\.intervention.status.cancelledAt)), .time(scope.instant)))
        statements.append(
            Statement(
                """
                SELECT count_interventions($1, n.incident)
                FROM (SELECT DISTINCT unnest($2::uuid[]) AS incident) AS n
                """, .text(scope.site), incidents))
        statements.append(
            scope.keys(
                "intervention", ids, lines, remarks: rows.map { $0.reason?.id }))
        return statements
    }
}

/// The times of a line as instants.
private struct Moments {
    let dispatchedAt: Timestamp
    let arrivedAt: Timestamp?
    let completedAt: Timestamp?
    let cancelledAt: Timestamp?

    init?(_ historic: HistoricIntervention, _ times: LocalTimes, _ faults: FaultCollector) {
        func instant(_ time: HistoricTime?, _ column: String) -> Timestamp? {
            guard let time else { return nil }
            return faults.collect { () throws(ColumnFault) in
                try times.instant(time, of: column)
            }
        }
        let dispatchedAt = instant(historic.dispatchedAt, "dispatched_at")
        arrivedAt = instant(historic.arrivedAt, "arrived_at")
        completedAt = instant(historic.completedAt, "completed_at")
        cancelledAt = instant(historic.cancelledAt, "cancelled_at")
        guard let dispatchedAt, faults.isEmpty else { return nil }
        self.dispatchedAt = dispatchedAt
    }
}

extension HistoricIntervention {
    /// All that it says, however it is written.
    fileprivate func content(_ moments: Moments) -> [String?] {
        [
            incident, "\(immediate)", precinct, unit, moments.dispatchedAt.rfc3339,
            moments.arrivedAt?.rfc3339, arrivalSource?.rawValue, arrivalReason,
            moments.completedAt?.rfc3339, moments.cancelledAt?.rfc3339,
        ]
    }
}

extension Intervention.Status {
    fileprivate var name: InterventionStatusName {
        switch self {
        case .dispatched: .dispatched
        case .arrived: .arrived
        case .completed: .completed
        case .cancelled: .cancelled
        }
    }

    fileprivate var completedAt: Timestamp? {
        if case .completed(let instant) = self { instant } else { nil }
    }

    fileprivate var cancelledAt: Timestamp? {
        if case .cancelled(let instant) = self { instant } else { nil }
    }
}

extension ColumnFault {
    fileprivate init(_ refusal: InterventionRefusal) {
        switch refusal {
        case .dispatchedInFuture:
            self.init("dispatched_at", "intervention.in-future", "must not be in the future")
        case .dispatchedBeforeRecognised(let recognisedAt):
            self.init(
                "dispatched_at", "intervention.dispatched-before-recognised",
                "must not be before the incident's recognition, \(recognisedAt)")
        case .arrivedInFuture:
            self.init("arrived_at", "intervention.in-future", "must not be in the future")
        case .arrivedBeforeDispatched(let dispatchedAt):
            self.init(
                "arrived_at", "intervention.arrived-before-dispatched",
                "must not be before the dispatch, \(dispatchedAt)")
        case .arrivalUnexplained(let dispatchedAt):
            self.init(
                "arrival_reason", "missing",
                "is required of an arrival more than 6 hours after the dispatch, \(dispatchedAt)")
        case .alreadyArrived(let instant), .alreadyCompleted(let instant),
            .alreadyCancelled(let instant):
            self.init("arrived_at", "invalid", "must not follow its end, \(instant)")
        }
    }
}
