import ControlCentre
import PostgreSQL

/// A correction of an incident that is recorded.
struct IncidentCorrection {
    let id: IncidentID
    let change: IncidentChange
    let reason: String?
    let author: Author
    let instant: Timestamp

    func reading(only site: SiteID?) -> [Statement] {
        RecordedIncident.statements(id, only: site)
            + IncidentFacts.statements(
                of: .of(id), area: change.area ?? nil, cameras: change.cameras ?? [],
                alarms: (change.alarms ?? [])
                    + (change.recognitions ?? []).compactMap(\.alarm)
                    + (change.addedAlarm.map { [$0] } ?? []))
    }

    func decide(
        _ read: ArraySlice<QueryResult>, if precondition: Precondition = .any, ordinal: Int32 = 1
    ) throws(PostgreSQLError) -> IncidentDecision {
        guard let recorded = try RecordedIncident(read) else { return .refused(.unknownIncident) }
        guard precondition.holds(for: recorded.revision) else { return .stale(recorded.revision) }
        if recorded.isRetracted { return .refused(.retracted) }
        let facts = try IncidentFacts(read.dropFirst(RecordedIncident.statementCount))
        do throws(IncidentObstacle) {
            let corrected = try corrected(recorded.incident, facts)
            let refusal = corrected.refusal(at: instant, firstDispatch: recorded.firstDispatch)
            if let refusal { return .refused(.rule(refusal)) }
            let isNoteNew = change.note.map { $0 != recorded.note } ?? false
            if corrected == recorded.incident, !isNoteNew { return .unchanged }
            return .write(
                statements(recorded, to: corrected, note: isNoteNew, ordinal: ordinal))
        } catch {
            return .refused(error)
        }
    }

    private func corrected(_ before: Incident, _ facts: IncidentFacts)
        throws(IncidentObstacle) -> Incident
    {
        var incident = before
        if let category = change.category { incident.category = category }
        if let subcategory = change.subcategory { incident.subcategory = subcategory }
        if let occurredAt = change.occurredAt { incident.move(to: occurredAt) }
        if let pattern = change.pattern { incident.pattern = pattern }
        if let area = change.area {
            try facts.checkArea(area)
            incident.area = area
        }
        if let mode = change.operatingMode { incident.operatingMode = mode }
        if let outcomes = change.outcomes { incident.outcomes = outcomes }
        if let cameras = change.cameras {
            for camera in cameras { _ = try facts.area(of: camera) }
            incident.cameras = Set(cameras)
        }
        if let alarms = change.alarms {
            for alarm in before.alarms where !alarms.contains(alarm) { incident.unlink(alarm) }
            for alarm in alarms { incident.link(try facts.alarm(alarm, of: id)) }
        }
        if let alarm = change.addedAlarm { incident.link(try facts.alarm(alarm, of: id)) }
        if let recognitions = change.recognitions {
            try facts.recognise(&incident, id, by: recognitions)
        } else if let recognisedAt = change.recognisedAt {
            incident.moveEarliest(to: recognisedAt)
        }
        if let recognisedAt = change.recognisedAt, recognisedAt != incident.recognisedAt {
            throw .earliestRecognition(incident.recognisedAt)
        }
        return incident
    }

    private func statements(
        _ recorded: RecordedIncident, to incident: Incident, note isNoteNew: Bool, ordinal: Int32
    ) -> [Statement] {
        let site = recorded.site
        var statements = [
            Statement(
                """
                UPDATE incidents SET category = $3, subcategory = $4, occurred_at = $5,
                    recognised_at = $6, source = $7, pattern = $8, area = $9,
                    operating_mode = $10, outcomes = $11, revision = revision + 1
                WHERE site = $1 AND id = $2
                """, parameters: [.text(site), .uuid(id)] + incident.columns)
        ]
        if isNoteNew {
            // Two layers: whether the note changes, and whether there is one then.
            var remark: JournalEntry.Remark?
            if case .some(.some(let text)) = change.note {
                remark = JournalEntry.Remark(id: .v7(at: instant), text: text)
            }
            if let remark { statements.append(remark.insertion(at: site)) }
            statements.append(
                Statement(
                    """
                    UPDATE incidents SET note = $3, note_hash = (
                        SELECT sha256(r.salt || convert_to(r.text, 'UTF8')) FROM remarks r
                        WHERE r.id = $3)
                    WHERE site = $1 AND id = $2
                    """, .text(site), .uuid(id), .uuid(remark.map { PostgreSQLUUID($0.id) })))
        }
        return statements
            + IncidentParts(site: site, id: id, instant: instant).statements(
                from: recorded, to: incident)
            + JournalEntry(
                event: "incident.changed", site: site, subject: id.description,
                occurredAt: instant, author: author,
                remark: reason.map { JournalEntry.Remark(id: .v7(at: instant), text: $0) }
            ).incident(id, ordinal: ordinal)
            + IncidentParts.noteLinks(
                of: recorded.incident.alarms.symmetricDifference(incident.alarms), by: author,
                at: instant, ordinal: ordinal + 1)
    }
}
