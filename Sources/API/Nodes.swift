import ControlCentre
import HTTP
import JSON
import Store

extension API {
    func addNodes() {
        add(.get, "/v1/nodes", for: ConfigurationRoles.readers) { api, call in
            var query = QueryReader(call.request)
            let page = try query.page()
            let site = try query.site(for: call)
            let lost = query.bool("lost")
            let created = query.creationTimes()
            try query.finish()
            return .page(
                try await api.database.nodes(of: site, lost: lost, created: created, page),
                for: call.request)
        }
        add(.post, "/v1/nodes", for: ConfigurationRoles.writers) { api, call in
            try call.rejectParameters()
            let node = try call.body { NewNode(&$0) }
            _ = try call.checkedSite(node.site)
            let outcome = try await api.database.createNode(
                node, by: call.author(), at: call.receivedAt)
            return try .created(outcome, resource: "node", path: "/v1/nodes")
        }
        add(.get, "/v1/nodes/{id}", for: ConfigurationRoles.readers) { api, call in
            try call.rejectParameters()
            let id = try call.id(NodeID.self, of: "node")
            return try .found(try await api.database.node(id, only: call.site), resource: "node")
        }
        add(.patch, "/v1/nodes/{id}", for: ConfigurationRoles.writers) { api, call in
            try call.rejectParameters()
            let id = try call.id(NodeID.self, of: "node")
            let precondition = try call.precondition()
            let change = try call.body(mediaTypes: patchMediaTypes) { NodeChange(&$0) }
            let outcome = try await api.database.changeNode(
                id, only: call.site, if: precondition, to: change, by: call.author(),
                at: call.receivedAt)
            return try await api.changed(outcome, "node", id)
        }
    }
}

private let heartbeatSecondsRange = 1...3_600

extension NewNode {
    init?(_ reader: inout ObjectReader) {
        let site = reader.required("site", expected: "a site's id") { SiteID($0) }
        let name = reader.requiredLine("name", length: 1...200)
        let model = reader.requiredLine("model", length: 1...100)
        let version = reader.nullableLine("model_version", length: 1...99)
        let seconds = reader.nullableInteger("heartbeat_seconds", in: heartbeatSecondsRange)
        guard let site, let name, let model else { return nil }
        self.init(site: site, name: name, model: model)
        modelVersion = version
        if let seconds { heartbeatSeconds = seconds }
    }
}

extension NodeChange {
    init?(_ reader: inout ObjectReader) {
        self.init()
        name = reader.optionalLine("name", length: 1...200)
        model = reader.optionalLine("model", length: 1...100)
        if reader.contains("model_version") {
            modelVersion = .some(reader.nullableLine("model_version", length: 1...99))
        }
        heartbeatSeconds = reader.optionalInteger("heartbeat_seconds", in: heartbeatSecondsRange)
    }
}
