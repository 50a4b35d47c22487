import ControlCentre
import HTTP
import Store

extension Call {
    /// The reading of one thing, with the reason that the request gives for it, if any.
    func access(_ action: AccessAction, to subject: some UUIDIdentifier) throws(Problem) -> Access {
        Access(
            action, subject, only: site, by: try author(), reason: try accessReason(),
            at: receivedAt)
    }

    /// `Access-Reason`, percent-encoded UTF-8, as header fields are ASCII.
    private func accessReason() throws(Problem) -> String? {
        guard let value = request.fields.first(named: "access-reason") else { return nil }
        guard let reason = percentDecoded(value), (1...500).contains(reason.unicodeScalars.count),
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

extension Accessed {
    /// What was read, or the problem why not.
    func value(of resource: String) throws(Problem) -> Value {
        switch self {
        case .granted(let value): return value
        case .unknown: throw .unknown(resource)
        case .withoutReason(let rule):
            let way =
                rule == .shift
                ? "Start a shift, or send Access-Reason." : "Send Access-Reason."
            throw Problem(
                403, "access.reason-missing",
                "The site wants a reason for reading this. \(way)",
                faults: [
                    Problem.Fault(
                        .header("Access-Reason"), code: "access.reason-missing",
                        detail: "the header is required here")
                ])
        }
    }
}
