import ControlCentre
import PostgreSQL

public struct NewHold: Sendable {
    public var camera: CameraID
    /// Half-open: what the camera saw from then on.
    public var from: Timestamp
    public var to: Timestamp
    public var ground: String
    public var caseNumber: String?
    public var holder: String?
    public var reviewAt: Timestamp?
    public var incident: IncidentID?

    public init(camera: CameraID, from: Timestamp, to: Timestamp, ground: String) {
        self.camera = camera
        self.from = from
        self.to = to
        self.ground = ground
    }
}

/// Which holds a list shows; nil does not filter.
public struct HoldFilter: Sendable {
    public var site: SiteID?
    public var camera: CameraID?
    public var ground: String?
    public var caseNumber: String?
    public var released: Bool?
    /// Whether the review date of a running hold has passed.
    public var due: Bool?
    /// Half-open; shows what holds anything of it.
    public var from: Timestamp?
    public var to: Timestamp?

    public init() {}
}

public enum HoldCreateOutcome: Sendable {
    case created(Stored)
    /// No such camera, or one that the caller may not see.
    case unknownCamera
    case unknownIncident
    /// The site's own grounds.
    case groundNotPermitted([String])
}

public enum HoldChangeOutcome: Sendable {
    case changed(Stored)
    /// The hold, which was as it was wanted already.
    case unchanged(Stored)
    case unknown
    case stale(Int64)
    case alreadyReleased(current: [UInt8])
}

public enum HoldReleaseOutcome: Sendable {
    /// The hold afterwards: released, or where the site wants four eyes, asked to be.
    case done([UInt8])
    case unknown
    case alreadyReleased(current: [UInt8])
    /// Whoever made the hold or asked for its release cannot be the one who releases it.
    case needsAnother(current: [UInt8])
}

extension Database {
    static let holdDocument = "with_remarks(with_staff_names(evidence_hold_document(t)))"

    public func holds(_ filter: HoldFilter, _ request: PageRequest) async throws(StoreError)
        -> Page
    {
        var query = Query()
        query.filter("t.site", filter.site.map { .text($0) })
        query.filter("t.camera", filter.camera.map { .uuid($0) })
        if let ground = filter.ground {
            let place = query.bind(.text(ground))
            query.filter(
                "(t.ground = \(place) OR t.free_ground = ANY (\(Self.remarks(withText: place))))")
        }
        if let number = filter.caseNumber {
            let remarks = Self.remarks(withText: query.bind(.text(number)))
            query.filter("t.case_number = ANY (\(remarks))")
        }
        if let released = filter.released {
            query.filter("t.released_at IS \(released ? "NOT NULL" : "NULL")")
        }
        if let due = filter.due {
            let isDue = "t.released_at IS NULL AND t.review_at <= now()"
            query.filter(due ? isDue : "(\(isDue)) IS NOT TRUE")
        }
        if let from = filter.from { query.filter("t.ends_at > \(query.bind(.time(from)))") }
        if let to = filter.to { query.filter("t.starts_at < \(query.bind(.time(to)))") }
        let statement = query.page(
            request, of: "evidence_holds", document: Self.holdDocument, time: "t.created_at",
            id: "t.id", idType: "uuid")
        let results = try await read([statement])
        do throws(PostgreSQLError) {
            return try Page(results[0], request)
        } catch {
            throw StoreError(error)
        }
    }

    private static func remarks(withText place: String) -> String {
        "ARRAY(SELECT r.id FROM remarks r WHERE r.text = \(place))"
    }

    /// - Parameter site: the site that the reader is bound to; a hold elsewhere is unknown.
    public func hold(_ id: HoldID, only site: SiteID?) async throws(StoreError) -> Stored? {
        let results = try await read([Self.hold(id, only: site)])
        do throws(PostgreSQLError) {
            return try Self.hold(results[0])
        } catch {
            throw StoreError(error)
        }
    }

    /// What a hold keeps, newest first, whether the detections themselves are still there or not;
    /// nil when the reader may not know the hold.
    public func heldDetections(by id: HoldID, only site: SiteID?, _ request: PageRequest)
        async throws(StoreError) -> Page?
    {
        guard try await hold(id, only: site) != nil else { return nil }
        var query = Query()
        let hold = "FROM evidence_holds WHERE id = \(query.bind(.uuid(id)))"
        // Each bound by itself, so that the index by camera and time serves the page.
        query.filter("t.camera = (SELECT camera \(hold))")
        query.filter("t.occurred_at >= (SELECT starts_at \(hold))")
        query.filter("t.occurred_at < (SELECT ends_at \(hold))")
        query.filter("t.pattern = coalesce((SELECT pattern \(hold)), t.pattern)")
        let statement = query.page(
            request, of: "held_detections",
            document: "detection_document(ROW(t.*)::detections)",
            time: "t.occurred_at", id: "t.id", idType: "uuid")
        do throws(PostgreSQLError) {
            // Whoever made it may still be copying.
            try await finishHolds("ARRAY[$1::uuid]", .uuid(id))
        } catch {
            throw StoreError(error)
        }
        let results = try await read([statement])
        do throws(PostgreSQLError) {
            return try Page(results[0], request)
        } catch {
            throw StoreError(error)
        }
    }

