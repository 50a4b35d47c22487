import ControlCentre
import PostgreSQL

/// A report as it is to be kept: the canonical form of what it says, hashed and signed.
public struct SealedReport: Sendable {
    public var id: ReportID
    /// Nil: of all sites.
    public var site: SiteID?
    public var title: String
    public var reference: String
    public var stand: String
    /// What all its figures know.
    public var position: Int64
    public var content: [UInt8]
    /// SHA-256 of the content.
    public var hash: [UInt8]
    /// Ed25519 over the content.
    public var signature: [UInt8]
    /// SHA-256 of the public key's DER.
    public var key: [UInt8]
    public var publicKey: String

    public init(
        id: ReportID, site: SiteID?, title: String, reference: String, stand: String,
        position: Int64, content: [UInt8], hash: [UInt8], signature: [UInt8], key: [UInt8],
        publicKey: String
    ) {
        self.id = id
        self.site = site
        self.title = title
        self.reference = reference
        self.stand = stand
        self.position = position
        self.content = content
        self.hash = hash
        self.signature = signature
        self.key = key
        self.publicKey = publicKey
    }
}

/// A frozen report as it is kept.
public struct StoredReport: Sendable {
    public let id: ReportID
    public let site: SiteID?
    /// As the list shows it.
    public let summary: [UInt8]
    public let content: [UInt8]
    public let hash: [UInt8]
    public let signature: [UInt8]
    public let key: [UInt8]
    public let publicKey: String
    /// Nil: it is a draft.
    public let releasedAt: Timestamp?
}

/// Which reports a list shows; nil does not filter.
public struct ReportFilter: Sendable {
    /// Reports of all sites are of no single one.
    public var site: SiteID?
    public var reference: String?
    public var released: Bool?
    /// Half-open, by `frozen_at`.
    public var from: Timestamp?
    public var to: Timestamp?

    public init() {}
}

public enum ReportReleaseOutcome: Sendable {
    /// The report's summary afterwards.
    case released([UInt8])
    case unknown
    case alreadyReleased(current: [UInt8])
    /// Whoever froze it cannot be the one who releases it.
    case needsAnother(current: [UInt8])
}

