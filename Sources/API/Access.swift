import ControlCentre
import HTTP
import Store

extension API {
    /// Records a reading before it happens, with the reason that the request gives for it, if any.
    ///
    /// - Parameter resource: what is read, as problems name it.
    func log(
        _ action: AccessAction, of subject: some UUIDIdentifier, _ resource: String, by call: Call
    ) async throws {
        try Self.permit(try await database.log(call.access(action, of: subject)), resource)
    }

    /// As `log`, of what a shift at a site takes over, with the holds that it shows.
    func logHandover(of site: SiteID, showing holds: [HoldID], by call: Call) async throws {
        let outcome = try await database.logHandover(
            of: site, showing: holds, by: try call.author(), reason: try call.accessReason(),
            at: call.receivedAt)
        try Self.permit(outcome, "site")
    }

    private static func permit(_ outcome: AccessOutcome, _ resource: String) throws(Problem) {
        switch outcome {
        case .logged: return
        case .unknown: throw .unknown(resource)
        case .withoutReason(let rule): throw Problem(rule)
        }
    }

    /// Records that refusals of changes show things as they are. A change has its row in the
    /// journal; what is refused has none, and yet whoever wanted it reads.
    ///
    /// - Returns: of which the refusals may tell how they are: not where the site wants a reason
    ///   for a reading and got none.
    func logShown<ID: UUIDIdentifier>(
        _ action: AccessAction, of subjects: some Collection<ID>, by call: Call
    ) async throws -> Set<ID> {
        guard !subjects.isEmpty else { return [] }
        let outcomes = try await database.log(
            try subjects.map { (subject) throws(Problem) in try call.access(action, of: subject) })
        var shown: Set<ID> = []
        for (subject, outcome) in zip(subjects, outcomes) {
            if case .logged = outcome { shown.insert(subject) }
        }
        return shown
    }

    /// What a refusal tells of the thing that it is about; nil where the reader may not see it.
    func shown(
        _ current: [UInt8]?, _ action: AccessAction, of subject: some UUIDIdentifier, by call: Call
    ) async throws -> [UInt8]? {
        guard let current else { return nil }
        return try await logShown(action, of: [subject], by: call).isEmpty ? nil : current
    }
}

extension Call {
    fileprivate func access(
        _ action: AccessAction, of subject: some UUIDIdentifier
    ) throws(Problem) -> Access {
        Access(
            action, subject, only: site, by: try author(), reason: try accessReason(),
            at: receivedAt)
    }

    /// `Access-Reason`, percent-encoded UTF-8, as header fields are ASCII.
    func accessReason() throws(Problem) -> String? {
        guard let value = request.fields.first(named: "access-reason") else { return nil }
        guard value.utf8.allSatisfy({ (0x21...0x7e).contains($0) }),
            let reason = percentDecoded(value), (1...500).contains(reason.unicodeScalars.count),
            isLine(reason), !isBlank(reason)
        else {
            throw .header(
                "Access-Reason", "access.reason-invalid",
                "must be 1 to 500 characters of one line, not blank, percent-encoded")
        }
        return reason
    }
}

extension Problem {
    /// A reading for which a reason was missing.
    init(_ rule: AccessReason) {
        let way =
            rule == .shift ? "Start a shift, or send Access-Reason." : "Send Access-Reason."
        self.init(
            403, "access.reason-missing", "The site wants a reason for reading this. \(way)",
            faults: [
                Fault(
                    .header("Access-Reason"), code: "access.reason-missing",
                    detail: "the header is required here")
            ])
    }
}
