import ControlCentre
import PostgreSQL

public struct NewCamera: Sendable {
    public var site: SiteID
    public var area: AreaID
    public var name: String
    /// The site's own name for it, which nodes may send instead of the id.
    public var key: String?
    /// Degrees, WGS 84.
    public var latitude: Double?
    public var longitude: Double?
    public var liveURL: String?
    /// Nil: the site's.
    public var operatingMode: OperatingMode?
    /// Nil: always.
    public var operatingHours: WeeklySchedule?
    /// Nil: when it is created.
    public var installedAt: Timestamp?
    /// From then on it is history, and its key is free.
    public var removedAt: Timestamp?

    public init(site: SiteID, area: AreaID, name: String) {
        self.site = site
        self.area = area
        self.name = name
    }
}

/// What to change of a camera; nil leaves it, and an inner nil removes the value.
public struct CameraChange: Sendable {
    public var area: AreaID?
    public var name: String?
    public var key: String??
    public var latitude: Double??
    public var longitude: Double??
    public var liveURL: String??
    public var operatingMode: OperatingMode??
    public var operatingHours: WeeklySchedule??
    public var installedAt: Timestamp?
    public var removedAt: Timestamp??

    public init() {}
}

extension Database {
    public func createCamera(_ camera: NewCamera, by author: Author?, at instant: Timestamp)
        async throws(StoreError) -> CreateOutcome
    {
        let id = CameraID.make(at: instant)
        return try await create(
            .cameras, ConfigurationKey(id), of: camera.site,
            columns: [
                ("site", .text(camera.site)), ("id", .uuid(id)), ("area", .uuid(camera.area)),
                ("name", .text(camera.name)), ("key", .text(camera.key)),
                ("latitude", .double(camera.latitude)), ("longitude", .double(camera.longitude)),
                ("live_url", .text(camera.liveURL)),
                ("operating_mode", .text(camera.operatingMode?.rawValue)),
                ("operating_hours", .schedule(camera.operatingHours)),
                ("installed_at", .time(camera.installedAt ?? instant)),
                ("removed_at", .time(camera.removedAt)), ("created_at", .time(instant)),
            ], by: author, at: instant)
    }

    public func camera(_ id: CameraID, only site: SiteID?) async throws(StoreError) -> Stored? {
        try await get(.cameras, ConfigurationKey(id), only: site)
    }

    public func changeCamera(
        _ id: CameraID, only site: SiteID?, if precondition: Precondition, to change: CameraChange,
        by author: Author, at instant: Timestamp
    ) async throws(StoreError) -> ChangeOutcome {
        var columns: [(name: String, value: Parameter)] = []
        if let area = change.area { columns.append(("area", .uuid(area))) }
        if let name = change.name { columns.append(("name", .text(name))) }
        if let key = change.key { columns.append(("key", .text(key))) }
        if let latitude = change.latitude { columns.append(("latitude", .double(latitude))) }
        if let longitude = change.longitude { columns.append(("longitude", .double(longitude))) }
        if let liveURL = change.liveURL { columns.append(("live_url", .text(liveURL))) }
        if let mode = change.operatingMode {
            columns.append(("operating_mode", .text(mode?.rawValue)))
        }
        if let hours = change.operatingHours {
            columns.append(("operating_hours", .schedule(hours)))
        }
        if let installedAt = change.installedAt {
            columns.append(("installed_at", .time(installedAt)))
        }
        if let removedAt = change.removedAt { columns.append(("removed_at", .time(removedAt))) }
        return try await self.change(
            .cameras, ConfigurationKey(id), only: site, if: precondition, set: columns,
            by: author, at: instant)
    }

    public func cameras(
        of site: SiteID?, area: AreaID? = nil, key: String? = nil, removed: Bool? = nil,
        created: CreationTimes = CreationTimes(), _ request: PageRequest
    ) async throws(StoreError) -> Page {
        var query = Query()
        query.filter("t.site", site.map { .text($0) })
        query.filter("t.area", area.map { .uuid($0) })
        query.filter("t.key", key.map { .text($0) })
        query.filter("(t.removed_at IS NOT NULL)", is: removed)
        query.filter("t.created_at", from: created.from, to: created.to)
        return try await list(.cameras, query, request)
    }
}