    /// Makes a hold and copies what it covers. Once it is committed, what arrives is copied at once
    /// and nothing that it covers can be deleted; when this returns, all is copied.
    ///
    /// - Parameter site: the site that the caller is bound to.
    public func createHold(
        _ hold: NewHold, only site: SiteID?, by author: Author, at instant: Timestamp
    ) async throws(StoreError) -> HoldCreateOutcome {
        let id = HoldID.make(at: instant)
        do throws(PostgreSQLError) {
            let outcome = try await insert(hold, as: id, only: site, by: author, at: instant)
            if case .created = outcome { try await finishHolds("ARRAY[$1::uuid]", .uuid(id)) }
            return outcome
        } catch {
            if case .server(let server) = error,
                server.constraint == "evidence_holds_site_incident_fkey"
            {
                return .unknownIncident
            }
            throw StoreError(error)
        }
    }

    private func insert(
        _ hold: NewHold, as id: HoldID, only site: SiteID?, by author: Author,
        at instant: Timestamp
    ) async throws(PostgreSQLError) -> HoldCreateOutcome {
        let camera = Statement(
            """
            SELECT c.site, s.hold_grounds = '{}', $2 = ANY (s.hold_grounds),
                array_to_string(s.hold_grounds, E'\\n')
            FROM cameras c JOIN sites s ON s.id = c.site
            WHERE c.id = $1 AND ($3::text IS NULL OR c.site = $3)
            """, .uuid(hold.camera), .text(hold.ground), .text(site?.description))
        var refusal = HoldCreateOutcome.unknownCamera
        let results = try await commit(reading: [camera]) { (read) throws(PostgreSQLError) in
            guard read[0].rowCount == 1 else { return nil }
            let isFree = try read[0].bool(0, 1)
            let isListed = try read[0].bool(0, 2)
            guard isFree || isListed else {
                refusal = .groundNotPermitted(
                    try read[0].text(0, 3).split(separator: "\n").map(String.init))
                return nil
            }
            let holdSite = try read[0].site(0, 0)
            return Self.insertion(
                of: hold, as: id, at: holdSite, groundIsFree: isFree, by: author, instant)
                + journal("hold.created", id, at: holdSite, by: author, instant)
                + [Self.hold(id, only: nil)]
        }
        guard let last = results?.last, let stored = try Self.hold(last) else { return refusal }
        return .created(stored)
    }

    /// - Parameter groundIsFree: whether its site has no list of grounds: then it is a person's text.
    private static func insertion(
        of hold: NewHold, as id: HoldID, at site: SiteID, groundIsFree: Bool, by author: Author,
        _ instant: Timestamp
    ) -> [Statement] {
        func remark(_ text: String?) -> JournalEntry.Remark? {
            text.map { JournalEntry.Remark(id: .v7(at: instant), text: $0) }
        }
        let freeGround = groundIsFree ? remark(hold.ground) : nil
        let caseNumber = remark(hold.caseNumber)
        let holder = remark(hold.holder)
        let insert = Statement(
            """
            INSERT INTO evidence_holds (site, id, camera, starts_at, ends_at, ground, free_ground,
                case_number, holder, review_at, incident, created_at, created_by)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
            """,
            .text(site), .uuid(id), .uuid(hold.camera), .time(hold.from), .time(hold.to),
            .text(groundIsFree ? nil : hold.ground),
            .uuid(freeGround.map { PostgreSQLUUID($0.id) }),
            .uuid(caseNumber.map { PostgreSQLUUID($0.id) }),
            .uuid(holder.map { PostgreSQLUUID($0.id) }), .time(hold.reviewAt),
            .optional(hold.incident), .time(instant), .uuid(author.token))
        return [freeGround, caseNumber, holder].compactMap { $0?.insertion(at: site) } + [insert]
    }

    /// Copies what holds cover until nothing is left to copy, in many short transactions.
    ///
    /// - Parameter holds: an SQL expression of their ids.
    func finishHolds(_ holds: String, _ parameter: Parameter) async throws(PostgreSQLError) {
        let copy = Statement("SELECT copy_held_detections(\(holds))", parameter)
        var isMore = true
        while isMore {
            // Two that copy the same may each have what the other one wants next.
            isMore = try await retryingConflicts { () throws(PostgreSQLError) in
                try await transact([copy])[0].bool(0, 0)
            }
        }
    }

