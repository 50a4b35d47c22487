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
        let access = Access(
            action, subject, only: call.site, by: try call.author(),
            reason: try call.accessReason(),
            at: call.receivedAt)
        switch try await database.log(access) {
        case .logged: return
        case .unknown: throw Problem.unknown(resource)
        case .withoutReason(let rule): throw Problem(rule)
        }
    }
}

extension Call {
    /// `Access-Reason`, percent-encoded UTF-8, as header fields are ASCII.
    fileprivate func accessReason() throws(Problem) -> String? {
        guard let value = request.fields.first(named: "access-reason") else { return nil }
        guard value.utf8.allSatisfy({ (0x21...0x7e).contains($0) }),
            let reason = percentDecoded(value), (1...500).contains(reason.unicodeScalars.count),
            isLine(reason)
        else {
            let detail = "must be 1 to 500 characters of one line, percent-encoded"
            throw Problem(
                422, "access.reason-invalid", "Access-Reason \(detail).",
                faults: [
                    Problem.Fault(
                        .header("Access-Reason"), code: "access.reason-invalid", detail: detail)
                ])
        }
        return reason
    }
}

extension Problem {
    /// A reading for which a reason was missing.
    fileprivate init(_ rule: AccessReason) {
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
