import ControlCentre
import PostgreSQL

/// An incident as the database has it, locked until the transaction ends.
struct RecordedIncident {
    let site: SiteID
    let revision: Int64
    let incident: Incident
    let ordinals: [Recognition: Int32]
    let note: String?
    let isRetracted: Bool
    let firstDispatch: Timestamp?

    /// How many results `init` takes.
    static let statementCount = 3

    static func statements(_ id: IncidentID, only site: SiteID?) -> [Statement] {
        [
            Statement(
                """
                SELECT i.site, i.revision, i.category, i.subcategory, i.occurred_at, i.pattern,
                    i.area, i.operating_mode, array_to_string(i.outcomes, ','),
                    (SELECT text FROM remarks r WHERE r.id = i.note),
                    i.retracted_at IS NOT NULL, i.first_dispatched_at
                FROM incidents i WHERE i.id = $1 AND ($2::text IS NULL OR i.site = $2) FOR UPDATE
                """, .uuid(id), .text(site?.description)),
            Statement("SELECT camera FROM incident_cameras WHERE incident = $1", .uuid(id)),
            Statement(
                """
                SELECT ordinal, kind, at, alarm, assumed FROM recognitions
                WHERE incident = $1 AND withdrawn_at IS NULL ORDER BY ordinal
                """, .uuid(id)),
        ]
    }

    init?(_ results: ArraySlice<QueryResult>) throws(PostgreSQLError) {
        let first = results.startIndex
        let row = results[first]
        guard row.rowCount == 1 else { return nil }
        site = try row.site(0, 0)
        revision = try row.int64(0, 1)
        var cameras: Set<CameraID> = []
        for number in 0..<results[first + 1].rowCount {
            cameras.insert(try results[first + 1].id(number, 0))
        }
        var outcomes: [IncidentOutcome] = []
        for name in try row.text(0, 8).split(separator: ",") {
            guard let outcome = IncidentOutcome(rawValue: String(name)) else {
                throw .unexpectedValue("\(name) is no outcome")
            }
            outcomes.append(outcome)
        }
        let plain = Incident(
            category: try row.value(0, 2),
            subcategory: row.isNull(0, 3) ? nil : try row.value(0, 3),
            occurredAt: try row.time(0, 4), pattern: row.isNull(0, 5) ? nil : try row.value(0, 5),
            area: try row.idIfPresent(0, 6), operatingMode: try row.value(0, 7),
            cameras: cameras, outcomes: outcomes)
        let rows = results[first + 2]
        var recognitions: [Recognition] = []
        var ordinals: [Recognition: Int32] = [:]
        for number in 0..<rows.rowCount {
            let instant = try rows.time(number, 2)
            let recognition: Recognition =
                switch try rows.value(number, 1, Recognition.Kind.self) {
                case .alarm: .alarm(try rows.id(number, 3), receivedAt: instant)
                case .observer: .observer(at: instant, isAssumed: try rows.bool(number, 4))
                case .call: .call(at: instant)
                }
            recognitions.append(recognition)
            ordinals[recognition] = try rows.int32(number, 0)
        }
        incident = Incident(recorded: plain, recognitions: recognitions)
        self.ordinals = ordinals
        note = try row.textIfPresent(0, 9)
        isRetracted = try row.bool(0, 10)
        firstDispatch = try row.timeIfPresent(0, 11)
    }
}
