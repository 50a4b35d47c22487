import ControlCentre
import PostgreSQL

/// A recognition as a client names it.
public struct NamedRecognition: Sendable, Hashable {
    public var kind: Recognition.Kind
    /// Of an alarm it is known already.
    public var at: Timestamp?
    public var alarm: AlarmID?

    public init(kind: Recognition.Kind, at: Timestamp?, alarm: AlarmID?) {
        self.kind = kind
        self.at = at
        self.alarm = alarm
    }
}

public struct NewIncident: Sendable {
    /// Nil: the site of the alarm that it begins with.
    public var site: SiteID?
    public var category: ControlCentre.Category
    public var subcategory: Subcategory?
    /// Nil: when its first alarm was raised.
    public var occurredAt: Timestamp?
    /// When an observer saw it, if no recognitions say so.
    public var recognisedAt: Timestamp?
    public var pattern: BehaviourPattern?
    /// Whether it has the pattern of its first alarm, where it names none.
    public var takesPatternOfAlarm = false
    /// Nil: of its first alarm or camera.
    public var area: AreaID?
    /// Nil: as its first alarm says, else production.
    public var operatingMode: OperatingMode?
    public var cameras: [CameraID] = []
    public var alarms: [AlarmID] = []
    public var recognitions: [NamedRecognition] = []
    public var outcomes: [IncidentOutcome] = []
    public var note: String?

    public init(category: ControlCentre.Category) { self.category = category }
}

/// What to correct of an incident; nil leaves it, and an inner nil removes the value.
public struct IncidentChange: Sendable {
    public var category: ControlCentre.Category?
    public var subcategory: Subcategory??
    public var occurredAt: Timestamp?
    public var recognisedAt: Timestamp?
    public var pattern: BehaviourPattern??
    public var area: AreaID??
    public var operatingMode: OperatingMode?
    public var cameras: [CameraID]?
    public var alarms: [AlarmID]?
    public var recognitions: [NamedRecognition]?
    public var outcomes: [IncidentOutcome]?
    public var note: String??
    /// Joins what is linked already.
    public var addedAlarm: AlarmID?

    public init() {}
}

/// Why an incident cannot be recorded as asked.
public enum IncidentObstacle: Sendable, Equatable {
    case unknownSite
    case unknownArea
    case unknownCamera(CameraID)
    case unknownAlarm(AlarmID)
    /// An alarm belongs to one incident only.
    case alarmTaken(AlarmID, by: IncidentID)
    /// The alarm was received at this instant, and at no other.
    case alarmReceivedAt(Timestamp, AlarmID)
    /// The earliest recognition is another than the time asked for.
    case earliestRecognition(Timestamp)
    case retracted
    case unknownIncident
    case rule(IncidentRefusal)
}

/// What to write of an incident, decided in its transaction from what was read there.
enum IncidentDecision {
    case write([Statement])
    case unchanged
    case stale(Int64)
    case refused(IncidentObstacle)
}

/// Whose facts an incident takes: a site, named directly or by what belongs to it.
struct IncidentSite {
    /// SQL that yields the site, of `$1`.
    let expression: String
    let parameter: Parameter

    static func named(_ site: SiteID) -> IncidentSite {
        IncidentSite(expression: "$1", parameter: .text(site))
    }

    static func of(_ incident: IncidentID) -> IncidentSite {
        IncidentSite(
            expression: "(SELECT site FROM incidents WHERE id = $1)", parameter: .uuid(incident))
    }

    static func of(_ alarm: AlarmID) -> IncidentSite {
        IncidentSite(
            expression: "(SELECT site FROM alarms WHERE id = $1)", parameter: .uuid(alarm))
    }
}

/// What an incident refers to, as the database has it.
struct IncidentFacts {
    let site: SiteID?
    private let areas: Set<AreaID>
    private let areaOfCamera: [CameraID: AreaID]
    private let alarms: [AlarmID: (alarm: LinkedAlarm, incident: IncidentID?)]

    /// How many results `init` takes.
    static let statementCount = 4

