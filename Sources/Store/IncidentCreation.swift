import ControlCentre
import PostgreSQL

/// What to write of an incident, decided in its transaction from what was read there.
enum IncidentDecision {
    case write([Statement])
    case unchanged
    case stale(Int64)
    case refused(IncidentObstacle)
}

/// An incident that is to be recorded.
struct IncidentCreation {
    let id: IncidentID
    let new: NewIncident
    let author: Author?
    let instant: Timestamp

    /// - Parameter site: of the incident, where `new` names none.
    func reading(of site: IncidentSite) -> [Statement] {
        IncidentFacts.statements(
            of: new.site.map { .named($0) } ?? site, area: new.area, cameras: new.cameras,
            alarms: new.alarms + new.recognitions.compactMap(\.alarm))
    }

    /// - Parameters:
    ///   - read: the results of `reading`.
    ///   - ordinal: of the journal's row in its change.
    func decide(_ read: ArraySlice<QueryResult>, ordinal: Int32 = 1) throws(PostgreSQLError)
        -> IncidentDecision
    {
        let facts = try IncidentFacts(read)
        guard let site = facts.site else { return .refused(.unknownSite) }
        do throws(IncidentObstacle) {
            let incident = try incident(facts)
            if let refusal = incident.refusal(at: instant) { return .refused(.rule(refusal)) }
            return .write(statements(incident, at: site, ordinal: ordinal))
        } catch {
            return .refused(error)
        }
    }

    private func incident(_ facts: IncidentFacts) throws(IncidentObstacle) -> Incident {
        var alarms: [LinkedAlarm] = []
        for alarm in new.alarms { alarms.append(try facts.alarm(alarm, of: id)) }
        try facts.checkArea(new.area)
        var areaOfCamera: AreaID?
        for camera in new.cameras {
            let area = try facts.area(of: camera)
            areaOfCamera = areaOfCamera ?? area
        }
        var incident = Incident(
            category: new.category, subcategory: new.subcategory,
            occurredAt: new.occurredAt ?? alarms.first?.raisedAt ?? instant,
            pattern: new.pattern ?? (new.takesPatternOfAlarm ? alarms.first?.pattern : nil),
            area: new.area ?? alarms.first?.area ?? areaOfCamera,
            operatingMode: new.operatingMode ?? alarms.first?.incidentMode ?? .production,
            cameras: Set(new.cameras), outcomes: new.outcomes)
        for alarm in alarms { incident.link(alarm) }
        var named = new.recognitions
        if named.isEmpty, let recognisedAt = new.recognisedAt {
            named = [NamedRecognition(kind: .observer, at: recognisedAt, alarm: nil)]
        }
        if !named.isEmpty { try facts.recognise(&incident, id, by: named) }
        if let recognisedAt = new.recognisedAt, !new.recognitions.isEmpty,
            recognisedAt != incident.recognisedAt
        {
            throw .earliestRecognition(incident.recognisedAt)
        }
        return incident
    }

    private func statements(_ incident: Incident, at site: SiteID, ordinal: Int32) -> [Statement] {
        let remark = new.note.map { JournalEntry.Remark(id: .v7(at: instant), text: $0) }
        let insert = Statement(
            """
            INSERT INTO incidents (site, id, category, subcategory, occurred_at, recognised_at,
                source, pattern, area, operating_mode, outcomes, created_at, note, note_hash)
            SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,
                (SELECT sha256(r.salt || convert_to(r.text, 'UTF8')) FROM remarks r
                    WHERE r.id = $13)
            """,
            parameters: [.text(site), .uuid(id)] + incident.columns
                + [.time(instant), .uuid(remark.map { PostgreSQLUUID($0.id) })])
        return (remark.map { [$0.insertion(at: site)] } ?? []) + [insert]
            + IncidentParts(site: site, id: id, instant: instant).statements(
                from: nil, to: incident)
            + JournalEntry(
                event: "incident.created", site: site, subject: id.description,
                occurredAt: instant, author: author
            ).incident(id, ordinal: ordinal)
            + IncidentParts.noteLinks(
                of: incident.alarms, by: author, at: instant, ordinal: ordinal + 1)
    }
}

extension Incident {
    /// From category to outcomes, in the order in which both statements name them.
    var columns: [Parameter] {
        [
            .text(category.rawValue), .text(subcategory?.rawValue), .time(occurredAt),
            .time(recognisedAt), .text(source.rawValue), .text(pattern?.rawValue),
            .optional(area), .text(operatingMode.rawValue), .texts(outcomes.map(\.rawValue)),
        ]
    }
}
