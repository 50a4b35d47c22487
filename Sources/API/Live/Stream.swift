import ControlCentre
import HTTP
import Store

extension API {
    func addStream() {
        add(.get, "/v1/stream", for: [.observer, .shiftSupervisor]) { api, call in
            var query = QueryReader(call.request)
            let site = try query.site(for: call)
            let types = query.value(
                "types", expected: "event names or their first parts, parted by commas"
            ) { text -> Set<String>? in
                let types = text.split(separator: ",", omittingEmptySubsequences: false)
                    .map(String.init)
                return types.allSatisfy(LiveEvent.isType) ? Set(types) : nil
            }
            try query.finish()
            let cursor = try await api.startingPoint(of: call)
            // Once more, for a token that was revoked meanwhile has had its streams ended already.
            let principal = try await api.authenticator.principal(of: call.request)
            let stream = LiveStream(
                hub: api.hub, filter: LiveFilter(site: site, types: types), bearer: principal,
                after: cursor, on: api.loop)
            var response = Response(streaming: stream, contentType: "text/event-stream")
            response.fields.append(("cache-control", "no-store"))
            // nginx would gather events before it passes them on.
            response.fields.append(("x-accel-buffering", "no"))
            return response
        }
    }

    /// What the reader has seen: `Last-Event-ID`, or everything until now.
    fileprivate func startingPoint(of call: Call) async throws -> EventID {
        let head = try await database.journalHead()
        guard let text = call.request.fields.first(named: "last-event-id") else { return head }
        guard let id = EventID(text) else {
            throw Problem.invalidEventID("must be position.ordinal, such as 4711.1")
        }
        guard id.position <= head.position else {
            throw Problem.invalidEventID("must be of an event that has been; the newest is \(head)")
        }
        return id
    }
}

extension Problem {
    fileprivate static func invalidEventID(_ detail: String) -> Problem {
        Problem(
            422, "stream.cursor-invalid", "Last-Event-ID \(detail).",
            faults: [
                Fault(.header("Last-Event-ID"), code: "stream.cursor-invalid", detail: detail)
            ])
    }
}
