import ControlCentre
import PostgreSQL

/// Some lines' incidents, on their way from what a file says to rows.
struct IncidentBatch {
    private let lines: [NumberedLine<HistoricIncident>]
    private let scope: ImportScope
    private let places: ImportPlaces

    init(
        _ lines: [NumberedLine<HistoricIncident>], _ scope: ImportScope, _ places: ImportPlaces
    ) {
        self.lines = lines
        self.scope = scope
        self.places = places
    }

    /// What has to be read before `decide`; empty when there are no lines.
    var reading: [Statement] {
        guard !lines.isEmpty else { return [] }
        let times = lines.flatMap { [$0.record.occurredAt] + $0.record.recognitions.map(\.at) }
        return [
            LocalTimes.statement(times, in: places.zone),
            KnownKeys.statement("incident", lines.map(\.record.key), scope),
        ]
    }

    /// - Parameter read: the results of `reading`.
    func decide(_ read: [QueryResult]) throws(PostgreSQLError) -> ImportDecision {
        let times = try LocalTimes(read[0], in: places.zone)
        var known = try KnownKeys(read[1])
        var decision = ImportDecision()
        let new = decision.sort(lines, &known) {
            historic, faults -> (Moments, content: [String?])? in
            guard let moments = Moments(historic, times, faults) else { return nil }
            return (moments, historic.content(moments))
        } make: { historic, moments, faults -> NewIncidentRow? in
            guard let incident = incident(historic, moments, faults) else { return nil }
            return NewIncidentRow(
                id: .make(at: scope.instant), incident: incident,
                note: historic.note.map { (UUID.v7(at: scope.instant), $0) })
        }
        decision.tally.incidents = new.count
        if !new.isEmpty { decision.statements = statements(new) }
        return decision
    }

    /// The incident by the domain's rules; nil with what they forbid.
    private func incident(
        _ historic: HistoricIncident, _ moments: Moments, _ faults: FaultCollector
    ) -> Incident? {
        let cameras = faults.collect { () throws(ColumnFault) in
            try places.cameras(historic.cameras, at: moments.occurredAt)
        }
        let area = faults.collect { () throws(ColumnFault) in
            try historic.area.map { (name) throws(ColumnFault) in try places.area(name) }
        }
        var incident = Incident(
            category: historic.category, subcategory: historic.subcategory,
            occurredAt: moments.occurredAt, pattern: historic.pattern,
            area: (area ?? nil) ?? cameras?.area,
            operatingMode: historic.operatingMode, cameras: Set(cameras?.cameras ?? []),
            outcomes: historic.outcomes)
        incident.replaceRecognitions(with: moments.recognitions)
        if let refusal = incident.refusal(at: scope.instant) {
            faults.add(ColumnFault(refusal, of: incident))
        }
        return faults.isEmpty ? incident : nil
    }

    // MARK: Writing

    private struct NewIncidentRow {
        let id: IncidentID
        let incident: Incident
        let note: (id: UUID, text: String)?
    }

    private func statements(_ lines: [NewLine<NewIncidentRow>]) -> [Statement] {
        let rows = lines.map(\.subject)
        let ids = Parameter.uuids(rows.map { PostgreSQLUUID($0.id.uuid) })
        var statements: [Statement] = []
        let notes = rows.compactMap(\.note)
        if !notes.isEmpty { statements.append(scope.remarks(notes)) }
        statements.append(
            Statement(
                """
                INSERT INTO incidents (site, id, category, subcategory, occurred_at, recognised_at,
                    source, pattern, area, operating_mode, outcomes, note, note_hash,
                    computed_reason, created_at)
                SELECT $1, n.id, n.category, n.subcategory, n.occurred_at, n.recognised_at,
                    n.source, n.pattern, n.area, n.operating_mode,
                    string_to_array(n.outcomes, ','), n.note,
                    CASE WHEN n.note IS NOT NULL THEN (
                        SELECT sha256(r.salt || convert_to(r.text, 'UTF8')) FROM remarks r
                        WHERE r.id = n.note) END,
                    -- What assess_incident says of it; the others are assessed below.
                    CASE WHEN n.pattern IS NULL THEN 'no_pattern' END, $13
                FROM unnest($2::uuid[], $3::text[], $4::text[], $5::timestamptz[],
                    $6::timestamptz[], $7::text[], $8::text[], $9::uuid[], $10::text[],
                    $11::text[], $12::uuid[])
                    AS n (id, category, subcategory, occurred_at, recognised_at, source, pattern,
                        area, operating_mode, outcomes, note)
                """, .text(scope.site), ids, .texts(rows.map(\.incident.category.rawValue)),
                .texts(rows.map(\.incident.subcategory?.rawValue)),
                .times(rows.map(\.incident.occurredAt)),
                .times(rows.map(\.incident.recognisedAt)),
                .texts(rows.map(\.incident.source.rawValue)),
                .texts(rows.map(\.incident.pattern?.rawValue)),
                .uuids(rows.map { $0.incident.area.map { PostgreSQLUUID($0.uuid) } }),
                .texts(rows.map(\.incident.operatingMode.rawValue)),
                .texts(rows.map { $0.incident.outcomes.map(\.rawValue).joined(separator: ",") }),
                .uuids(rows.map { $0.note.map { PostgreSQLUUID($0.id) } }),
                .time(scope.instant)))
        statements.append(recognitions(rows))
        let seen = rows.flatMap { row in row.incident.cameras.sorted().map { (row.id, $0) } }
        if !seen.isEmpty {
            statements.append(
                Statement(
                    """
                    INSERT INTO incident_cameras (site, incident, camera)
                    SELECT $1, n.incident, n.camera
                    FROM unnest($2::uuid[], $3::uuid[]) AS n (incident, camera)
                    """, .text(scope.site), .uuids(seen.map { PostgreSQLUUID($0.0.uuid) }),
                    .uuids(seen.map { PostgreSQLUUID($0.1.uuid) })))
        }
        statements.append(
            scope.keys("incident", ids, lines, remarks: rows.map { $0.note?.id }))
        let assessable = rows.filter { $0.incident.pattern != nil }
        if !assessable.isEmpty {
            statements.append(
                Statement(
                    """
                    SELECT settle_assessment($1, n.id) FROM unnest($2::uuid[]) AS n (id)
                    """, .text(scope.site),
                    .uuids(assessable.map { PostgreSQLUUID($0.id.uuid) })))
        }
        return statements
    }

