import ControlCentre
import PostgreSQL

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
