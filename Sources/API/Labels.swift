import ControlCentre
import HTTP
import Store

extension API {
    func addLabels() {
        add(.get, "/v1/labels", for: [.administrator]) { api, call in
            var query = QueryReader(call.request)
            let limit = query.integer("limit", in: 1...500) ?? 50
            let after =
                query.value("after", expected: "the id of a label, such as 1234.1") { EventID($0) }
            let site = try query.site(for: call)
            let recipient = query.requiredLine("recipient", length: 1...200)
            let legalBasis = query.requiredLine("legal_basis", length: 1...200)
            try query.finish()
            guard let recipient, let legalBasis else { preconditionFailure("checked by finish") }
            let page = try await api.database.discloseLabels(
                after: after ?? .origin, of: site, limit: limit,
                LabelDisclosure(recipient: recipient, legalBasis: legalBasis),
                by: call.author(), at: call.receivedAt)
            return .lines(page, for: call.request)
        }
    }
}

extension QueryReader {
    fileprivate mutating func requiredLine(_ name: String, length: ClosedRange<Int>) -> String? {
        if text(name) == nil { refuse(name, code: "missing", "is required") }
        guard let line = line(name, length: length) else { return nil }
        if isBlank(line) { refuse(name, code: "invalid", "must not be blank") }
        return line
    }
}

extension Response {
    /// One label per line (NDJSON), with a Link to the next page (RFC 8288).
    fileprivate static func lines(_ page: LabelPage, for request: Request) -> Response {
        var body: [UInt8] = []
        for document in page.documents {
            body += document
            body.append(UInt8(ascii: "\n"))
        }
        var fields: [HeaderField] = [("content-type", "application/x-ndjson")]
        if let next = page.next {
            fields.append(link(toNext: next.description, as: "after", for: request))
        }
        return Response(status: 200, fields: fields, body: body)
    }
}
