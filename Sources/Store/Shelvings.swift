import ControlCentre
import PostgreSQL

/// A shelving that is about to begin.
public struct NewShelving: Sendable {
    public let id: ShelvingID
    public let site: SiteID
    public let scope: Scope
    /// The remark that holds what a person wrote.
    let reason: UUID
    public let until: Timestamp

    /// What is put aside.
    public enum Scope: Sendable {
        case alarm(AlarmID)
        /// All alarms of a camera, a pattern, or of both together; at least one is given.
        case all(camera: CameraID?, pattern: BehaviourPattern?)
    }
}

/// Which shelvings a list shows; nil does not filter.
public struct ShelvingFilter: Sendable {
    public var site: SiteID?
    public var alarm: AlarmID?
    public var camera: CameraID?
    public var patterns: [BehaviourPattern]?
    /// Whether it has not ended yet.
    public var isRunning: Bool?
    /// Half-open, by `shelved_at`.
    public var from: Timestamp?
    public var to: Timestamp?

    public init() {}
}

public enum ShelveOutcome: Sendable {
    case shelved([UInt8])
    case unknownSite
    /// The site has no such camera.
    case unknownCamera
}

extension Database {
    /// Puts all alarms of a camera, a pattern or both aside: those that are active now, and those
    /// that are raised before it ends.
    ///
    /// - Parameters:
    ///   - reason: what a person wrote.
    ///   - until: at most ``Shelving/durationMax`` after `instant`.
    public func shelve(
        _ id: ShelvingID, camera: CameraID?, pattern: BehaviourPattern?, at site: SiteID,
        until: Timestamp, reason: String, by author: Author, on instant: Timestamp
    ) async throws(StoreError) -> ShelveOutcome {
        let remark = UUID.v7(at: instant)
        let shelving = NewShelving(
            id: id, site: site, scope: .all(camera: camera, pattern: pattern), reason: remark,
            until: until)
        // Whoever raises an alarm holds its key's row until the alarm is visible, and asks for
        // shelvings only then: either we see the alarm here, or its raise sees the shelving.
        let lock = Statement(
            """
            SELECT FROM correlation
            WHERE site = $1 AND ($2::uuid IS NULL OR camera = $2)
                AND ($3::text IS NULL OR pattern = $3)
            ORDER BY site, camera, pattern, operating_mode, model FOR UPDATE
            """, .text(site), .optional(camera), .text(pattern?.rawValue))
        let entry = Statement(
            "INSERT INTO remarks VALUES ($1, $2, uuid_send(gen_random_uuid()), $3)",
            .uuid(PostgreSQLUUID(remark)), .text(site), .text(reason))
        do throws(PostgreSQLError) {
            let results = try await retryingConflicts { () throws(PostgreSQLError) in
                try await commit(
                    [lock, entry] + shelving.statements(by: author, at: instant, ordinal: 1) + [
                        Statement(
                            "SELECT shelve_covered_alarms(currval('changes'), 2, $1, $2, $3, $4)",
                            .uuid(id), .uuid(author.token), .text(author.role.rawValue),
                            .text(author.requestID)),
                        Self.shelving(id, only: nil),
                    ])
            }
            return .shelved(try results[results.count - 1].bytes(0, 0))
        } catch .server(let server) where server.constraint == "shelvings_site_fkey" {
            return .unknownSite
        } catch .server(let server) where server.constraint == "shelvings_site_camera_fkey" {
            return .unknownCamera
        } catch {
            throw StoreError(error)
        }
    }

    /// Ends a shelving before its time, and rings what then has to ring. One that has ended stays
    /// as it is.
    ///
    /// - Returns: the shelving, or nil when the caller may not know it.
    public func endShelving(
        _ id: ShelvingID, only site: SiteID?, by author: Author, at instant: Timestamp
    ) async throws(StoreError) -> [UInt8]? {
        // A step holds its alarm while it ends the alarm's shelving, so the alarms come first.
        let alarms = Statement(
            """
            SELECT FROM alarms
            WHERE shelving = $1 AND ($2::text IS NULL OR site = $2) ORDER BY id FOR UPDATE
            """, .uuid(id), .text(site?.description))
        let lock = Statement(
            """
            SELECT site FROM shelvings
            WHERE id = $1 AND ($2::text IS NULL OR site = $2) AND ended_at IS NULL FOR UPDATE
            """, .uuid(id), .text(site?.description))
        do throws(PostgreSQLError) {
            _ = try await retryingConflicts { () throws(PostgreSQLError) in
                try await commit(reading: [alarms, lock]) { (read) throws(PostgreSQLError) in
                    guard read[1].rowCount == 1 else { return nil }
                    return NewShelving.end(
                        id, of: try read[1].site(0, 0), by: author, at: instant, ordinal: 1) + [
                            Statement(
                                """
                                SELECT release_shelved_alarms(
                                    $1, currval('changes'), 2, $2, $3, $4, $5)
                                """,
                                .uuid(id), .time(instant), .uuid(author.token),
                                .text(author.role.rawValue), .text(author.requestID))
                        ]
                }
            }
        } catch {
            throw StoreError(error)
        }
        return try await shelving(id, only: site)
    }

