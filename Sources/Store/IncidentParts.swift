import ControlCentre
import PostgreSQL

/// Writes what belongs to an incident in tables of its own, and assesses it.
struct IncidentParts {
    let site: SiteID
    let id: IncidentID
    let instant: Timestamp

    func statements(from before: RecordedIncident?, to after: Incident) -> [Statement] {
        let cameras = before?.incident.cameras ?? []
        let alarms = before?.incident.alarms ?? []
        let recognitions = before?.incident.recognitions ?? []
        let withdrawn = recognitions.filter { !after.recognitions.contains($0) }
            .compactMap { before?.ordinals[$0] }
        let added = after.recognitions.filter { !recognitions.contains($0) }
        var statements: [Statement] = []
        statements += members("incident_cameras", "camera", cameras, after.cameras)
        statements += members("incident_alarms", "alarm", alarms, after.alarms)
        if !withdrawn.isEmpty {
            statements.append(
                Statement(
                    """
                    UPDATE recognitions SET withdrawn_at = $4
                    WHERE site = $1 AND incident = $2 AND ordinal = ANY ($3)
                    """, .text(site), .uuid(id), .int32s(withdrawn), .time(instant)))
        }
        if !added.isEmpty {
            statements.append(
                Statement(
                    """
                    INSERT INTO recognitions (site, incident, ordinal, kind, at, alarm, assumed,
                        change)
                    SELECT $1, $2, r.ordinal + coalesce(
                            (SELECT max(known.ordinal) FROM recognitions known
                                WHERE known.site = $1 AND known.incident = $2), 0),
                        r.kind, r.at, r.alarm, r.assumed, currval('changes')
                    FROM unnest($3::text[], $4::timestamptz[], $5::uuid[], $6::boolean[])
                        WITH ORDINALITY AS r (kind, at, alarm, assumed, ordinal)
                    """, .text(site), .uuid(id), .texts(added.map(\.kind.rawValue)),
                    .timestamps(
                        microsecondsSinceUnixEpoch: added.map(\.at.microsecondsSinceEpoch)),
                    .uuids(added.map { $0.alarm.map { PostgreSQLUUID($0.uuid) } }),
                    .bools(added.map(\.isAssumed))))
        }
        return statements + [
            Statement("SELECT settle_assessment($1, $2)", .text(site), .uuid(id))
        ]
    }

    private func members<ID: UUIDIdentifier>(
        _ table: String, _ column: String, _ before: Set<ID>, _ after: Set<ID>
    ) -> [Statement] {
        let removed = before.subtracting(after)
        let added = after.subtracting(before)
        var statements: [Statement] = []
        if !removed.isEmpty {
            statements.append(
                Statement(
                    """
                    DELETE FROM \(table)
                    WHERE site = $1 AND incident = $2 AND \(column) = ANY ($3)
                    """, .text(site), .uuid(id),
                    .uuids(removed.map { PostgreSQLUUID($0.uuid) })))
        }
        if !added.isEmpty {
            statements.append(
                Statement(
                    "INSERT INTO \(table) (site, incident, \(column)) SELECT $1, $2, unnest($3)",
                    .text(site), .uuid(id),
                    .uuids(added.sorted().map { PostgreSQLUUID($0.uuid) })))
        }
        return statements
    }

    /// Notes at alarms whose links have changed which incident they belong to now, and journals
    /// that from `ordinal` on, one row for each.
    static func noteLinks(
        of alarms: Set<AlarmID>, by author: Author?, at instant: Timestamp, ordinal: Int32
    ) -> [Statement] {
        guard !alarms.isEmpty else { return [] }
        return [
            Statement(
                "SELECT note_linked_alarms(currval('changes'), $1, $2, $3, $4, $5, $6)",
                .int32(ordinal), .uuids(alarms.map { PostgreSQLUUID($0.uuid) }), .time(instant),
                .optional(author?.token), .text(author?.role.rawValue), .text(author?.requestID))
        ]
    }

    /// What forbids an alarm to belong to two incidents.
    static let alarmOnce = "incident_alarms_once"
}

extension JournalEntry {
    /// The statements that record it with the incident's document.
    func incident(_ id: IncidentID, ordinal: Int32 = 1) -> [Statement] {
        statements(
            ordinal: ordinal, document: "incident_document(t)",
            from: "incidents t WHERE t.id = $1", [.uuid(id)])
    }
}
