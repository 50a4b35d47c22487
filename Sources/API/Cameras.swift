import ControlCentre
import HTTP
import JSON
import Store

extension API {
    func addCameras() {
        add(.get, "/v1/cameras", for: ConfigurationRoles.readers) { api, call in
            var query = QueryReader(call.request)
            let page = try query.page()
            let site = try query.site(for: call)
            let area = query.id("area", AreaID.self)
            let key = query.value("key", expected: "1 to 200 characters of one line") {
                (1...200).contains($0.unicodeScalars.count) && isLine($0) ? $0 : nil
            }
            let removed = query.bool("removed")
            let created = query.creationTimes()
            try query.finish()
            return .page(
                try await api.database.cameras(
                    of: site, area: area, key: key, removed: removed, created: created, page),
                for: call.request)
        }
        add(.post, "/v1/cameras", for: ConfigurationRoles.writers) { api, call in
            try call.rejectParameters()
            let camera = try call.body { NewCamera(&$0) }
            _ = try call.checkedSite(camera.site)
            let outcome = try await api.database.createCamera(
                camera, by: call.author(), at: call.receivedAt)
            return try .created(outcome, resource: "camera", path: "/v1/cameras")
        }
        add(.get, "/v1/cameras/{id}", for: ConfigurationRoles.readers) { api, call in
            try call.rejectParameters()
            let id = try call.id(CameraID.self, of: "camera")
            try await api.log(.liveAddressRead, of: id, "camera", by: call)
            return try .found(
                try await api.database.camera(id, only: call.site), resource: "camera")
        }
        add(.patch, "/v1/cameras/{id}", for: ConfigurationRoles.writers) { api, call in
            try call.rejectParameters()
            let id = try call.id(CameraID.self, of: "camera")
            let precondition = try call.precondition()
            let change = try call.body(mediaTypes: patchMediaTypes) { CameraChange(&$0) }
            let outcome = try await api.database.changeCamera(
                id, only: call.site, if: precondition, to: change, by: call.author(),
                at: call.receivedAt)
            // What changed nothing is in no journal, and shows the live address.
            if case .unchanged = outcome {
                try await api.log(.liveAddressRead, of: id, "camera", by: call)
            }
            return try await api.changed(outcome, "camera", id)
        }
    }
}

extension NewCamera {
    init?(_ reader: inout ObjectReader) {
        let site = reader.required("site", expected: "a site's id") { SiteID($0) }
        let area = reader.required("area", expected: "an area's id") { AreaID($0) }
        let name = reader.requiredLine("name", length: 1...200)
        let place = CameraPlace(&reader)
        guard let site, let area, let name else { return nil }
        self.init(site: site, area: area, name: name)
        key = place.key
        latitude = place.latitude
        longitude = place.longitude
        liveURL = place.liveURL
        operatingMode = place.operatingMode
        operatingHours = place.operatingHours
        removedAt = place.removedAt
        installedAt = reader.optionalTime("installed_at")
    }
}

extension CameraChange {
    init?(_ reader: inout ObjectReader) {
        self.init()
        let place = CameraPlace(&reader)
        area = reader.optional("area", expected: "an area's id") { AreaID($0) }
        name = reader.optionalLine("name", length: 1...200)
        if reader.contains("key") { key = .some(place.key) }
        if reader.contains("latitude") { latitude = .some(place.latitude) }
        if reader.contains("longitude") { longitude = .some(place.longitude) }
        if reader.contains("live_url") { liveURL = .some(place.liveURL) }
        if reader.contains("operating_mode") { operatingMode = .some(place.operatingMode) }
        if reader.contains("operating_hours") { operatingHours = .some(place.operatingHours) }
        installedAt = reader.optionalTime("installed_at")
        if reader.contains("removed_at") { removedAt = .some(place.removedAt) }
    }
}

/// The members of a camera that may be null.
private struct CameraPlace {
    let key: String?
    let latitude: Double?
    let longitude: Double?
    let liveURL: String?
    let operatingMode: OperatingMode?
    let operatingHours: WeeklySchedule?
    let removedAt: Timestamp?

    init(_ reader: inout ObjectReader) {
        key = reader.nullableLine("key", length: 1...200)
        latitude = reader.nullableNumber("latitude", in: -90...90)
        longitude = reader.nullableNumber("longitude", in: -180...180)
        liveURL = reader.nullable(
            "live_url", expected: "an http, https, rtsp or rtsps URL of at most 2000 characters"
        ) { text in
            let schemes = ["http://", "https://", "rtsp://", "rtsps://"]
            guard text.utf8.count <= 2_000, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }),
                let scheme = schemes.first(where: { text.hasPrefix($0) }),
                text.utf8.count > scheme.utf8.count
            else { return nil }
            return text
        }
        operatingMode = reader.nullableCase("operating_mode", of: OperatingMode.self)
        operatingHours = reader.nullableSchedule("operating_hours")
        removedAt = reader.nullableTime("removed_at")
    }
}
