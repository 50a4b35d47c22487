import ControlCentre
import HTTP
import Store

extension API {
    func addAudit() {
        add(.get, "/v1/audit", for: [.auditor]) { api, call in
            var query = QueryReader(call.request)
            let limit = query.integer("limit", in: 1...500) ?? 50
            var before: EventID?
            if let cursor = query.text("cursor") {
                guard let event: EventID = Cursor.decode(cursor) else {
                    throw Problem.invalidCursor
                }
                before = event
            }
            var filter = AuditFilter()
            filter.site = try query.site(for: call)
            filter.event = query.line("event", of: "an event's name")
            filter.subject = query.line("subject", of: "an id")
            filter.actor = query.id("actor")
            filter.roles = query.anyOf("role", Role.self)
            filter.requestID = query.line("request_id", of: "a request's id")
            filter.from = query.time("from")
            filter.to = query.time("to")
            try query.finish()
            let outcome = try await api.database.audit(
                filter, before: before, limit: limit, by: call.author(),
                reason: call.accessReason(), at: call.receivedAt)
            switch outcome {
            case .page(let page):
                return .list(
                    page.documents, next: page.next.map { Cursor.encode($0) }, for: call.request)
            case .withoutReason(let rule):
                throw Problem(rule)
            }
        }
        add(.get, "/v1/access-log", for: [.auditor]) { api, call in
            var query = QueryReader(call.request)
            let page = try query.page()
            var filter = AccessFilter()
            filter.site = try query.site(for: call)
            filter.actions = query.anyOf("action", AccessAction.self)
            filter.subject = query.value("subject", expected: "a UUID, a site's id or a metric") {
                UUID($0)?.description ?? Metric(rawValue: $0)?.rawValue ?? SiteID($0)?.description
            }
            filter.actor = query.id("actor")
            filter.roles = query.anyOf("role", Role.self)
            filter.from = query.time("from")
            filter.to = query.time("to")
            try query.finish()
            return .page(try await api.database.accesses(filter, page), for: call.request)
        }
    }
}

extension QueryReader {
    fileprivate mutating func line(_ name: String, of what: String) -> String? {
        value(name, expected: "\(what), 1 to 200 characters of one line") {
            (1...200).contains($0.unicodeScalars.count) && isLine($0) ? $0 : nil
        }
    }
}