    private func recognitions(_ rows: [NewIncidentRow]) -> Statement {
        let all = rows.flatMap { row in
            row.incident.recognitions.enumerated().map { (row.id, $0.offset + 1, $0.element) }
        }
        return Statement(
            """
            INSERT INTO recognitions (site, incident, ordinal, kind, at, assumed, change)
            SELECT $1, n.incident, n.ordinal, n.kind, n.at, n.assumed, currval('changes')
            FROM unnest($2::uuid[], $3::integer[], $4::text[], $5::timestamptz[], $6::boolean[])
                AS n (incident, ordinal, kind, at, assumed)
            """, .text(scope.site), .uuids(all.map { PostgreSQLUUID($0.0.uuid) }),
            .int32s(all.map { Int32($0.1) }), .texts(all.map(\.2.kind.rawValue)),
            .times(all.map(\.2.at)), .bools(all.map(\.2.isAssumed)))
    }
}

/// The times of a line as instants.
private struct Moments {
    let occurredAt: Timestamp
    let recognitions: [Recognition]

    init?(_ historic: HistoricIncident, _ times: LocalTimes, _ faults: FaultCollector) {
        let occurredAt = faults.collect { () throws(ColumnFault) in
            try times.instant(historic.occurredAt, of: "occurred_at")
        }
        var recognitions: [Recognition] = []
        for recognition in historic.recognitions {
            let instant = faults.collect { () throws(ColumnFault) in
                try times.instant(recognition.at, of: "recognised_at")
            }
            guard let instant else { continue }
            recognitions.append(
                recognition.kind == .call ? .call(at: instant) : .observer(at: instant))
        }
        guard let occurredAt, faults.isEmpty else { return nil }
        self.occurredAt = occurredAt
        self.recognitions = recognitions
    }
}

extension HistoricIncident {
    /// All that it says, however it is written.
    fileprivate func content(_ moments: Moments) -> [String?] {
        [
            category.rawValue, subcategory?.rawValue, moments.occurredAt.rfc3339,
            moments.recognitions.map { "\($0.kind.rawValue) \($0.at)" }.sorted().joined(
                separator: ";"),
            pattern?.rawValue, area, operatingMode.rawValue, note,
            outcomes.map(\.rawValue).sorted().joined(separator: ";"),
        ] + cameras.sorted()
    }
}

extension ColumnFault {
    fileprivate init(_ refusal: IncidentRefusal, of incident: Incident) {
        switch refusal {
        case .occurredInFuture:
            self.init("occurred_at", "incident.in-future", "must not be in the future")
        case .occurredTooEarly:
            self.init(
                "occurred_at", "incident.too-early",
                "must not be before \(Incident.occurredMin.rfc3339)")
        case .subcategoryOfOther:
            let category = incident.category
            let own = category.subcategories.map(\.rawValue).joined(separator: ", ")
            self.init(
                "subcategory", "incident.subcategory-of-other",
                "must be one of the category \(category.rawValue): \(own)")
        case .noneAmongOutcomes:
            self.init("outcomes", "invalid", "must be none alone, or others without it")
        case .recognisedInFuture(let recognition):
            self.init(
                "recognised_at", "incident.in-future",
                "must not be in the future, is \(recognition.at)")
        case .recognisedBeforeOccurred(let recognition):
            self.init(
                "recognised_at", "incident.recognised-before-occurred",
                "must not be before occurred_at, is \(recognition.at)")
        case .recognisedAfterDispatch(let dispatchedAt):
            self.init(
                "recognised_at", "incident.recognised-after-dispatch",
                "must not be after the first dispatch, \(dispatchedAt)")
        }
    }
}
