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
    /// who got them, before anything is given. An empty page discloses nothing and is not journaled.
    public func discloseLabels(
        after: EventID, of site: SiteID?, limit: Int, _ disclosure: LabelDisclosure,
        by author: Author, at instant: Timestamp
    ) async throws(StoreError) -> LabelPage {
        do throws(PostgreSQLError) {
            guard let range = try await labels(after: after, of: site, limit: limit) else {
                return LabelPage(documents: [], next: nil)
            }
            try await retryingConflicts { () throws(PostgreSQLError) in
                try await pin(range, disclosure, by: author, at: instant)
            }
            try await finishHolds(
                """
                ARRAY(SELECT id FROM evidence_holds
                    WHERE released_at IS NULL AND copied_to < ends_at
                        AND ground = 'training' AND legal_basis = $1)
                """, .text(disclosure.legalBasis))
            return try await documents(of: range, disclosure)
        } catch {
            throw StoreError(error)
        }
    }

    /// The next page; nil when there are no more labels.
    private func labels(after: EventID, of site: SiteID?, limit: Int)
        async throws(PostgreSQLError) -> LabelRange?
    {
        let page = Statement(
            """
            SELECT position, ordinal FROM labels
            WHERE (position, ordinal) > ($1, $2) AND ($3::text IS NULL OR site = $3)
            ORDER BY position, ordinal LIMIT \(limit + 1)
            """, .int64(after.position), .int32(after.ordinal), .text(site?.description))
        let rows = try await patientPool.withConnection {
            (connection) async throws(PostgreSQLError) in
            try await connection.execute(page)
        }
        guard rows.rowCount > 0 else { return nil }
        let last = min(rows.rowCount, limit) - 1
        return LabelRange(
            after: after,
            last: EventID(
                position: try rows.int64(last, 0), ordinal: try rows.int32(last, 1)),
            site: site, isMore: rows.rowCount > limit)
    }

    /// Makes holds of what no hold for training covers yet, and journals them and the disclosure.
    private func pin(
        _ range: LabelRange, _ disclosure: LabelDisclosure, by author: Author,
        at instant: Timestamp
    ) async throws(PostgreSQLError) {
        // One reader at a time, or two at once would both pin the same detections.
        let lock = Statement("SELECT pg_advisory_xact_lock(7236005)")
        let sites = Statement(
            "SELECT DISTINCT l.site FROM \(LabelRange.source) ORDER BY l.site",
            parameters: range.bounds)
        let unpinned = Statement(
            """
            SELECT DISTINCT l.site, scene.camera, scene.pattern, scene.starts_at, scene.ends_at,
                CASE WHEN l.kind = 'incident' THEN l.subject END
            FROM (SELECT * FROM \(LabelRange.source)) l
            CROSS JOIN LATERAL label_scenes(ROW(l.*)::labels) scene
            WHERE NOT EXISTS (
                SELECT FROM evidence_holds h
                WHERE h.camera = scene.camera AND h.released_at IS NULL
                    AND h.ground = 'training' AND h.legal_basis = $6
                    AND h.pattern = scene.pattern
                    AND h.starts_at <= scene.starts_at AND h.ends_at >= scene.ends_at)
            """, parameters: range.bounds + [.text(disclosure.legalBasis)])
        _ = try await commit(reading: [lock, sites, unpinned]) {
            (read) throws(PostgreSQLError) in
            let pins = try Pins(read[2], at: instant)
            var statements = pins.statements(disclosure, by: author, at: instant)
            for row in 0..<read[1].rowCount {
                statements += Self.journal(
                    disclosure, range, at: try read[1].site(row, 0), as: pins.count + row + 1,
                    by: author, instant)
            }
            return statements
        }
    }

    private func documents(of range: LabelRange, _ disclosure: LabelDisclosure)
        async throws(PostgreSQLError) -> LabelPage
    {
        let documents = Statement(
            """
            SELECT label_document(l, $6, \(Self.detectionsMax))::text
            FROM \(LabelRange.source) ORDER BY l.position, l.ordinal
            """, parameters: range.bounds + [.text(disclosure.legalBasis)])
        let rows = try await patientPool.withConnection {
            (connection) async throws(PostgreSQLError) in
            try await connection.execute(documents)
        }
        var labels: [[UInt8]] = []
        for row in 0..<rows.rowCount { labels.append(try rows.bytes(row, 0)) }
        return LabelPage(documents: labels, next: range.isMore ? range.last : nil)
    }

    /// One row of the journal per site, numbered after those of the holds.
    private static func journal(
        _ disclosure: LabelDisclosure, _ range: LabelRange, at site: SiteID, as ordinal: Int,
        by author: Author, _ instant: Timestamp
    ) -> [Statement] {
        JournalEntry(
            event: "labels.disclosed", site: site, subject: site.description,
            occurredAt: instant, author: author,
            remark: JournalEntry.Remark(id: .v7(at: instant), text: disclosure.recipient)
        ).statements(
            ordinal: Int32(ordinal),
            document: """
                json_build_object('site', $6::text, 'legal_basis', $7::text,
                    'count', count(*),
                    'from', (array_agg(l.position || '.' || l.ordinal
                        ORDER BY l.position, l.ordinal))[1],
                    'to', (array_agg(l.position || '.' || l.ordinal
                        ORDER BY l.position DESC, l.ordinal DESC))[1])
                """,
            from: "\(LabelRange.source) AND l.site = $6",
            range.bounds + [.text(site), .text(disclosure.legalBasis)])
    }
}

/// A page of labels, by its first and last.
///
/// Labels are only ever appended, in the order of their ids. So whatever is asked of a range that has
/// been read gets the same labels, whenever it is asked.
private struct LabelRange {
    let after: EventID
    let last: EventID
    /// Nil: of all sites.
    let site: SiteID?
    /// Whether there were more when it was read.
    let isMore: Bool

    /// What follows FROM; `l` is a label.
    static let source = """
        labels l WHERE (l.position, l.ordinal) > ($1, $2) AND (l.position, l.ordinal) <= ($3, $4)
            AND ($5::text IS NULL OR l.site = $5)
        """

    /// The first parameters of a statement that reads `source`.
    var bounds: [Parameter] {
        [
            .int64(after.position), .int32(after.ordinal), .int64(last.position),
            .int32(last.ordinal), .text(site?.description),
        ]
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
