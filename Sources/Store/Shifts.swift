import ControlCentre
import PostgreSQL

/// A stretch of work for which one reason covers all readings.
public struct NewShift: Sendable {
    public var site: SiteID
    public var position: String?
    public var reason: String
    public var until: Timestamp

    public init(site: SiteID, position: String?, reason: String, until: Timestamp) {
        self.site = site
        self.position = position
        self.reason = reason
        self.until = until
    }
}

public enum ShiftStartOutcome: Sendable {
    case started([UInt8])
    case unknownSite
    /// The site has no observer position of this name.
    case unknownPosition
    /// Whoever bears the token has one already; this is it.
    case running([UInt8])
}

public enum ShiftEndOutcome: Sendable {
    /// The shift, which has ended now or had ended before.
    case ended([UInt8])
    case unknown
    /// Another's shift, which only a shift supervisor ends.
    case othersShift
}

extension Database {
    /// What readers see: the document that the journal keeps, with the reason.
    private static let shiftColumns = """
        (shift_document(t)::jsonb || jsonb_build_object(
            'name', (SELECT name FROM tokens WHERE tokens.id = t.actor),
            'reason', (SELECT text FROM remarks WHERE remarks.id = t.remark)))
        """

    /// Starts a shift; each person has one at a time, and one whose time is up has ended.
    public func startShift(_ shift: NewShift, by author: Author, at instant: Timestamp)
        async throws(StoreError) -> ShiftStartOutcome
    {
        let id = ShiftID.make(at: instant)
        let remark = JournalEntry.Remark(id: .v7(at: instant), text: shift.reason)
        let entry = JournalEntry(
            event: "shift.started", site: shift.site, subject: id.description,
            occurredAt: instant, author: author, remark: remark
        ).statements(
            ordinal: 1, document: "shift_document(t)", from: "shifts t WHERE t.id = $1",
            [.uuid(id)])
        // The text comes first, as the shift refers to it, and the journal's row last.
        let statements =
            [
                Statement(
                    """
                    UPDATE shifts SET ended_at = until
                    WHERE actor = $1 AND ended_at IS NULL AND until <= $2
                    """, .uuid(author.token), .time(instant)), entry[0],
                Statement(
                    """
                    INSERT INTO shifts (site, id, actor, position, remark, started_at, until)
                    VALUES ($1, $2, $3, $4, $5, $6, $7)
                    """,
                    .text(shift.site), .uuid(id), .uuid(author.token), .text(shift.position),
                    .uuid(PostgreSQLUUID(remark.id)), .time(instant), .time(shift.until)),
            ] + entry.dropFirst()
            + [
                Statement(
                    "SELECT \(Self.shiftColumns)::text FROM shifts t WHERE t.id = $1", .uuid(id))
            ]
        let places = Statement(
            """
            SELECT EXISTS (SELECT FROM sites WHERE id = $1), $2::text IS NULL OR EXISTS (
                SELECT FROM observer_positions WHERE site = $1 AND name = $2)
            """, .text(shift.site), .text(shift.position))
        var refusal: ShiftStartOutcome?
        do throws(PostgreSQLError) {
            let results = try await commit(reading: [places]) { (read) throws(PostgreSQLError) in
                if try !read[0].bool(0, 0) {
                    refusal = .unknownSite
                } else if try !read[0].bool(0, 1) {
                    refusal = .unknownPosition
                }
                return refusal == nil ? statements : nil
            }
            guard let document = results?.last else { return refusal ?? .unknownSite }
            return .started(try document.bytes(0, 0))
        } catch {
            guard case .server(let server) = error, server.constraint == "shifts_one_running",
                let running = try await runningShift(of: author.token)
            else { throw StoreError(error) }
            return .running(running)
        }
    }

    private func runningShift(of token: TokenID) async throws(StoreError) -> [UInt8]? {
        let results = try await read([
            Statement(
                """
                SELECT \(Self.shiftColumns)::text FROM shifts t
                WHERE t.actor = $1 AND t.ended_at IS NULL
                """, .uuid(token))
        ])
        do throws(PostgreSQLError) {
            return results[0].rowCount == 1 ? try results[0].bytes(0, 0) : nil
        } catch {
            throw StoreError(error)
        }
    }

    /// Ends a shift before its time; one that has ended stays as it is.
    public func endShift(
        _ id: ShiftID, only site: SiteID?, by author: Author, at instant: Timestamp
    ) async throws(StoreError) -> ShiftEndOutcome {
        let lock = Statement(
            """
            SELECT t.site, t.actor, t.ended_at IS NOT NULL OR t.until <= $3 FROM shifts t
            WHERE t.id = $1 AND ($2::text IS NULL OR t.site = $2) FOR UPDATE
            """, .uuid(id), .text(site?.description), .time(instant))
        var refusal: ShiftEndOutcome? = .unknown
        do throws(PostgreSQLError) {
            _ = try await commit(reading: [lock]) { (read) throws(PostgreSQLError) in
                guard read[0].rowCount == 1 else { return nil }
                let actor: TokenID = try read[0].id(0, 1)
                guard actor == author.token || author.role == .shiftSupervisor else {
                    refusal = .othersShift
                    return nil
                }
                refusal = nil
                if try read[0].bool(0, 2) { return nil }
                return [
                    Statement(
                        "UPDATE shifts SET ended_at = $2 WHERE id = $1", .uuid(id), .time(instant))
                ]
                    + JournalEntry(
                        event: "shift.ended", site: try read[0].site(0, 0),
                        subject: id.description, occurredAt: instant, author: author
                    ).statements(
                        ordinal: 1, document: "shift_document(t)",
                        from: "shifts t WHERE t.id = $1", [.uuid(id)])
            }
            if let refusal { return refusal }
            let document = Statement(
                "SELECT \(Self.shiftColumns)::text FROM shifts t WHERE t.id = $1", .uuid(id))
            let result = try await pool.withConnection {
                (connection) async throws(PostgreSQLError) in
                try await connection.execute(document)
            }
            return .ended(try result.bytes(0, 0))
        } catch {
            throw StoreError(error)
        }
    }

    /// - Parameters:
    ///   - actor: only this person's shifts; nil for all.
    ///   - running: only those that are, or are not, running at `instant`; nil for all.
    public func shifts(
        of site: SiteID?, actor: TokenID?, running: Bool?, from: Timestamp?, to: Timestamp?,
        at instant: Timestamp, _ request: PageRequest
    ) async throws(StoreError) -> Page {
        var query = Query()
        query.filter("t.site", site.map { .text($0) })
        query.filter("t.actor", actor.map { .uuid($0) })
        query.filter("t.started_at", from: from, to: to)
        if let running {
            let isRunning = "(t.ended_at IS NULL AND t.until > \(query.bind(.time(instant))))"
            query.filter(running ? isRunning : "NOT \(isRunning)")
        }
        let statement = query.page(
            request, of: "shifts", document: Self.shiftColumns, time: "t.started_at", id: "t.id",
            idType: "uuid")
        let results = try await read([statement])
        do throws(PostgreSQLError) {
            return try Page(results[0], request)
        } catch {
            throw StoreError(error)
        }
    }
}
