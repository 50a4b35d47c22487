import ControlCentre
import PostgreSQL

/// A time in which a camera, or the whole site, works in another mode, whatever the nodes say.
public struct NewModeWindow: Sendable {
    public var site: SiteID
    /// Nil: the whole site.
    public var camera: CameraID?
    public var operatingMode: OperatingMode
    /// Half-open.
    public var from: Timestamp
    public var to: Timestamp
    public var note: String?

    public init(
        site: SiteID, camera: CameraID?, operatingMode: OperatingMode, from: Timestamp,
        to: Timestamp, note: String?
    ) {
        self.site = site
        self.camera = camera
        self.operatingMode = operatingMode
        self.from = from
        self.to = to
        self.note = note
    }
}

/// Which mode windows a list shows; nil does not filter.
public struct ModeWindowFilter: Sendable {
    public var site: SiteID?
    public var camera: CameraID?
    public var operatingModes: [OperatingMode]?
    /// In whose time this instant is.
    public var runningAt: Timestamp?
    /// Half-open, by the beginning.
    public var from: Timestamp?
    public var to: Timestamp?

    public init() {}
}

extension Database {
    public func createModeWindow(_ window: NewModeWindow, by author: Author, at instant: Timestamp)
        async throws(StoreError) -> CreateOutcome
    {
        let id = ModeWindowID.make(at: instant)
        let remark = window.note.map { JournalEntry.Remark(id: .v7(at: instant), text: $0) }
        return try await create(
            .modeWindows, ConfigurationKey(id), of: window.site,
            columns: [
                ("site", .text(window.site)), ("id", .uuid(id)),
                ("camera", .optional(window.camera)),
                ("operating_mode", .text(window.operatingMode.rawValue)),
                ("starts_at", .time(window.from)), ("ends_at", .time(window.to)),
                ("remark", .uuid(remark.map { PostgreSQLUUID($0.id) })),
                ("created_at", .time(instant)),
            ], remark: remark, by: author, at: instant)
    }

    public func modeWindow(_ id: ModeWindowID, only site: SiteID?)
        async throws(StoreError) -> Stored?
    {
        try await get(.modeWindows, ConfigurationKey(id), only: site)
    }

    public func modeWindows(_ filter: ModeWindowFilter, _ request: PageRequest)
        async throws(StoreError) -> Page
    {
        var query = Query()
        query.filter("t.site", filter.site.map { .text($0) })
        query.filter("t.camera", filter.camera.map { .uuid($0) })
        query.filter("t.operating_mode", anyOf: filter.operatingModes)
        query.filterTime(runningAt: filter.runningAt)
        query.filter("t.starts_at", from: filter.from, to: filter.to)
        return try await list(.modeWindows, query, request)
    }

    /// Ends a window now, or cancels one that has not begun.
    public func endModeWindow(
        _ id: ModeWindowID, only site: SiteID?, by author: Author, at instant: Timestamp
    ) async throws(StoreError) -> EndOutcome {
        try await end(
            .modeWindows, ConfigurationKey(id), only: site, to: nil, by: author, at: instant)
    }
}
