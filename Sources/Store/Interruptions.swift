import ControlCentre
import PostgreSQL

/// A time in which somebody ordered a camera, an area or the whole site not to be watched.
public struct NewInterruption: Sendable {
    public enum Scope: Sendable {
        case camera(CameraID)
        case area(AreaID)
        case site
    }

    public var site: SiteID
    public var scope: Scope
    /// The official ground, such as an assembly.
    public var ground: String
    /// Half-open; no end is an open one.
    public var from: Timestamp
    public var to: Timestamp?

    public init(site: SiteID, scope: Scope, ground: String, from: Timestamp, to: Timestamp?) {
        self.site = site
        self.scope = scope
        self.ground = ground
        self.from = from
        self.to = to
    }
}

/// Which interruptions a list shows; nil does not filter.
public struct InterruptionFilter: Sendable {
    public var site: SiteID?
    public var camera: CameraID?
    public var area: AreaID?
    public var ground: String?
    /// In whose time this instant is.
    public var runningAt: Timestamp?
    /// Half-open, by the beginning.
    public var from: Timestamp?
    public var to: Timestamp?

    public init() {}
}

extension Database {
    public func createInterruption(
        _ interruption: NewInterruption, by author: Author, at instant: Timestamp
    ) async throws(StoreError) -> CreateOutcome {
        let id = InterruptionID.make(at: instant)
        var camera: CameraID?
        var area: AreaID?
        switch interruption.scope {
        case .camera(let id): camera = id
        case .area(let id): area = id
        case .site: break
        }
        return try await create(
            .interruptions, ConfigurationKey(id), of: interruption.site,
            columns: [
                ("site", .text(interruption.site)), ("id", .uuid(id)),
                ("camera", .optional(camera)), ("area", .optional(area)),
                ("ground", .text(interruption.ground)), ("starts_at", .time(interruption.from)),
                ("ends_at", .time(interruption.to)), ("created_at", .time(instant)),
            ], by: author, at: instant)
    }

    public func interruption(_ id: InterruptionID, only site: SiteID?)
        async throws(StoreError) -> Stored?
    {
        try await get(.interruptions, ConfigurationKey(id), only: site)
    }

    public func interruptions(_ filter: InterruptionFilter, _ request: PageRequest)
        async throws(StoreError) -> Page
    {
        var query = Query()
        query.filter("t.site", filter.site.map { .text($0) })
        query.filter("t.camera", filter.camera.map { .uuid($0) })
        query.filter("t.area", filter.area.map { .uuid($0) })
        query.filter("t.ground", filter.ground.map { .text($0) })
        query.filterTime(runningAt: filter.runningAt)
        query.filter("t.starts_at", from: filter.from, to: filter.to)
        return try await list(.interruptions, query, request)
    }

    /// Ends an interruption, now unless said otherwise, or cancels one that has not begun.
    public func endInterruption(
        _ id: InterruptionID, only site: SiteID?, to end: Timestamp?, by author: Author,
        at instant: Timestamp
    ) async throws(StoreError) -> EndOutcome {
        try await self.end(
            .interruptions, ConfigurationKey(id), only: site, to: end, by: author, at: instant)
    }
}
