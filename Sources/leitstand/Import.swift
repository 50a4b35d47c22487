import ArgumentParser
import ControlCentre
import EventLoop
import Glibc
import Imports
import Store

/// Takes a history of observers' incidents and interventions over, from a file of any length.
struct Import: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Import incidents and interventions from before.",
        discussion: """
            Reads a table (CSV with a header line) or JSON lines (NDJSON) into the database, all in \
            one change; works while the server runs. A line whose key has been imported with the \
            same content is counted and adds nothing. When lines are refused nothing is imported, \
            unless --partial says otherwise. Ends with 1 when a line was refused.

            The columns are described in the README and in the contract, at POST /v1/imports.
            """)

    @Argument(help: "The file.", completion: .file())
    var file: String
    @Option(help: "The site it is of; may be left out where there is only one.")
    var site: String?
    @Option(help: "csv or ndjson; by default as the file's name ends.")
    var format: String?
    @Flag(help: "Import nothing, and only tell what is wrong.")
    var dryRun = false
    @Flag(help: "Import the other lines when some are refused.")
    var partial = false
    @OptionGroup var database: DatabaseOptions

    /// Faults that are printed; of more it is told how many.
    private static let faultsMax = 1_000

    func run() async throws {
        let format = try historyFormat()
        let site = try self.site.map { text in
            guard let site = SiteID(text) else {
                throw ValidationError("--site must be a site's id, such as mannheim")
            }
            return site
        }
        let input = try InputFile(file)
        let opened = try database.open(.join)
        let loop = try EventLoop(name: "leitstand-0")
        _ = try await opened.migrate(on: loop)
        let outcome = try await run(input, format, of: site, in: opened, on: loop)
        await loop.stop()
        try opened.close()
        try tell(outcome)
    }

    private func historyFormat() throws -> HistoryFormat {
        if let format {
            guard let known = HistoryFormat(rawValue: format) else {
                throw ValidationError("--format must be csv or ndjson")
            }
            return known
        }
        let endings: [(String, HistoryFormat)] = [
            (".csv", .csv), (".ndjson", .ndjson), (".jsonl", .ndjson),
        ]
        guard let (_, known) = endings.first(where: { file.lowercased().hasSuffix($0.0) }) else {
            throw ValidationError(
                "the file's name ends neither in .csv nor in .ndjson; say --format csv or ndjson")
        }
        return known
    }

    /// Nil when it is not clear which site is meant.
    private func run(
        _ input: InputFile, _ format: HistoryFormat, of site: SiteID?, in opened: OpenDatabase,
        on loop: isolated EventLoop
    ) async throws -> ImportOutcome? {
        let pool = opened.pool(on: loop, connectionsMax: 1)
        defer { pool.close() }
        let store = Database(pool: pool, committed: {})
        let target: SiteID
        if let site {
            target = site
        } else if let only = try await store.onlySite() {
            target = only
        } else {
            return nil
        }
        var options = ImportOptions()
        options.isDryRun = dryRun
        options.isPartial = partial
        options.faultsMax = Self.faultsMax
        let history = HistoryFile(input.bytes, format: format)
        let progress = ImportProgress(input)
        let outcome = try await store.importHistory(
            history, into: target, options, by: nil, at: .now(), progress: progress.show)
        progress.finish()
        return outcome
    }

    private func tell(_ outcome: ImportOutcome?) throws {
        switch outcome {
        case nil:
            throw ValidationError("--site is required: the database has several sites, or none")
        case .done(let report):
            tell(report)
            if report.tally.refused > 0 { throw ExitCode.failure }
        case .unknownSite: throw ValidationError("there is no site \(site ?? "")")
        case .alreadyRunning: throw ValidationError("another import of the site is under way")
        case .timeZoneChanged:
            throw ValidationError("the site took another time zone meanwhile; import again")
        case .unreadable: throw ValidationError("\(file) could not be read to its end")
        case .tooManyLines: preconditionFailure("no bound of lines was set")
        }
    }

    private func tell(_ report: ImportReport) {
        for fault in report.faults {
            let column = fault.column.map { ", \($0)" } ?? ""
            printLine("line \(fault.line)\(column): \(fault.detail)")
        }
        if report.faultsOmitted > 0 { printLine("and \(report.faultsOmitted) more faults") }
        let tally = report.tally
        let verb = report.isDryRun ? "would be imported" : "imported"
        let taken =
            report.isRefused
            ? "nothing \(verb)"
            : "\(verb) \(tally.incidents) incidents and \(tally.interventions) interventions"
        printLine(
            "\(tally.lines) lines: \(taken); \(tally.known) known already, "
                + "\(tally.refused) refused")
        if let id = report.id { printLine("import \(id)") }
    }
}
