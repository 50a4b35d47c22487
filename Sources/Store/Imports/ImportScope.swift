import ControlCentre
import PostgreSQL

/// What all rows of an import share.
struct ImportScope {
    let site: SiteID
    let id: ImportID
    let author: Author?
    let instant: Timestamp

    /// One import of a site at a time: of two, one would wait for the other's keys, and hold a
    /// connection meanwhile.
    var lock: Statement {
        Statement("SELECT pg_try_advisory_xact_lock(7236010, hashtext($1))", .text(site))
    }

    /// Journals what lines in [from, to) have become, each under its line as the ordinal. The
    /// import's own row is the first, or live streams would have to look for it behind all others.
    func journal(from: Int64, to: Int64) -> [Statement] {
        [
            // An incident's note is part of its document; a reason is only with its row.
            ("incident", "incidents", "NULL::uuid"), ("intervention", "interventions", "k.remark"),
        ].map { kind, table, remark in
            Statement(
                """
                INSERT INTO journal (change, ordinal, event, site, subject, occurred_at, actor,
                    role, remark, remark_hash, request_id, document)
                SELECT currval('changes'), k.line + 1, '\(kind).imported', t.site, t.id, $5, $6,
                    $7, \(remark),
                    (SELECT sha256(r.salt || convert_to(r.text, 'UTF8')) FROM remarks r
                        WHERE r.id = \(remark)),
                    $8, \(kind)_document(t)
                FROM imported_rows k JOIN \(table) t ON t.site = k.site AND t.id = k.subject
                WHERE k.site = $1 AND k.import = $2 AND k.kind = '\(kind)'
                    AND k.line >= $3 AND k.line < $4
                """, .text(site), .uuid(id), .int64(from + 1), .int64(to + 1), .time(instant),
                .optional(author?.token), .text(author?.role.rawValue), .text(author?.requestID))
        }
    }

    /// Writes the import's own row and journals it.
    func record(
        _ tally: ImportTally, _ source: some HistorySource, isPartial: Bool
    ) -> [Statement] {
        let insertion = Statement(
            """
            INSERT INTO imports (site, id, format, file_hash, partial, incident_count,
                intervention_count, known_count, refused_count, imported_by, created_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
            """, .text(site), .uuid(id), .text(source.format.rawValue), .bytes(source.hash),
            .bool(isPartial), .int64(Int64(tally.incidents)), .int64(Int64(tally.interventions)),
            .int64(Int64(tally.known)), .int64(Int64(tally.refused)), .optional(author?.token),
            .time(instant))
        let entry = JournalEntry(
            event: "import.completed", site: site, subject: id.description, occurredAt: instant,
            author: author)
        return [insertion]
            + entry.statements(
                ordinal: 1, document: "import_document(t)", from: "imports t WHERE t.id = $1",
                [.uuid(id)])
    }

    /// Keeps what people wrote, each with a salt of its own.
    func remarks(_ texts: [(id: UUID, text: String)]) -> Statement {
        Statement(
            """
            INSERT INTO remarks SELECT n.id, $1, uuid_send(gen_random_uuid()), n.text
            FROM unnest($2::uuid[], $3::text[]) AS n (id, text)
            """, .text(site), .uuids(texts.map { PostgreSQLUUID($0.id) }),
            .texts(texts.map(\.text)))
    }

    /// Remembers under which keys rows were taken over.
    func keys(
        _ kind: String, _ subjects: Parameter, _ lines: [NewLine<some Any>], remarks: [UUID?]
    ) -> Statement {
        Statement(
            """
            INSERT INTO imported_rows (site, kind, key, content_hash, import, line, subject, remark)
            SELECT $1, $2, n.key,
                CASE WHEN n.remark IS NULL THEN n.hash ELSE sha256(
                    (SELECT r.salt FROM remarks r WHERE r.id = n.remark) || n.hash) END,
                $3, n.line, n.subject, n.remark
            FROM unnest($4::uuid[], $5::text[], $6::bytea[], $7::bigint[], $8::uuid[])
                AS n (subject, key, hash, line, remark)
            """, .text(site), .text(kind), .uuid(id), subjects, .texts(lines.map(\.key)),
            .byteStrings(lines.map(\.hash)), .int64s(lines.map { Int64($0.line) }),
            .uuids(remarks.map { $0.map { PostgreSQLUUID($0) } }))
    }
}
