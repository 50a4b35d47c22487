import ControlCentre
import HTTP
import JSON
import Store
import TLS

extension API {
    private static let reportReaders: Set<Role> = [.statistician, .shiftSupervisor, .auditor]

    func addReports() {
        add(.get, "/v1/reports", for: Self.reportReaders) { api, call in
            var query = QueryReader(call.request)
            let page = try query.page()
            var filter = ReportFilter()
            filter.site = try query.site(for: call)
            filter.reference = query.line("reference", length: 1...100)
            filter.released = query.bool("released")
            filter.from = query.time("from")
            filter.to = query.time("to")
            try query.finish()
            try await api.database.logReading(
                .reportRead, at: filter.site, by: call.author(), at: call.receivedAt)
            return .page(try await api.database.reports(filter, page), for: call.request)
        }
        add(.post, "/v1/reports", for: [.statistician]) { api, call in
            try call.rejectParameters()
            var draft = try call.body { ReportDraft(&$0, at: call.receivedAt) }
            if let bound = call.site {
                if let asked = draft.site, asked != bound { throw Problem.unknown("site") }
                draft.site = bound
            }
            let (id, summary) = try await api.database.freeze(
                draft, with: try SigningKey.stored(at: api.signingKeyFile), by: call.author(),
                at: call.receivedAt)
            return .json(summary, status: 201, fields: [("location", "/v1/reports/\(id)")])
        }
        add(.get, "/v1/reports/key", for: Self.reportReaders) { api, call in
            var query = QueryReader(call.request)
            let fingerprint = query.value("id", expected: "64 hexadecimal digits") {
                [UInt8](hexadecimal: $0, count: 32)
            }
            try query.finish()
            try await api.database.logReading(
                .reportRead, at: call.site, by: call.author(), at: call.receivedAt)
            let key: String
            if let fingerprint {
                guard let known = try await api.database.reportKey(fingerprint) else {
                    throw Problem.unknown("key")
                }
                key = known
            } else {
                key = try SigningKey.stored(at: api.signingKeyFile).publicKeyPEM
            }
            return Response(
                status: 200, fields: [("content-type", "application/x-pem-file")],
                body: Array(key.utf8))
        }
        add(.get, "/v1/reports/{id}", for: Self.reportReaders) { api, call in
            let id = try call.id(ReportID.self, of: "report")
            var query = QueryReader(call.request)
            let (format, dialect) = query.reportFormat(for: call.request)
            try query.finish()
            let report = try await api.read(id, for: call)
            return Response(
                status: 200, fields: format.fields, body: report.bytes(format, dialect: dialect))
        }
        add(.post, "/v1/reports/{id}/release", for: [.statistician]) { api, call in
            try call.rejectParameters()
            let id = try call.id(ReportID.self, of: "report")
            try call.optionalBody { _ in () }
            switch try await api.database.releaseReport(
                id, only: call.site, by: call.author(), at: call.receivedAt)
            {
            case .released(let summary): return .json(summary)
            case .unknown: throw Problem.unknown("report")
            case .alreadyReleased(let current):
                try await api.logReading(of: id, by: call)
                throw Problem(
                    409, "report.already-released", "The report has been released.",
                    members: [("current", current)])
            case .needsAnother(let current):
                try await api.logReading(of: id, by: call)
                throw Problem(
                    409, "report.needs-another",
                    "Whoever froze the report cannot release it; another person has to.",
                    members: [("current", current)])
            }
        }
        add(.post, "/v1/reports/{id}/recheck", for: Self.reportReaders) { api, call in
            try call.rejectParameters()
            let id = try call.id(ReportID.self, of: "report")
            try call.optionalBody { _ in () }
            try await api.logReading(of: id, by: call)
            let recheck = try await api.database.recheck(
                id, only: call.site, at: call.receivedAt)
            guard let recheck else { throw Problem.unknown("report") }
            return .json(recheck.json(showingEntries: call.principal?.role != .statistician))
        }
    }

    private func logReading(of id: ReportID, by call: Call) async throws {
        let isKnown = try await database.logReading(
            of: id, only: call.site, by: try call.author(), at: call.receivedAt)
        guard isKnown else { throw Problem.unknown("report") }
    }

    private func read(_ id: ReportID, for call: Call) async throws -> FrozenReport {
        try await logReading(of: id, by: call)
        switch try await database.frozenReport(id, only: call.site) {
        case .report(let report): return report
        case .unknown: throw Problem.unknown("report")
        case .damaged:
            logger.error("report \(id) is not what was signed")
            throw Problem.damagedReport
        }
    }
}

extension ReportFormat {
    fileprivate var fields: [HeaderField] {
        switch self {
        case .json: [("content-type", "application/json")]
        case .canonical: [("content-type", "application/vnd.leitstand.report+json")]
        case .signature: [("content-type", "application/octet-stream")]
        case .csv: [("content-type", "text/csv; charset=utf-8")]
        case .html:
            [
                ("content-type", "text/html; charset=utf-8"),
                (
                    "content-security-policy",
                    ReportStyle.contentSecurityPolicy + "; frame-ancestors 'none'; sandbox"
                ),
                ("x-content-type-options", "nosniff"), ("referrer-policy", "no-referrer"),
            ]
        }
    }
}

extension QueryReader {
    /// `format` and `dialect`; without them as the Accept header prefers.
    fileprivate mutating func reportFormat(for request: Request) -> (ReportFormat, CSVDialect) {
        let formats = ReportFormat.allCases.map(\.rawValue).joined(separator: ", ")
        let format = value("format", expected: "one of \(formats)") { ReportFormat(rawValue: $0) }
        let dialects = CSVDialect.allCases.map(\.rawValue).joined(separator: " or ")
        let dialect = value("dialect", expected: dialects) { CSVDialect(rawValue: $0) }
        let accepted = request.fields.first(named: "accept") ?? ""
        let preferred: ReportFormat =
            accepted.hasPrefix("text/html") ? .html : accepted.hasPrefix("text/csv") ? .csv : .json
        let chosen = format ?? (dialect == nil ? preferred : .csv)
        if chosen != .csv, dialect != nil {
            refuse("dialect", code: "invalid", "is for the format csv only")
        }
        return (chosen, dialect ?? .rfc4180)
    }
}
