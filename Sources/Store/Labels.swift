import ControlCentre
import PostgreSQL

/// To whom labels are given, and on which legal basis.
public struct LabelDisclosure: Sendable {
    /// May name a person: it is kept as text that can be erased.
    public var recipient: String
    public var legalBasis: String

    public init(recipient: String, legalBasis: String) {
        self.recipient = recipient
        self.legalBasis = legalBasis
    }
}

/// Labels in the order in which they became known.
public struct LabelPage: Sendable {
    public let documents: [[UInt8]]
    /// The last label's id, when there are more.
    public let next: EventID?
}

extension Database {
    /// Detections that one label shows at most; it tells how many more there are.
    private static let detectionsMax = 1_000

    /// Gives labels away: pins their detections by holds where no hold does so yet, and journals
    /// who got them, in one transaction. An empty page discloses nothing and is not journaled.
    public func discloseLabels(
        after: EventID, of site: SiteID?, limit: Int, _ disclosure: LabelDisclosure,
        by author: Author, at instant: Timestamp
    ) async throws(StoreError) -> LabelPage {
        let page = """
            SELECT * FROM labels
            WHERE (position, ordinal) > ($1, $2) AND ($3::text IS NULL OR site = $3)
            ORDER BY position, ordinal LIMIT \(limit)
            """
        let bounds: [Parameter] = [
            .int64(after.position), .int32(after.ordinal), .text(site?.description),
        ]
        // One reader at a time, or two at once would both pin the same detections.
        let lock = Statement("SELECT pg_advisory_xact_lock(7236005)")
        let count = Statement(
            "SELECT site, count(*) FROM (\(page)) l GROUP BY site ORDER BY site",
            parameters: bounds)
        let unpinned = Statement(
            """
            SELECT DISTINCT l.site, scene.camera, scene.pattern, scene.starts_at, scene.ends_at,
                CASE WHEN l.kind = 'incident' THEN l.subject END
            FROM (\(page)) l CROSS JOIN LATERAL label_scenes(l) scene
            WHERE NOT EXISTS (
                SELECT FROM evidence_holds h
                WHERE h.camera = scene.camera AND h.released_at IS NULL
                    AND h.ground = 'training' AND h.legal_basis = $4
                    AND h.pattern = scene.pattern
                    AND h.starts_at <= scene.starts_at AND h.ends_at >= scene.ends_at)
            """, parameters: bounds + [.text(disclosure.legalBasis)])
        let documents = Statement(
            """
            SELECT label_document(l, \(Self.detectionsMax))::text, l.position, l.ordinal,
                EXISTS (SELECT FROM labels more
                    WHERE (more.position, more.ordinal) > (l.position, l.ordinal)
                        AND ($3::text IS NULL OR more.site = $3))
            FROM (\(page)) l ORDER BY l.position, l.ordinal
            """, parameters: bounds)
        do throws(PostgreSQLError) {
            let results = try await commit(reading: [lock, count, unpinned]) {
                (read) throws(PostgreSQLError) in
                guard read[1].rowCount > 0 else { return nil }
                let pins = try Pins(read[2], at: instant)
                return pins.statements(disclosure, by: author, at: instant)
                    + (try Self.journal(
                        disclosure, read[1], page: page, bounds, after: pins.count, by: author,
                        at: instant))
                    + [documents]
            }
            guard let rows = results?.last else { return LabelPage(documents: [], next: nil) }
            var labels: [[UInt8]] = []
            for row in 0..<rows.rowCount { labels.append(try rows.bytes(row, 0)) }
            let last = rows.rowCount - 1
            var next: EventID?
            if last >= 0, try rows.bool(last, 3) {
                next = EventID(
                    position: try rows.int64(last, 1), ordinal: try rows.int32(last, 2))
            }
            return LabelPage(documents: labels, next: next)
        } catch {
            throw StoreError(error)
        }
    }

    /// One row of the journal per site, numbered after those of the holds.
    private static func journal(
        _ disclosure: LabelDisclosure, _ sites: QueryResult, page: String, _ bounds: [Parameter],
        after holds: Int, by author: Author, at instant: Timestamp
    ) throws(PostgreSQLError) -> [Statement] {
        var statements: [Statement] = []
        for row in 0..<sites.rowCount {
            let site = try sites.site(row, 0)
            let entry = JournalEntry(
                event: "labels.disclosed", site: site, subject: site.description,
                occurredAt: instant, author: author,
                remark: JournalEntry.Remark(id: .v7(at: instant), text: disclosure.recipient))
            statements += entry.statements(
                ordinal: Int32(holds + row + 1),
                document: """
                    json_build_object('site', $4::text, 'legal_basis', $5::text,
                        'count', count(*),
                        'from', (array_agg(t.position || '.' || t.ordinal
                            ORDER BY t.position, t.ordinal))[1],
                        'to', (array_agg(t.position || '.' || t.ordinal
                            ORDER BY t.position DESC, t.ordinal DESC))[1])
                    """,
                from: "(\(page)) t WHERE t.site = $4",
                bounds + [.text(site), .text(disclosure.legalBasis)])
        }
        return statements
    }
}

/// The holds that pin the detections of labels, column by column.
private struct Pins {
    private var site: [String?] = []
    private var id: [PostgreSQLUUID?] = []
    private var camera: [PostgreSQLUUID?] = []
    private var pattern: [String?] = []
    private var startsAt: [Int64?] = []
    private var endsAt: [Int64?] = []
    private var incident: [PostgreSQLUUID?] = []

    var count: Int { id.count }

    init(_ scenes: QueryResult, at instant: Timestamp) throws(PostgreSQLError) {
        for row in 0..<scenes.rowCount {
            site.append(try scenes.text(row, 0))
            id.append(PostgreSQLUUID(HoldID.make(at: instant).uuid))
            camera.append(try scenes.uuid(row, 1))
            pattern.append(try scenes.text(row, 2))
            startsAt.append(try scenes.time(row, 3).microsecondsSinceEpoch)
            endsAt.append(try scenes.time(row, 4).microsecondsSinceEpoch)
            incident.append(scenes.isNull(row, 5) ? nil : try scenes.uuid(row, 5))
        }
    }

    func statements(_ disclosure: LabelDisclosure, by author: Author, at instant: Timestamp)
        -> [Statement]
    {
        guard count > 0 else { return [] }
        return [
            Statement(
                """
                INSERT INTO evidence_holds (site, id, camera, pattern, starts_at, ends_at,
                    incident, ground, legal_basis, created_at, created_by)
                SELECT p.*, 'training', $8, $9, $10
                FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[],
                        $6::timestamptz[], $7::uuid[])
                    AS p (site, id, camera, pattern, starts_at, ends_at, incident)
                """,
                .texts(site), .uuids(id), .uuids(camera), .texts(pattern),
                .timestamps(microsecondsSinceUnixEpoch: startsAt),
                .timestamps(microsecondsSinceUnixEpoch: endsAt), .uuids(incident),
                .text(disclosure.legalBasis), .time(instant), .uuid(author.token)),
            Statement(
                """
                INSERT INTO journal (change, ordinal, event, site, subject, occurred_at, actor,
                    role, request_id, document)
                SELECT currval('changes'), p.ordinal, 'hold.created', h.site, h.id, $2, $3, $4, $5,
                    evidence_hold_document(h)
                FROM unnest($1::uuid[]) WITH ORDINALITY AS p (id, ordinal)
                JOIN evidence_holds h ON h.id = p.id
                """,
                .uuids(id), .time(instant), .uuid(author.token), .text(author.role.rawValue),
                .text(author.requestID)),
        ]
    }
}
