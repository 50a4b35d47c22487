import ControlCentre
import HTTP
import Store

extension API {
    /// Adds the route of a history, which observers read page by page, oldest first.
    func addHistory<ID: UUIDIdentifier>(_ path: String, of subject: HistorySubject, _: ID.Type) {
        add(.get, "\(path)/{id}/history", for: [.observer, .shiftSupervisor]) { api, call in
            let id = try call.id(ID.self, of: subject.name)
            var query = QueryReader(call.request)
            let limit = query.integer("limit", in: 1...500) ?? 50
            var after: EventID?
            if let cursor = query.text("cursor") {
                guard let event: EventID = Cursor.decode(cursor) else {
                    throw Problem.invalidCursor
                }
                after = event
            }
            try query.finish()
            try await api.log(subject.action, of: id, subject.name, by: call)
            guard
                let history = try await api.database.history(
                    of: id, in: subject, only: call.site, after: after, limit: limit)
            else { throw Problem.unknown(subject.name) }
            return .list(
                history.documents, next: history.next.map { Cursor.encode($0) }, for: call.request)
        }
    }
}
