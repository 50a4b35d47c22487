import ControlCentre
import Embedded
import EventLoop
import HTTP
import JSON
import Store
import Yams

extension API {
    func addOperation() {
        addOpen(.get, "/livez") { _, call in
            try call.rejectParameters()
            return .json(Array("{\"status\":\"alive\"}".utf8))
        }
        addOpen(.get, "/readyz") { api, call in
            try call.rejectParameters()
            if api.isDraining {
                throw Problem(
                    503, "server.draining", "The server is stopping.",
                    fields: [("retry-after", "1")])
            }
            try await api.database.ping()
            return .json(Array("{\"status\":\"ready\"}".utf8))
        }
        addOpen(.get, "/openapi.json") { _, call in
            try call.rejectParameters()
            return .json(contractJSON)
        }
        add(.get, "/metrics", for: [.monitor]) { api, call in
            try call.rejectParameters()
            var total = Metrics()
            for peer in api.peers {
                total.add(
                    await peer.run { api, loop in
                        var metrics = api.metrics
                        metrics.streamReaders = api.hub.readerCount
                        return metrics
                    })
            }
            // Whatever else can be told is told while PostgreSQL is away.
            let gauges = try? await api.database.alarmGauges(
                only: call.site, at: call.receivedAt)
            return Response(
                status: 200, fields: [("content-type", "text/plain; version=0.0.4; charset=utf-8")],
                body: Array((total.text + Metrics.text(of: gauges ?? [])).utf8))
        }
    }
}

/// The contract as JSON, converted once from the YAML that travels in the program.
private let contractJSON: [UInt8] = {
    guard let file = EmbeddedFile.contract, let node = try? Yams.compose(yaml: file.text) else {
        preconditionFailure("the embedded contract is no YAML")
    }
    var writer = JSONWriter()
    write(node, to: &writer)
    return writer.bytes
}()

/// The program's version, which is the contract's.
let programVersion: String = {
    guard let version = (try? JSON.parse(contractJSON))?["info"]?["version"]?.asString else {
        preconditionFailure("the embedded contract has no version")
    }
    return version
}()

private func write(_ node: Node, to writer: inout JSONWriter) {
    switch node {
    case .mapping(let mapping):
        writer.object { writer in
            for (key, value) in mapping {
                writer.name(key.string ?? "")
                write(value, to: &writer)
            }
        }
    case .sequence(let sequence):
        writer.array { writer in
            for item in sequence { write(item, to: &writer) }
        }
    case .scalar(let scalar):
        if scalar.style != .plain {
            writer.value(scalar.string)
        } else if node.null != nil {
            writer.null()
        } else if let value = node.bool {
            writer.value(value)
        } else if let value = node.int {
            writer.value(value)
        } else if let value = node.float {
            writer.value(value)
        } else {
            writer.value(scalar.string)
        }
    case .alias:
        // Compose resolves aliases; the contract uses none.
        writer.null()
    }
}
