import Client
import ControlCentre
import EventLoop
import HTTP
import JSON
import Server

/// Our own server with a responder that follows a script, then takes everything.
final class ScriptedServer: Responder {
    enum Line {
        /// Answers with this status and these fields, and takes nothing.
        case answer(Int, code: String, fields: [HeaderField] = [])
        /// Takes what was sent, but says so with this status.
        case takeAndAnswer(Int)
        /// Refuses each detection of the request.
        case refuse(code: String)
    }

    private(set) var origin = Origin(isSecure: false, host: "127.0.0.1", port: 1)
    /// How often each detection arrived, by its bytes as text; they tell whether a resend is the same.
    private(set) var arrivals: [String: Int] = [:]
    private(set) var authorizations: Set<String> = []
    private(set) var requestCount = 0
    private var taken: Set<String> = []
    private var script: [Line]
    private var server: Server?

    init(_ script: [Line], on loop: isolated EventLoop) throws {
        self.script = script
        let place = ListeningSockets.Place(
            address: ListenAddress(host: "127.0.0.1", port: 0), tls: nil)
        let sockets = try ListeningSockets([place], loops: 1)
        let server = Server(responder: self, limits: ServerLimits()) { _ in }
        try server.listen(on: sockets.byLoop[0], loop: loop)
        self.server = server
        origin = Origin(
            isSecure: false, host: "127.0.0.1", port: sockets.places[0].address.port)
    }

    func respond(to request: Request) async -> Response {
        requestCount += 1
        authorizations.insert(request.fields.first(named: "authorization") ?? "")
        guard let json = try? JSON.parse(request.body) else { return Response(status: 400) }
        let items = json.asArray ?? [json]
        for item in items { arrivals["\(item)", default: 0] += 1 }
        let line = script.isEmpty ? nil : script.removeFirst()
        switch line {
        case .answer(let status, let code, let fields):
            return problem(status, code, fields)
        case .takeAndAnswer(let status):
            for item in items { taken.insert("\(item)") }
            return problem(status, "server.trouble", [])
        case .refuse(let code):
            return items.count == 1 && json.asArray == nil
                ? problem(422, code, [])
                : outcomes(of: items, isArray: true) { _ in ("refused", code) }
        case nil:
            return outcomes(of: items, isArray: json.asArray != nil) { item in
                (taken.insert("\(item)").inserted ? "created" : "duplicate", nil)
            }
        }
    }

    func respond(to problem: Problem, requestID: String) -> Response {
        Response(status: problem.status)
    }

    private func problem(_ status: Int, _ code: String, _ fields: [HeaderField]) -> Response {
        var writer = JSONWriter()
        writer.object { writer in writer.member("code", code) }
        return Response(status: status, fields: fields, body: writer.bytes)
    }

    private func outcomes(
        of items: [JSON], isArray: Bool, _ outcome: (JSON) -> (String, code: String?)
    ) -> Response {
        let answers = items.map { item in
            let (name, code) = outcome(item)
            var writer = JSONWriter()
            writer.object { writer in
                writer.member("id", item["id"]?.asString)
                writer.member("outcome", name)
                writer.member("alarm", item["camera"]?.asString)
                writer.name("problem")
                if let code {
                    writer.object { writer in writer.member("code", code) }
                } else {
                    writer.null()
                }
            }
            return writer.bytes
        }
        guard isArray else { return Response(status: 200, body: answers[0]) }
        var writer = JSONWriter()
        writer.object { writer in
            writer.array("items") { writer in
                for answer in answers { writer.raw(answer) }
            }
        }
        return Response(status: 200, body: writer.bytes)
    }
}