extension Database {
    /// Keeps a report for good, and journals that.
    ///
    /// - Parameter author: nil from the command line.
    /// - Returns: the report's summary.
    public func freeze(_ report: SealedReport, by author: Author?, at instant: Timestamp)
        async throws(StoreError) -> [UInt8]
    {
        let key = Statement(
            "INSERT INTO report_keys VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            .bytes(report.key), .text(report.publicKey), .time(instant))
        let insert = Statement(
            """
            INSERT INTO reports (id, site, title, reference, stand, position, content, hash,
                signature, key, frozen_at, frozen_by)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
            """,
            .uuid(report.id), .text(report.site?.description), .text(report.title),
            .text(report.reference), .text(report.stand), .int64(report.position),
            .bytes(report.content), .bytes(report.hash), .bytes(report.signature),
            .bytes(report.key), .time(instant), .optional(author?.token))
        do throws(PostgreSQLError) {
            let results = try await commit(
                [key, insert]
                    + journal("report.frozen", report.id, at: report.site, by: author, instant)
                    + [Self.summary(of: report.id)])
            return try results[results.count - 1].bytes(0, 0)
        } catch {
            throw StoreError(error)
        }
    }

    /// - Parameter site: the site that the reader is bound to.
    public func report(_ id: ReportID, only site: SiteID?) async throws(StoreError)
        -> StoredReport?
    {
        let results = try await read([
            Statement(
                """
                SELECT t.site, report_summary(t)::text, t.content, t.hash, t.signature, t.key,
                    k.public_key,
                    (SELECT r.released_at FROM report_releases r WHERE r.report = t.id)
                FROM reports t JOIN report_keys k ON k.id = t.key
                WHERE t.id = $1 AND ($2::text IS NULL OR t.site = $2)
                """, .uuid(id), .text(site?.description))
        ])
        let row = results[0]
        guard row.rowCount == 1 else { return nil }
        do throws(PostgreSQLError) {
            return StoredReport(
                id: id, site: row.isNull(0, 0) ? nil : try row.site(0, 0),
                summary: try row.bytes(0, 1), content: try row.bytes(0, 2),
                hash: try row.bytes(0, 3), signature: try row.bytes(0, 4),
                key: try row.bytes(0, 5), publicKey: try row.text(0, 6),
                releasedAt: try row.timeIfPresent(0, 7))
        } catch {
            throw StoreError(error)
        }
    }

    public func reports(_ filter: ReportFilter, _ request: PageRequest)
        async throws(StoreError) -> Page
    {
        var query = Query()
        query.filter("t.site", filter.site.map { .text($0) })
        query.filter("t.reference", filter.reference.map { .text($0) })
        query.filter(
            "EXISTS (SELECT FROM report_releases r WHERE r.report = t.id)", is: filter.released)
        query.filter("t.frozen_at", from: filter.from, to: filter.to)
        let statement = query.page(
            request, of: "reports", document: "report_summary(t)", time: "t.frozen_at",
            id: "t.id", idType: "uuid")
        let results = try await read([statement])
        do throws(PostgreSQLError) {
            return try Page(results[0], request)
        } catch {
            throw StoreError(error)
        }
    }

    /// The public key of that fingerprint, if a report has been signed with it, as PEM.
    public func reportKey(_ fingerprint: [UInt8]) async throws(StoreError) -> String? {
        let results = try await read([
            Statement(
                "SELECT public_key FROM report_keys WHERE id = $1", .bytes(fingerprint))
        ])
        do throws(PostgreSQLError) {
            return results[0].rowCount == 1 ? try results[0].text(0, 0) : nil
        } catch {
            throw StoreError(error)
        }
    }

    /// Releases a report for which somebody else stands too.
    ///
    /// - Parameter site: the site that the caller is bound to.
    public func releaseReport(
        _ id: ReportID, only site: SiteID?, by author: Author, at instant: Timestamp
    ) async throws(StoreError) -> ReportReleaseOutcome {
        var refusal = ReportReleaseOutcome.unknown
        let lock = Statement(
            """
            SELECT t.site, t.frozen_by, report_summary(t)::text,
                EXISTS (SELECT FROM report_releases r WHERE r.report = t.id)
            FROM reports t
            WHERE t.id = $1 AND ($2::text IS NULL OR t.site = $2)
            """, .uuid(id), .text(site?.description))
        do throws(PostgreSQLError) {
            let results = try await commit(reading: [Self.releaseLock(id), lock]) {
                (read) throws(PostgreSQLError) in
                let row = read[1]
                guard row.rowCount == 1 else { return nil }
                let current = try row.bytes(0, 2)
                if try row.bool(0, 3) {
                    refusal = .alreadyReleased(current: current)
                    return nil
                }
                let frozenBy: TokenID? = try row.idIfPresent(0, 1)
                if frozenBy == author.token {
                    refusal = .needsAnother(current: current)
                    return nil
                }
                let insert = Statement(
                    "INSERT INTO report_releases VALUES ($1, $2, $3)", .uuid(id), .time(instant),
                    .uuid(author.token))
                let reportSite = row.isNull(0, 0) ? nil : try row.site(0, 0)
                return [insert]
                    + journal("report.released", id, at: reportSite, by: author, instant)
                    + [Self.summary(of: id)]
            }
            guard let last = results?.last else { return refusal }
            return .released(try last.bytes(0, 0))
        } catch {
            throw StoreError(error)
        }
    }

    /// Of two who release at once, one does; no row that may be locked is ever changed.
    private static func releaseLock(_ id: ReportID) -> Statement {
        Statement(
            "SELECT pg_advisory_xact_lock(7236014, hashtext($1))", .text(id.description))
    }

    private static func summary(of id: ReportID) -> Statement {
        Statement("SELECT report_summary(t)::text FROM reports t WHERE t.id = $1", .uuid(id))
    }

    private func journal(
        _ event: String, _ id: ReportID, at site: SiteID?, by author: Author?, _ instant: Timestamp
    ) -> [Statement] {
        JournalEntry(
            event: event, site: site, subject: id.description, occurredAt: instant, author: author
        ).statements(
            ordinal: 1, document: "report_document(t)", from: "reports t WHERE t.id = $1",
            [.uuid(id)])
    }
}