    /// - Parameter site: the site that the reader is bound to; a shelving elsewhere is unknown.
    public func shelving(_ id: ShelvingID, only site: SiteID?) async throws(StoreError)
        -> [UInt8]?
    {
        let results = try await read([Self.shelving(id, only: site)])
        do throws(PostgreSQLError) {
            return results[0].rowCount == 1 ? try results[0].bytes(0, 0) : nil
        } catch {
            throw StoreError(error)
        }
    }

    public func shelvings(_ filter: ShelvingFilter, _ request: PageRequest)
        async throws(StoreError) -> Page
    {
        var query = Query()
        query.filter("t.site", filter.site.map { .text($0) })
        query.filter("t.alarm", filter.alarm.map { .uuid($0) })
        query.filter("t.camera", filter.camera.map { .uuid($0) })
        query.filter("t.pattern", anyOf: filter.patterns)
        if let isRunning = filter.isRunning {
            query.filter("t.ended_at IS \(isRunning ? "NULL" : "NOT NULL")")
        }
        query.filter("t.shelved_at", from: filter.from, to: filter.to)
        let statement = query.page(
            request, of: "shelvings", document: Self.shelvingDocument, time: "t.shelved_at",
            id: "t.id", idType: "uuid")
        let results = try await read([statement])
        do throws(PostgreSQLError) {
            return try Page(results[0], request)
        } catch {
            throw StoreError(error)
        }
    }

    /// Ends the shelvings whose time has run out, and rings what then has to ring.
    ///
    /// - Returns: whether anything was journaled.
    public func endDueShelvings() async throws(StoreError) -> Bool {
        let results = try await work([Statement("SELECT end_due_shelvings()")])
        do throws(PostgreSQLError) {
            let changed = try results[0].int64(0, 0) > 0
            if changed { announceCommit() }
            return changed
        } catch {
            throw StoreError(error)
        }
    }

    /// As readers see it; `t` is the row.
    private static let shelvingDocument = "with_remarks(with_staff_names(shelving_document(t)))"

    private static func shelving(_ id: ShelvingID, only site: SiteID?) -> Statement {
        Statement(
            """
            SELECT \(shelvingDocument)::text FROM shelvings t
            WHERE t.id = $1 AND ($2::text IS NULL OR t.site = $2)
            """, .uuid(id), .text(site?.description))
    }
}

extension NewShelving {
    /// What begins it and journals that; its remark is stored before.
    func statements(by author: Author, at instant: Timestamp, ordinal: Int32) -> [Statement] {
        var (alarm, camera, pattern): (AlarmID?, CameraID?, BehaviourPattern?)
        switch scope {
        case .alarm(let id): alarm = id
        case .all(let ofCamera, let ofPattern): (camera, pattern) = (ofCamera, ofPattern)
        }
        let insert = Statement(
            """
            INSERT INTO shelvings (site, id, alarm, camera, pattern, remark, shelved_by,
                shelved_at, until)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
            """,
            .text(site), .uuid(id), .optional(alarm), .optional(camera),
            .text(pattern?.rawValue), .uuid(PostgreSQLUUID(reason)), .uuid(author.token),
            .time(instant), .time(until))
        return [insert]
            + Self.journal(
                "shelving.created", id, of: site, by: author, at: instant,
                remark: JournalEntry.Remark(id: reason, text: nil), ordinal: ordinal)
    }

    /// What ends a shelving before its time and journals that; its alarms are released apart.
    static func end(
        _ id: ShelvingID, of site: SiteID, by author: Author, at instant: Timestamp,
        ordinal: Int32
    ) -> [Statement] {
        [
            Statement(
                "UPDATE shelvings SET ended_at = $3, ended_by = $4 WHERE site = $1 AND id = $2",
                .text(site), .uuid(id), .time(instant), .uuid(author.token))
        ] + journal("shelving.ended", id, of: site, by: author, at: instant, ordinal: ordinal)
    }

    private static func journal(
        _ event: String, _ id: ShelvingID, of site: SiteID, by author: Author,
        at instant: Timestamp, remark: JournalEntry.Remark? = nil, ordinal: Int32
    ) -> [Statement] {
        JournalEntry(
            event: event, site: site, subject: id.description, occurredAt: instant,
            author: author, remark: remark
        ).statements(
            ordinal: ordinal, document: "shelving_document(t)",
            from: "shelvings t WHERE t.id = $1", [.uuid(id)])
    }
}