    /// Sets another date for a hold's review, or none.
    public func changeHold(
        _ id: HoldID, only site: SiteID?, if precondition: Precondition, reviewAt: Timestamp?,
        by author: Author, at instant: Timestamp
    ) async throws(StoreError) -> HoldChangeOutcome {
        var refusal: HoldChangeOutcome?
        do throws(PostgreSQLError) {
            let results = try await commit(reading: [Self.lock(id, only: site)]) {
                (read) throws(PostgreSQLError) in
                guard read[0].rowCount == 1 else {
                    refusal = .unknown
                    return nil
                }
                let revision = try read[0].int64(0, 1)
                guard precondition.holds(for: revision) else {
                    refusal = .stale(revision)
                    return nil
                }
                guard !(try read[0].bool(0, 2)) else {
                    refusal = .alreadyReleased(current: try read[0].bytes(0, 6))
                    return nil
                }
                // The same date again changes nothing.
                if try read[0].timeIfPresent(0, 7) == reviewAt { return nil }
                let update = Statement(
                    """
                    UPDATE evidence_holds SET review_at = $2, revision = revision + 1
                    WHERE id = $1
                    """, .uuid(id), .time(reviewAt))
                return [update]
                    + journal(
                        "hold.changed", id, at: try read[0].site(0, 0), by: author, instant)
                    + [Self.hold(id, only: nil)]
            }
            if let last = results?.last, let stored = try Self.hold(last) {
                return .changed(stored)
            }
        } catch {
            throw StoreError(error)
        }
        if let refusal { return refusal }
        guard let stored = try await hold(id, only: site) else { return .unknown }
        return .unchanged(stored)
    }

    /// Releases a hold, or where its site wants four eyes, asks for it or confirms what another
    /// asked for.
    public func releaseHold(
        _ id: HoldID, only site: SiteID?, reason: String, by author: Author, at instant: Timestamp
    ) async throws(StoreError) -> HoldReleaseOutcome {
        var outcome = HoldReleaseOutcome.unknown
        do throws(PostgreSQLError) {
            let results = try await commit(reading: [Self.lock(id, only: site)]) {
                (read) throws(PostgreSQLError) in
                guard read[0].rowCount == 1 else { return nil }
                let current = try read[0].bytes(0, 6)
                guard !(try read[0].bool(0, 2)) else {
                    outcome = .alreadyReleased(current: current)
                    return nil
                }
                let maker: TokenID = try read[0].id(0, 4)
                let requester: TokenID? = try read[0].idIfPresent(0, 5)
                let isRequest = try read[0].bool(0, 3) && requester == nil
                if try read[0].bool(0, 3), !isRequest,
                    author.token == maker || author.token == requester
                {
                    outcome = .needsAnother(current: current)
                    return nil
                }
                let prefix = isRequest ? "release_requested" : "released"
                let update = Statement(
                    """
                    UPDATE evidence_holds
                    SET \(prefix)_at = $2, \(prefix)_by = $3, revision = revision + 1
                    WHERE id = $1
                    """, .uuid(id), .time(instant), .uuid(author.token))
                return [update]
                    + journal(
                        isRequest ? "hold.release-requested" : "hold.released", id,
                        at: try read[0].site(0, 0), by: author, instant,
                        remark: JournalEntry.Remark(id: .v7(at: instant), text: reason))
                    + [Self.hold(id, only: nil)]
            }
            if let last = results?.last, let stored = try Self.hold(last) {
                return .done(stored.document)
            }
            return outcome
        } catch {
            throw StoreError(error)
        }
    }

    private func journal(
        _ event: String, _ id: HoldID, at site: SiteID, by author: Author, _ instant: Timestamp,
        remark: JournalEntry.Remark? = nil
    ) -> [Statement] {
        JournalEntry(
            event: event, site: site, subject: id.description, occurredAt: instant,
            author: author, remark: remark
        ).statements(
            ordinal: 1, document: "evidence_hold_document(t)",
            from: "evidence_holds t WHERE t.id = $1", [.uuid(id)])
    }

    private static func lock(_ id: HoldID, only site: SiteID?) -> Statement {
        Statement(
            """
            SELECT t.site, t.revision, t.released_at IS NOT NULL,
                (SELECT s.four_eyes_release FROM sites s WHERE s.id = t.site),
                t.created_by, t.release_requested_by, \(holdDocument)::text, t.review_at
            FROM evidence_holds t
            WHERE t.id = $1 AND ($2::text IS NULL OR t.site = $2) FOR UPDATE OF t
            """, .uuid(id), .text(site?.description))
    }

    private static func hold(_ id: HoldID, only site: SiteID?) -> Statement {
        Statement(
            """
            SELECT \(holdDocument)::text, t.revision FROM evidence_holds t
            WHERE t.id = $1 AND ($2::text IS NULL OR t.site = $2)
            """, .uuid(id), .text(site?.description))
    }

    private static func hold(_ result: QueryResult) throws(PostgreSQLError) -> Stored? {
        guard result.rowCount == 1 else { return nil }
        return Stored(document: try result.bytes(0, 0), revision: try result.int64(0, 1))
    }
}
