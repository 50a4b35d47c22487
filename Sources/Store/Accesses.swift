import ControlCentre
import PostgreSQL

/// What the access log records the reading of, each in a name of its own.
public enum AccessAction: String, Sendable, CaseIterable {
    case alarmRead = "alarm.read"
    case incidentRead = "incident.read"
    case interventionRead = "intervention.read"
    case holdRead = "hold.read"
    /// Of a camera's live address.
    case liveAddressRead = "live-address.read"
    /// Of what a shift takes over; the subject is the site.
    case handoverRead = "handover.read"
    /// Of a metric's figures; the subject is the metric, of the list of metrics the site.
    case statisticsRead = "statistics.read"
    /// Of a frozen report's figures; of the list of reports and of a key the subject is the site.
    case reportRead = "report.read"

    /// Of what the journal tells: of all that happened to one thing if it was asked for that, else
    /// the subject is the site.
    case journalRead = "journal.read"

    /// Where what is read is kept; nil: it is no single thing.
    fileprivate var table: String? {
        switch self {
        case .alarmRead: "alarms"
        case .incidentRead: "incidents"
        case .interventionRead: "interventions"
        case .holdRead: "evidence_holds"
        case .liveAddressRead: "cameras"
        case .handoverRead, .statisticsRead, .reportRead, .journalRead: nil
        }
    }
}

/// The reading of one thing by somebody, with the reason they gave for it.
public struct Access: Sendable {
    public let action: AccessAction
    public let subject: UUID
    /// The site that the reader is bound to; what is elsewhere is unknown.
    public let site: SiteID?
    public let reader: Author
    /// Given with this request; nil leaves it to the reader's shift.
    public let reason: String?
    public let instant: Timestamp

    public init(
        _ action: AccessAction, _ subject: some UUIDIdentifier, only site: SiteID?,
        by reader: Author, reason: String?, at instant: Timestamp
    ) {
        self.action = action
        self.subject = subject.uuid
        self.site = site
        self.reader = reader
        self.reason = reason
        self.instant = instant
    }
}

/// What a site demands of whoever reads a single alarm, incident, hold or live address.
public enum AccessReason: String, Sendable, CaseIterable {
    /// Each reading is logged, without a reason.
    case none
    /// Each request gives its reason.
    case request
    /// A shift that is running has given one; a request may give its own.
    case shift
}

public enum AccessOutcome: Sendable {
    case logged
    /// There is no such thing, or not for this reader.
    case unknown
    /// The site demands a reason, and none was given.
    case withoutReason(AccessReason)
}

/// Which accesses a list shows; nil does not filter.
public struct AccessFilter: Sendable {
    public var site: SiteID?
    public var actions: [AccessAction]?
    /// An id, or a metric.
    public var subject: String?
    public var actor: TokenID?
    public var roles: [Role]?
    /// Half-open, by `accessed_at`.
    public var from: Timestamp?
    public var to: Timestamp?

    public init() {}
}

extension Database {
    // Rows of the access log have no position: a reading changes nothing that a later reader could
    // ask for.

    /// Records that somebody is about to read something; whoever cannot be recorded reads nothing.
    public func log(_ access: Access) async throws(StoreError) -> AccessOutcome {
        try await log([access])[0]
    }

    /// Records several readings of one request, each with an outcome of its own.
    public func log(_ accesses: [Access]) async throws(StoreError) -> [AccessOutcome] {
        let logging = accesses.map { access in
            guard let table = access.action.table else {
                preconditionFailure("\(access.action) is logged by site")
            }
            return Statement(
                """
                SELECT log_access(t.site, $3, $4, $1::uuid::text, '{}', $5, $6, $7, $8, $9)
                FROM \(table) t
                WHERE t.id = $1 AND ($2::text IS NULL OR t.site = $2)
                """,
                .uuid(PostgreSQLUUID(access.subject)), .text(access.site?.description),
                .uuid(PostgreSQLUUID(.v7(at: access.instant))), .text(access.action.rawValue),
                .uuid(access.reader.token), .text(access.reader.role.rawValue),
                .text(access.reason), .text(access.reader.requestID), .time(access.instant))
        }
        do throws(PostgreSQLError) {
            return try await transact(logging).map { (row) throws(PostgreSQLError) in
                try AccessOutcome(row)
            }
        } catch {
            throw StoreError(error)
        }
    }

