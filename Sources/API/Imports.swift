import ControlCentre
import HTTP
import Imports
import JSON
import Store

extension API {
    /// Lines of one request at most; the command line takes any number.
    static let importLinesMax = 100_000
    /// Faults of one answer at most.
    static let importFaultsMax = 100

    func addImports() {
        add(.get, "/v1/imports", for: Self.importReaders) { api, call in
            var query = QueryReader(call.request)
            let page = try query.page()
            var filter = ImportFilter()
            filter.site = try query.site(for: call)
            filter.format = query.value("format", expected: "csv or ndjson") {
                HistoryFormat(rawValue: $0)
            }
            filter.from = query.time("from")
            filter.to = query.time("to")
            try query.finish()
            return .page(try await api.database.imports(filter, page), for: call.request)
        }
        add(.get, "/v1/imports/{id}", for: Self.importReaders) { api, call in
            try call.rejectParameters()
            let id = try call.id(ImportID.self, of: "import")
            guard let document = try await api.database.importDocument(id, only: call.site) else {
                throw Problem.unknown("import")
            }
            return .json(document)
        }
        add(.post, "/v1/imports", for: [.administrator]) { api, call in
            var query = QueryReader(call.request)
            let named = try query.site(for: call)
            if named == nil {
                query.refuse("site", code: "missing", "is required for a token of all sites")
            }
            var options = ImportOptions()
            options.isDryRun = query.bool("dry_run") ?? false
            options.isPartial = query.bool("partial") ?? false
            options.linesMax = Self.importLinesMax
            options.faultsMax = Self.importFaultsMax
            try query.finish()
            guard let site = named else { throw Problem.unknown("site") }
            let file = HistoryFile(
                HistoryFile.Bytes(call.request.body), format: try call.historyFormat())
            let outcome = try await api.database.importHistory(
                file, into: site, options, by: call.author(), at: call.receivedAt)
            return try .imported(outcome)
        }
    }

    private static let importReaders: Set<Role> = [.administrator, .auditor]
}

extension Call {
    /// How the body is written, by its media type.
    fileprivate func historyFormat() throws(Problem) -> HistoryFormat {
        switch request.mediaType {
        case "text/csv": return .csv
        case "application/x-ndjson": return .ndjson
        default:
            throw Problem(
                415, "media-type.unsupported",
                "Send the body as text/csv or application/x-ndjson.")
        }
    }
}

extension Response {
    fileprivate static func imported(_ outcome: ImportOutcome) throws(Problem) -> Response {
        switch outcome {
        case .done(let report):
            guard !report.isRefused || report.isDryRun else {
                throw Problem(
                    422, "import.refused",
                    "\(report.tally.refused) lines are refused, so nothing was taken; see report.",
                    members: [("report", report.json)])
            }
            guard let id = report.id else { return .json(report.json) }
            return .json(
                report.json, status: 201, fields: [("location", "/v1/imports/\(id)")])
        case .unknownSite:
            throw .unknown("site")
        case .alreadyRunning:
            throw Problem(
                409, "import.running",
                "Another import of the site is under way; send this one when it has ended.")
        case .timeZoneChanged:
            throw Problem(
                409, "import.time-zone-changed",
                "The site took another time zone meanwhile; send the file again.")
        case .tooManyLines:
            throw Problem(
                413, "import.too-many-lines",
                "The file has more than \(API.importLinesMax) lines; use `leitstand import`.")
        case .unreadable:
            preconditionFailure("a body in memory could not be read")
        }
    }
}

extension ImportReport {
    /// Counts and faults, as an answer carries them.
    fileprivate var json: [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("import", id?.description)
            writer.member("dry_run", isDryRun)
            writer.member("format", format.rawValue)
            writer.member("file_hash", hash.hexadecimal)
            writer.member("lines", tally.lines)
            writer.member("incidents", tally.incidents)
            writer.member("interventions", tally.interventions)
            writer.member("known", tally.known)
            writer.member("refused", tally.refused)
            writer.name("faults")
            writer.array { writer in
                for fault in faults {
                    writer.object { writer in
                        writer.member("line", fault.line)
                        writer.member("column", fault.column)
                        writer.member("code", fault.code)
                        writer.member("detail", fault.detail)
                    }
                }
            }
            writer.member("faults_omitted", faultsOmitted)
        }
        return writer.bytes
    }
}