    static func statements(
        of site: IncidentSite, area: AreaID?, cameras: [CameraID], alarms: [AlarmID]
    ) -> [Statement] {
        [
            Statement("SELECT id FROM sites WHERE id = \(site.expression)", site.parameter),
            Statement(
                "SELECT id FROM areas WHERE site = \(site.expression) AND id = $2",
                site.parameter, .optional(area)),
            Statement(
                "SELECT id, area FROM cameras WHERE site = \(site.expression) AND id = ANY ($2)",
                site.parameter, .uuids(cameras.map { PostgreSQLUUID($0.uuid) })),
            Statement(
                """
                SELECT a.id, a.camera, a.area, a.pattern, a.operating_mode, a.raised_at,
                    a.received_at, l.incident
                FROM alarms a
                LEFT JOIN incident_alarms l ON l.alarm = a.id AND NOT l.released
                WHERE a.site = \(site.expression) AND a.id = ANY ($2)
                """, site.parameter, .uuids(alarms.map { PostgreSQLUUID($0.uuid) })),
        ]
    }

    init(_ results: ArraySlice<QueryResult>) throws(PostgreSQLError) {
        let first = results.startIndex
        site = results[first].rowCount == 1 ? try results[first].site(0, 0) : nil
        var areas: Set<AreaID> = []
        if results[first + 1].rowCount == 1 { areas.insert(try results[first + 1].id(0, 0)) }
        self.areas = areas
        let cameras = results[first + 2]
        var areaOfCamera: [CameraID: AreaID] = [:]
        for row in 0..<cameras.rowCount {
            areaOfCamera[try cameras.id(row, 0)] = try cameras.id(row, 1)
        }
        self.areaOfCamera = areaOfCamera
        let rows = results[first + 3]
        var alarms: [AlarmID: (alarm: LinkedAlarm, incident: IncidentID?)] = [:]
        for row in 0..<rows.rowCount {
            let alarm = LinkedAlarm(
                id: try rows.id(row, 0), camera: try rows.id(row, 1), area: try rows.id(row, 2),
                pattern: try rows.value(row, 3), operatingMode: try rows.value(row, 4),
                raisedAt: try rows.time(row, 5), receivedAt: try rows.time(row, 6))
            alarms[alarm.id] = (alarm, try rows.idIfPresent(row, 7))
        }
        self.alarms = alarms
    }

    /// - Throws: what is unknown or taken, so that callers read as if all were well.
    func alarm(_ id: AlarmID, of incident: IncidentID) throws(IncidentObstacle) -> LinkedAlarm {
        guard let (alarm, holder) = alarms[id] else { throw .unknownAlarm(id) }
        if let holder, holder != incident { throw .alarmTaken(id, by: holder) }
        return alarm
    }

    func checkArea(_ area: AreaID?) throws(IncidentObstacle) {
        if let area, !areas.contains(area) { throw .unknownArea }
    }

    func area(of camera: CameraID) throws(IncidentObstacle) -> AreaID {
        guard let area = areaOfCamera[camera] else { throw .unknownCamera(camera) }
        return area
    }

    /// Links alarms and takes recognitions over, each of them checked.
    func recognise(
        _ incident: inout Incident, _ id: IncidentID, by named: [NamedRecognition]
    ) throws(IncidentObstacle) {
        var people: [Recognition] = []
        for recognition in named {
            switch (recognition.kind, recognition.at, recognition.alarm) {
            case (.alarm, let instant, let alarm?):
                let linked = try self.alarm(alarm, of: id)
                if let instant, instant != linked.receivedAt {
                    throw .alarmReceivedAt(linked.receivedAt, alarm)
                }
                incident.link(linked)
            case (.observer, let instant?, _): people.append(.observer(at: instant))
            case (.call, let instant?, _): people.append(.call(at: instant))
            default: preconditionFailure("a recognition lacks its alarm or its time")
            }
        }
        incident.replaceRecognitions(with: people)
    }
}

extension IncidentObstacle: Error {}

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
    }
}

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
    }
}

extension Incident {
    /// From category to outcomes, in the order in which both statements name them.
    fileprivate var columns: [Parameter] {
        [
            .text(category.rawValue), .text(subcategory?.rawValue), .time(occurredAt),
            .time(recognisedAt), .text(source.rawValue), .text(pattern?.rawValue),
            .optional(area), .text(operatingMode.rawValue), .texts(outcomes.map(\.rawValue)),
        ]
    }
}

extension JournalEntry {
    /// The statements that record it with the incident's document.
    func incident(_ id: IncidentID, ordinal: Int32 = 1) -> [Statement] {
        statements(
            ordinal: ordinal, document: "incident_document(t)",
            from: "incidents t WHERE t.id = $1", [.uuid(id)])
    }
}

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
}
