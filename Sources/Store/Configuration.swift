import ControlCentre
import PostgreSQL

/// A resource as the database holds it: its document as JSON, and the revision behind its ETag.
public struct Stored: Sendable {
    public let document: [UInt8]
    public let revision: Int64

    public init(document: [UInt8], revision: Int64) {
        self.document = document
        self.revision = revision
    }
}

/// Which revisions of a resource a change may start from (`If-Match`).
public enum Precondition: Sendable {
    case any
    case revisions([Int64])

    func holds(for revision: Int64) -> Bool {
        switch self {
        case .any: true
        case .revisions(let revisions): revisions.contains(revision)
        }
    }
}

/// Why something of a site's configuration cannot be created or changed as asked.
public enum ConfigurationRefusal: Sendable, Equatable {
    case siteExists
    case unknownSite
    case unknownArea
    case unknownCamera
    /// A position names an area that the site does not have.
    case unknownPositionArea
    case keyTaken
    case removedBeforeInstalled
    /// Another mode window of the camera, or of the site, shares some time with it.
    case windowOverlaps
    case unknownTimeZone
    /// Days and months of what is recorded are counted in the site's time zone.
    case timeZoneFixed

    init?(_ error: PostgreSQLError) {
        guard case .server(let server) = error else { return nil }
        switch server.constraint {
        case "sites_pkey": self = .siteExists
        case "areas_site_fkey", "nodes_site_fkey", "mode_windows_site_fkey",
            "interruptions_site_fkey":
            self = .unknownSite
        case "cameras_site_area_fkey", "interruptions_site_area_fkey": self = .unknownArea
        case "mode_windows_site_camera_fkey", "interruptions_site_camera_fkey":
            self = .unknownCamera
        case "observer_positions_areas_fkey": self = .unknownPositionArea
        case "cameras_site_key_key": self = .keyTaken
        case "cameras_life_check": self = .removedBeforeInstalled
        case "mode_windows_overlap": self = .windowOverlaps
        default: return nil
        }
    }
}

public enum CreateOutcome: Sendable {
    case created(Stored)
    case refused(ConfigurationRefusal)
}

public enum ChangeOutcome: Sendable {
    case changed(Stored)
    /// The row, which was as it was wanted already.
    case unchanged(Stored)
    case unknown
    /// Somebody changed it since; this is its revision now.
    case stale(Int64)
    case refused(ConfigurationRefusal)
}

/// A table of what is watched: its rows have documents, revisions and journal entries alike.
struct ConfigurationTable {
    /// The resource's name in events, such as `camera.created`.
    let name: String
    let table: String
    /// What the journal keeps: no free text.
    let journaled: String
    /// What lists show.
    let listed: String
    /// What whoever reads or changes the one resource gets.
    let document: String
    /// Lists are ordered by it, newest first.
    let time: String

    init(
        name: String, table: String, listed: String? = nil, document: String? = nil,
        time: String = "t.created_at"
    ) {
        self.name = name
        self.table = table
        journaled = "\(name.replacing("-", with: "_"))_document(t)"
        self.listed = listed ?? journaled
        self.document = document ?? self.listed
        self.time = time
    }

    static let sites = ConfigurationTable(name: "site", table: "sites")
    static let areas = ConfigurationTable(name: "area", table: "areas")
    static let cameras = ConfigurationTable(
        name: "camera", table: "cameras", document: "camera_with_live_url(t)")
    static let nodes = ConfigurationTable(name: "node", table: "nodes")
    static let modeWindows = ConfigurationTable(
        name: "mode-window", table: "mode_windows",
        listed: "with_remarks(mode_window_document(t))", time: "t.starts_at")
    static let interruptions = ConfigurationTable(
        name: "interruption", table: "interruptions", time: "t.starts_at")

    /// The column that tells whose row it is.
    var site: String { table == Self.sites.table ? "t.id" : "t.site" }
}

/// The id of a row of a configuration table: a site's slug, or a UUID.
struct ConfigurationKey {
    let subject: String
    let parameter: Parameter

    init(_ site: SiteID) {
        subject = site.description
        parameter = .text(site)
    }

    init(_ id: some UUIDIdentifier) {
        subject = id.description
        parameter = .uuid(id)
    }
}

extension Database {
    /// - Parameter site: the site that the reader is bound to; a row elsewhere is unknown.
    func get(_ table: ConfigurationTable, _ key: ConfigurationKey, only site: SiteID?)
        async throws(StoreError) -> Stored?
    {
        let results = try await read([storedStatement(table, key, only: site)])
        do throws(PostgreSQLError) {
            return try Self.stored(results[0])
        } catch {
            throw StoreError(error)
        }
    }

