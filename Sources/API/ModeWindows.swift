import ControlCentre
import HTTP
import JSON
import Store

extension API {
    func addModeWindows() {
        add(.get, "/v1/mode-windows", for: ConfigurationRoles.readers) { api, call in
            var query = QueryReader(call.request)
            let page = try query.page()
            var filter = ModeWindowFilter()
            filter.site = try query.site(for: call)
            filter.camera = query.id("camera")
            filter.operatingModes = query.anyOf("operating_mode", OperatingMode.self)
            filter.runningAt = query.time("running_at")
            filter.from = query.time("from")
            filter.to = query.time("to")
            try query.finish()
            return .page(try await api.database.modeWindows(filter, page), for: call.request)
        }
        add(.post, "/v1/mode-windows", for: ConfigurationRoles.schedulers) { api, call in
            try call.rejectParameters()
            let window = try call.body { NewModeWindow(&$0) }
            _ = try call.checkedSite(window.site)
            let outcome = try await api.database.createModeWindow(
                window, by: call.author(), at: call.receivedAt)
            return try .created(outcome, resource: "mode-window", path: "/v1/mode-windows")
        }
        add(.get, "/v1/mode-windows/{id}", for: ConfigurationRoles.readers) { api, call in
            try call.rejectParameters()
            let id = try call.id(ModeWindowID.self, of: "mode-window")
            return try .found(
                try await api.database.modeWindow(id, only: call.site), resource: "mode-window")
        }
        add(.post, "/v1/mode-windows/{id}/end", for: ConfigurationRoles.schedulers) { api, call in
            try call.rejectParameters()
            let id = try call.id(ModeWindowID.self, of: "mode-window")
            try call.optionalBody { _ in () }
            let outcome = try await api.database.endModeWindow(
                id, only: call.site, by: call.author(), at: call.receivedAt)
            return try .ended(outcome, resource: "mode-window")
        }
    }
}

extension NewModeWindow {
    /// What goes on longer is the camera's or the site's own mode.
    private static let lengthMax: Duration = .seconds(31 * 24 * 3_600)

    init?(_ reader: inout ObjectReader) {
        let site = reader.required("site", expected: "a site's id") { SiteID($0) }
        let camera = reader.nullable("camera", expected: "a camera's id") { CameraID($0) }
        let mode = reader.requiredCase("operating_mode", of: OperatingMode.self)
        let from = reader.requiredTime("from")
        let to = reader.requiredTime("to")
        let note = reader.nullableString("note", length: 1...4_000)
        reader.requireOrder("from", from, "to", to)
        if let from, let to, to - from > Self.lengthMax {
            reader.refuse("to", code: "out-of-range", "must be at most 31 days after from")
        }
        guard let site, let mode, let from, let to else { return nil }
        self.init(
            site: site, camera: camera, operatingMode: mode, from: from, to: to, note: note)
    }
}
