import ControlCentre
import PostgreSQL

/// An alarm as the database has it, locked until the transaction ends.
struct LockedAlarm {
    let id: AlarmID
    let site: SiteID
    let state: AlarmHandling
    /// As readers see it.
    let document: [UInt8]

    /// How many results `all` takes.
    static let statementCount = 2

    /// The statements that lock these alarms and read them.
    ///
    /// What is read after the lock was waited for needs a statement of its own, which sees what
    /// the one that held it has done to the shelvings. Alarms are locked in the order of their
    /// ids, so that two batches never wait for each other.
    static func statements(_ ids: Set<AlarmID>, only site: SiteID?) -> [Statement] {
        let ids = Parameter.uuids(ids.map { PostgreSQLUUID($0.uuid) })
        return [
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
                    own.id AS own_id, own.shelved_by AS own_by, own.shelved_at AS own_at,
                    own.until AS own_until, cover.id AS cover_id, cover.shelved_by AS cover_by,
                    cover.shelved_at AS cover_at, cover.until AS cover_until,
                    with_staff_names(alarm_document(a))::text AS document
                FROM alarms a
                LEFT JOIN shelvings own ON own.alarm = a.id AND own.ended_at IS NULL
                LEFT JOIN LATERAL covering_shelving(a, false) cover
                    ON a.condition = 'active' OR a.shelving IS NOT NULL
                WHERE a.id = ANY ($1) AND ($2::text IS NULL OR a.site = $2)
                """, ids, .text(site?.description)),
        ]
    }

    /// - Parameter results: of `statements`, and possibly more.
    static func all(_ results: ArraySlice<QueryResult>) throws(PostgreSQLError) -> [LockedAlarm] {
        var alarms: [LockedAlarm] = []
        for row in NamedRow.all(of: results[results.startIndex + 1]) {
            alarms.append(try LockedAlarm(row))
        }
        return alarms
    }

    private init(_ row: NamedRow) throws(PostgreSQLError) {
        id = try row.id("id")
        site = try row.site("site")
        document = try row.bytes("document")
        state = AlarmHandling(
            handling: try Handling(row),
            takenOverFrom: row.isNull("taken_over_from") ? nil : try row.actor("taken_over_from"),
            assignment: try Assignment(row), judgement: try Judgement(row),
            ownShelving: try Shelving(row, "own"), cover: try Shelving(row, "cover"))
    }
}

extension Handling {
    fileprivate init(_ row: NamedRow) throws(PostgreSQLError) {
        switch try row.value("handling", HandlingName.self) {
        case .new: self = .new
        case .acknowledged:
            self = .acknowledged(
                by: try row.actor("acknowledged_by"), at: try row.time("acknowledged_at"))
        case .closed: self = .closed(by: try row.actor("closed_by"), at: try row.time("closed_at"))
        }
    }
}

extension Assignment {
    fileprivate init?(_ row: NamedRow) throws(PostgreSQLError) {
        if row.isNull("position") { return nil }
        self.init(
            position: try row.text("position"), by: try row.actor("assigned_by"),
            at: try row.time("assigned_at"))
    }
}

extension Judgement {
    fileprivate init?(_ row: NamedRow) throws(PostgreSQLError) {
        let verdict: Verdict
        switch try row.value("verdict", VerdictName.self) {
        case .none: return nil
        case .confirmed: verdict = .confirmed
        case .dismissed: verdict = .dismissed(try row.value("dismissal_reason"))
        }
        self.init(
            verdict: verdict, by: try row.actor("judged_by"), at: try row.time("judged_at"))
    }
}

extension Shelving {
    /// - Parameter prefix: of its columns.
    fileprivate init?(_ row: NamedRow, _ prefix: String) throws(PostgreSQLError) {
        if row.isNull("\(prefix)_id") { return nil }
        self.init(
            id: try row.id("\(prefix)_id"), by: try row.actor("\(prefix)_by"),
            at: try row.time("\(prefix)_at"), until: try row.time("\(prefix)_until"))
    }
}
