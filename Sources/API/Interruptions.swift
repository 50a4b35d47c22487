import ControlCentre
import HTTP
import JSON
import Store

extension API {
    func addInterruptions() {
        add(.get, "/v1/interruptions", for: ConfigurationRoles.readers) { api, call in
            var query = QueryReader(call.request)
            let page = try query.page()
            var filter = InterruptionFilter()
            filter.site = try query.site(for: call)
            filter.camera = query.id("camera")
            filter.area = query.id("area")
            filter.ground = query.value("ground", expected: "1 to 200 characters of one line") {
                (1...200).contains($0.unicodeScalars.count) && isLine($0) ? $0 : nil
            }
            filter.runningAt = query.time("running_at")
            filter.from = query.time("from")
            filter.to = query.time("to")
            try query.finish()
            return .page(try await api.database.interruptions(filter, page), for: call.request)
        }
        add(.post, "/v1/interruptions", for: ConfigurationRoles.schedulers) { api, call in
            try call.rejectParameters()
            let interruption = try call.body { NewInterruption(&$0) }
            _ = try call.checkedSite(interruption.site)
            let outcome = try await api.database.createInterruption(
                interruption, by: call.author(), at: call.receivedAt)
            return try .created(outcome, resource: "interruption", path: "/v1/interruptions")
        }
        add(.get, "/v1/interruptions/{id}", for: ConfigurationRoles.readers) { api, call in
            try call.rejectParameters()
            let id = try call.id(InterruptionID.self, of: "interruption")
            return try .found(
                try await api.database.interruption(id, only: call.site), resource: "interruption")
        }
        add(.post, "/v1/interruptions/{id}/end", for: ConfigurationRoles.schedulers) { api, call in
            try call.rejectParameters()
            let id = try call.id(InterruptionID.self, of: "interruption")
            let end: Timestamp? = try call.optionalBody { .some($0.nullableTime("at")) }
            let outcome = try await api.database.endInterruption(
                id, only: call.site, to: end, by: call.author(), at: call.receivedAt)
            return try .ended(outcome, resource: "interruption")
        }
    }
}

extension NewInterruption {
    init?(_ reader: inout ObjectReader) {
        let site = reader.required("site", expected: "a site's id") { SiteID($0) }
        let camera = reader.nullable("camera", expected: "a camera's id") { CameraID($0) }
        let area = reader.nullable("area", expected: "an area's id") { AreaID($0) }
        let ground = reader.requiredLine("ground", length: 1...200)
        let from = reader.requiredTime("from")
        let to = reader.nullableTime("to")
        reader.requireOrder("from", from, "to", to)
        if camera != nil, area != nil {
            reader.refuse("area", "must be absent where a camera is named")
        }
        guard let site, let ground, let from else { return nil }
        let scope: Scope = camera.map { .camera($0) } ?? area.map { .area($0) } ?? .site
        self.init(site: site, scope: scope, ground: ground, from: from, to: to)
    }
}