    /// Records that somebody is about to read what a site's shift takes over, and which holds that
    /// shows: their holders and case numbers are of persons.
    public func logHandover(
        of site: SiteID, showing holds: [HoldID], by reader: Author, reason: String?,
        at instant: Timestamp
    ) async throws(StoreError) -> AccessOutcome {
        let logging = Statement(
            """
            SELECT log_access(t.id, $2, $3, t.id, $4, $5, $6, $7, $8, $9)
            FROM sites t WHERE t.id = $1
            """,
            .text(site), .uuid(PostgreSQLUUID(.v7(at: instant))),
            .text(AccessAction.handoverRead.rawValue),
            .uuids(holds.map { PostgreSQLUUID($0.uuid) }), .uuid(reader.token),
            .text(reader.role.rawValue), .text(reason), .text(reader.requestID), .time(instant))
        do throws(PostgreSQLError) {
            return try AccessOutcome(try await transact([logging])[0])
        } catch {
            throw StoreError(error)
        }
    }

    /// Records that somebody is about to read figures of a site, or of all, or what there is of them.
    /// No site wants a reason for it: there is nobody in them.
    ///
    /// - Parameter metric: nil: of no single one.
    /// - Returns: whether there is such a site.
    @discardableResult
    public func logReading(
        _ action: AccessAction, of metric: Metric? = nil, at site: SiteID?, by reader: Author,
        at instant: Timestamp
    ) async throws(StoreError) -> Bool {
        let log = Statement(
            """
            INSERT INTO accesses
                (site, id, accessed_at, action, subject, actor, role, request_id)
            SELECT s.id, $2, $3, $4, coalesce($5, s.id), $6, $7, $8 FROM sites s
            WHERE $1::text IS NULL OR s.id = $1
            """,
            .text(site?.description), .uuid(PostgreSQLUUID(.v7(at: instant))), .time(instant),
            .text(action.rawValue), .text(metric?.rawValue), .uuid(reader.token),
            .text(reader.role.rawValue), .text(reader.requestID))
        do throws(PostgreSQLError) {
            return try await transact([log])[0].affectedRows > 0
        } catch {
            throw StoreError(error)
        }
    }

    public func accesses(_ filter: AccessFilter, _ request: PageRequest)
        async throws(StoreError) -> Page
    {
        var query = Query()
        query.filter("t.site", filter.site.map { .text($0) })
        query.filter("t.action", anyOf: filter.actions)
        var (table, document) = ("accesses", "access_document(t)")
        if let subject = filter.subject {
            let isSubject = "subject = \(query.bind(.text(subject)))"
            if let id = UUID(subject) {
                // Handovers and pages of the journal are of a site, and show single things too.
                let place = query.bind(.uuid(PostgreSQLUUID(id)))
                table = """
                    (SELECT * FROM accesses WHERE \(isSubject) UNION ALL
                    SELECT * FROM accesses_that_showed(\(place)))
                    """
                document = "access_document(ROW(t.*)::accesses)"
            } else {
                query.filter("t.\(isSubject)")
            }
        }
        query.filter("t.actor", filter.actor.map { .uuid($0) })
        query.filter("t.role", anyOf: filter.roles)
        query.filter("t.accessed_at", from: filter.from, to: filter.to)
        let statement = query.page(
            request, of: table, document: document, time: "t.accessed_at",
            id: "t.id", idType: "uuid")
        let results = try await search([statement])
        do throws(PostgreSQLError) {
            return try Page(results[0], request)
        } catch {
            throw StoreError(error)
        }
    }

    /// Deletes the accesses that are older than their site keeps them.
    ///
    /// - Returns: how many were deleted.
    @discardableResult
    public func expireAccesses() async throws(StoreError) -> Int64 {
        let results = try await work([Statement("SELECT expire_accesses()")])
        do throws(PostgreSQLError) {
            let count = try results[0].int64(0, 0)
            if count > 0 { announceCommit() }
            return count
        } catch {
            throw StoreError(error)
        }
    }
}

extension AccessOutcome {
    /// Reads what `log_access` says, or that there was nothing to call it for.
    fileprivate init(_ row: QueryResult) throws(PostgreSQLError) {
        if row.rowCount == 0 {
            self = .unknown
        } else if row.isNull(0, 0) {
            self = .logged
        } else {
            self = .withoutReason(try row.value(0, 0))
        }
    }
}