    /// Inserts a row, journals it, and returns it.
    ///
    /// - Parameter author: nil from the command line.
    func create(
        _ table: ConfigurationTable, _ key: ConfigurationKey, of site: SiteID,
        columns: [(name: String, value: Parameter)], also: [Statement] = [],
        remark: JournalEntry.Remark? = nil, by author: Author?, at instant: Timestamp
    ) async throws(StoreError) -> CreateOutcome {
        var query = Query()
        let names = columns.map(\.name).joined(separator: ", ")
        let values = columns.map { query.bind($0.value) }.joined(separator: ", ")
        let insert = Statement(
            "INSERT INTO \(table.table) (\(names)) VALUES (\(values))",
            parameters: query.parameters)
        let entry = JournalEntry(
            event: "\(table.name).created", site: site, subject: key.subject,
            occurredAt: instant, author: author, remark: remark)
        do throws(PostgreSQLError) {
            let results = try await commit(
                [insert] + also + journal(entry, table, key) + [storedStatement(table, key)])
            guard let stored = try Self.stored(results[results.count - 1]) else {
                throw PostgreSQLError.unexpectedValue("an inserted row is not there")
            }
            return .created(stored)
        } catch {
            if let refusal = ConfigurationRefusal(error) { return .refused(refusal) }
            throw StoreError(error)
        }
    }

    /// Sets some columns of a row if its revision is one that the caller knows.
    ///
    /// What has these values already keeps its revision, and nothing is journaled.
    ///
    /// - Parameter refusing: asks, in the same transaction, whether the change must be refused.
    func change(
        _ table: ConfigurationTable, _ key: ConfigurationKey, only site: SiteID?,
        if precondition: Precondition, set columns: [(name: String, value: Parameter)],
        also: [Statement] = [], refusing: (Statement, ConfigurationRefusal)? = nil,
        by author: Author, at instant: Timestamp
    ) async throws(StoreError) -> ChangeOutcome {
        var lockQuery = Query()
        let lockID = lockQuery.bind(key.parameter)
        let onlySite = lockQuery.bind(.text(site?.description))
        let comparisons = columns.map { column in
            // json has no equality.
            let type = if case .json = column.value { "::text" } else { "" }
            return "t.\(column.name)\(type) IS NOT DISTINCT FROM "
                + lockQuery.bind(column.value) + type
        }
        // The key stays, so whoever only refers to the row, as a long import does, need not wait.
        let lock = Statement(
            """
            SELECT revision, \(table.site), \((["true"] + comparisons).joined(separator: " AND "))
            FROM \(table.table) t
            WHERE t.id = \(lockID) AND (\(onlySite)::text IS NULL OR \(table.site) = \(onlySite))
            FOR NO KEY UPDATE
            """, parameters: lockQuery.parameters)
        var query = Query()
        let id = query.bind(key.parameter)
        let assignments = columns.map { ", \($0.name) = \(query.bind($0.value))" }.joined()
        let update = Statement(
            "UPDATE \(table.table) t SET revision = revision + 1\(assignments) WHERE t.id = \(id)",
            parameters: query.parameters)

        var outcome = ChangeOutcome.unknown
        var isUnchanged = false
        do throws(PostgreSQLError) {
            let reading = [lock] + (refusing.map { [$0.0] } ?? [])
            let results = try await commit(reading: reading) { (read) throws(PostgreSQLError) in
                guard read[0].rowCount == 1 else { return nil }
                let revision = try read[0].int64(0, 0)
                guard precondition.holds(for: revision) else {
                    outcome = .stale(revision)
                    return nil
                }
                if let refusing, try read[1].bool(0, 0) {
                    outcome = .refused(refusing.1)
                    return nil
                }
                if also.isEmpty, try read[0].bool(0, 2) {
                    isUnchanged = true
                    return nil
                }
                let entry = JournalEntry(
                    event: "\(table.name).changed", site: try read[0].site(0, 1),
                    subject: key.subject, occurredAt: instant, author: author)
                return [update] + also + journal(entry, table, key) + [storedStatement(table, key)]
            }
            if let last = results?.last, let stored = try Self.stored(last) {
                outcome = .changed(stored)
            }
        } catch {
            if let refusal = ConfigurationRefusal(error) { return .refused(refusal) }
            throw StoreError(error)
        }
        guard isUnchanged, let stored = try await get(table, key, only: site) else {
            return outcome
        }
        return .unchanged(stored)
    }

    /// A page of a list whose filters are set.
    func list(_ table: ConfigurationTable, _ query: Query, _ request: PageRequest)
        async throws(StoreError) -> Page
    {
        var query = query
        let isSites = table.table == ConfigurationTable.sites.table
        let statement = query.page(
            request, of: table.table, document: table.listed, time: table.time, id: "t.id",
            idType: isSites ? "text" : "uuid")
        let results = try await read([statement])
        do throws(PostgreSQLError) {
            return try Page(results[0], request)
        } catch {
            throw StoreError(error)
        }
    }

    func journal(
        _ entry: JournalEntry, _ table: ConfigurationTable, _ key: ConfigurationKey
    ) -> [Statement] {
        entry.statements(
            ordinal: 1, document: table.journaled, from: "\(table.table) t WHERE t.id = $1",
            [key.parameter])
    }

    func storedStatement(
        _ table: ConfigurationTable, _ key: ConfigurationKey, only site: SiteID? = nil
    ) -> Statement {
        Statement(
            """
            SELECT \(table.document)::text, revision FROM \(table.table) t
            WHERE t.id = $1 AND ($2::text IS NULL OR \(table.site) = $2)
            """, key.parameter, .text(site?.description))
    }

    static func stored(_ result: QueryResult) throws(PostgreSQLError) -> Stored? {
        guard result.rowCount == 1 else { return nil }
        return Stored(document: try result.bytes(0, 0), revision: try result.int64(0, 1))
    }
}
