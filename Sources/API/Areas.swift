import ControlCentre
import HTTP
import JSON
import Store

extension API {
    func addAreas() {
        add(.get, "/v1/areas", for: ConfigurationRoles.readers) { api, call in
            var query = QueryReader(call.request)
            let page = try query.page()
            let site = try query.site(for: call)
            let monitored = query.bool("monitored")
            let created = query.creationTimes()
            try query.finish()
            return .page(
                try await api.database.areas(
                    of: site, monitored: monitored, created: created, page),
                for: call.request)
        }
        add(.post, "/v1/areas", for: ConfigurationRoles.writers) { api, call in
            try call.rejectParameters()
            let area = try call.body { NewArea(&$0) }
            _ = try call.checkedSite(area.site)
            let outcome = try await api.database.createArea(
                area, by: call.author(), at: call.receivedAt)
            return try .created(outcome, resource: "area", path: "/v1/areas")
        }
        add(.get, "/v1/areas/{id}", for: ConfigurationRoles.readers) { api, call in
            try call.rejectParameters()
            let id = try call.id(AreaID.self, of: "area")
            return try .found(try await api.database.area(id, only: call.site), resource: "area")
        }
        add(.patch, "/v1/areas/{id}", for: ConfigurationRoles.writers) { api, call in
            try call.rejectParameters()
            let id = try call.id(AreaID.self, of: "area")
            let precondition = try call.precondition()
            let change = try call.body(mediaTypes: patchMediaTypes) { AreaChange(&$0) }
            let outcome = try await api.database.changeArea(
                id, only: call.site, if: precondition, to: change, by: call.author(),
                at: call.receivedAt)
            return try await api.changed(outcome, "area", id)
        }
    }
}

extension NewArea {
    init?(_ reader: inout ObjectReader) {
        let site = reader.required("site", expected: "a site's id") { SiteID($0) }
        let name = reader.requiredLine("name", length: 1...200)
        let monitored = reader.optionalBool("monitored") ?? true
        guard let site, let name else { return nil }
        self.init(site: site, name: name, monitored: monitored)
    }
}

extension AreaChange {
    init?(_ reader: inout ObjectReader) {
        self.init()
        name = reader.optionalLine("name", length: 1...200)
        monitored = reader.optionalBool("monitored")
    }
}
