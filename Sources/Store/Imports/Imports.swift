import ControlCentre
import PostgreSQL

/// How a history is to be taken over.
public struct ImportOptions: Sendable {
    /// Only tells what it would do.
    public var isDryRun = false
    /// Lines that are refused do not keep the others from being taken.
    public var isPartial = false
    /// How many lines there may be; nil: any number.
    public var linesMax: Int?
    /// How many faults are named; of more it is only told how many.
    public var faultsMax = 100

    public init() {}
}

/// How many lines of a history have met which fate.
public struct ImportTally: Sendable, Equatable {
    public var incidents = 0
    public var interventions = 0
    /// Taken over by an earlier import, or by an earlier line.
    public var known = 0
    public var refused = 0

    public var lines: Int { incidents + interventions + known + refused }

    public init() {}
}

/// What came of an import.
public struct ImportReport: Sendable {
    /// The import as it was recorded; nil when nothing was taken.
    public let id: ImportID?
    public let isDryRun: Bool
    public let tally: ImportTally
    public let format: HistoryFormat
    /// SHA-256 of the file.
    public let hash: [UInt8]
    /// In the order of the lines.
    public let faults: [HistoricFault]
    /// How many more there are.
    public let faultsOmitted: Int

    /// Whether refused lines keep the others from being taken.
    public let isRefused: Bool
}

public enum ImportOutcome: Sendable {
    case done(ImportReport)
    case unknownSite
    /// Another import of the site is under way.
    case alreadyRunning
    /// The site took another time zone meanwhile, in which local times are other instants.
    case timeZoneChanged
    /// The source could not be read to its end.
    case unreadable
    case tooManyLines
}

/// Which imports a list shows; nil does not filter.
public struct ImportFilter: Sendable {
    public var site: SiteID?
    public var format: HistoryFormat?
    /// Half-open, by `created_at`.
    public var from: Timestamp?
    public var to: Timestamp?

    public init() {}
}

extension Database {
    /// Takes a history over: all in one change, that is known from its position on.
    ///
    /// Until its end it holds no lock that others wait for, and the position is taken last.
    ///
    /// - Parameters:
    ///   - author: nil from the command line.
    ///   - progress: called after each piece.
    public func importHistory(
        _ source: some HistorySource, into site: SiteID, _ options: ImportOptions,
        by author: Author?, at instant: Timestamp, progress: (ImportTally) -> Void = { _ in }
    ) async throws(StoreError) -> ImportOutcome {
        let outcome: ImportOutcome
        do throws(PostgreSQLError) {
            outcome = try await patientPool.withConnection {
                (connection) async throws(PostgreSQLError) in
                let run = ImportRun(
                    connection, site: site, options: options, author: author, instant: instant)
                return try await run.take(source, progress)
            }
        } catch {
            throw StoreError(error)
        }
        if case .done(let report) = outcome, report.id != nil { announceCommit() }
        return outcome
    }

    public func imports(_ filter: ImportFilter, _ request: PageRequest)
        async throws(StoreError) -> Page
    {
        var query = Query()
        query.filter("t.site", filter.site.map { .text($0) })
        query.filter("t.format", filter.format.map { .text($0.rawValue) })
        query.filter("t.created_at", from: filter.from, to: filter.to)
        let statement = query.page(
            request, of: "imports", document: "with_staff_names(import_document(t))",
            time: "t.created_at", id: "t.id", idType: "uuid")
        let results = try await read([statement])
        do throws(PostgreSQLError) {
            return try Page(results[0], request)
        } catch {
            throw StoreError(error)
        }
    }

    /// - Parameter site: the site that the reader is bound to.
    public func importDocument(_ id: ImportID, only site: SiteID?)
        async throws(StoreError) -> [UInt8]?
    {
        let results = try await read([
            Statement(
                """
                SELECT with_staff_names(import_document(t))::text FROM imports t
                WHERE id = $1 AND ($2::text IS NULL OR site = $2)
                """, .uuid(id), .text(site?.description))
        ])
        do throws(PostgreSQLError) {
            return results[0].rowCount == 1 ? try results[0].bytes(0, 0) : nil
        } catch {
            throw StoreError(error)
        }
    }

    /// The site, where there is only one.
    public func onlySite() async throws(StoreError) -> SiteID? {
        let results = try await read([Statement("SELECT id FROM sites LIMIT 2")])
        do throws(PostgreSQLError) {
            return results[0].rowCount == 1 ? try results[0].site(0, 0) : nil
        } catch {
            throw StoreError(error)
        }
    }
}
