import ControlCentre
import HTTP
import Store

extension API {
    func addStream() {
        add(.get, "/v1/stream", for: [.observer, .shiftSupervisor]) { api, call in
            var query = QueryReader(call.request)
            let site = try query.site(for: call)
            let types = query.parts(of: "types", expected: "event names or their first parts") {
                LiveEvent.isType($0) ? $0 : nil
            }
            try query.finish()
            let start = try await api.startingPoint(of: call)
            // Once more: a revocation meanwhile found no stream to end.
            let principal = try await api.authenticator.principal(of: call.request)
            let stream = LiveStream(
                hub: api.hub, filter: LiveFilter(site: site, types: types.map { Set($0) }),
                principal: principal, after: start.id, isResumed: start.isResumed, on: api.loop)
            var response = Response(streaming: stream, contentType: "text/event-stream")
            response.fields.append(("cache-control", "no-store"))
            // nginx would gather events before it passes them on.
            response.fields.append(("x-accel-buffering", "no"))
            return response
        }
    }

    /// What the reader has seen: `Last-Event-ID`, or everything until now.
    fileprivate func startingPoint(of call: Call) async throws
        -> (id: EventID, isResumed: Bool)
    {
        let head = try await database.journalHead()
        guard let text = call.request.fields.first(named: "last-event-id") else {
            return (head, false)
        }
        guard let id = EventID(text) else {
            throw Problem.invalidEventID("must be position.ordinal, such as 4711.1")
        }
        guard id <= head else {
            throw Problem.invalidEventID("must be of an event that has been; the newest is \(head)")
        }
        return (id, true)
    }
}

extension Problem {
    fileprivate static func invalidEventID(_ detail: String) -> Problem {
        .header("Last-Event-ID", "stream.cursor-invalid", detail)
    }
}
