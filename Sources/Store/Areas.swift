import ControlCentre
import PostgreSQL

public struct NewArea: Sendable {
    public var site: SiteID
    public var name: String
    /// Whether cameras watch it; arrival times are compared with unmonitored areas.
    public var monitored: Bool

    public init(site: SiteID, name: String, monitored: Bool) {
        self.site = site
        self.name = name
        self.monitored = monitored
    }
}

/// What to change of an area; nil leaves it.
public struct AreaChange: Sendable {
    public var name: String?
    public var monitored: Bool?

    public init() {}
}

extension Database {
    public func createArea(_ area: NewArea, by author: Author?, at instant: Timestamp)
        async throws(StoreError) -> CreateOutcome
    {
        let id = AreaID.make(at: instant)
        return try await create(
            .areas, ConfigurationKey(id), of: area.site,
            columns: [
                ("site", .text(area.site)), ("id", .uuid(id)), ("name", .text(area.name)),
                ("monitored", .bool(area.monitored)), ("created_at", .time(instant)),
            ], by: author, at: instant)
    }

    public func area(_ id: AreaID, only site: SiteID?) async throws(StoreError) -> Stored? {
        try await get(.areas, ConfigurationKey(id), only: site)
    }

    public func changeArea(
        _ id: AreaID, only site: SiteID?, if precondition: Precondition, to change: AreaChange,
        by author: Author, at instant: Timestamp
    ) async throws(StoreError) -> ChangeOutcome {
        var columns: [(name: String, value: Parameter)] = []
        if let name = change.name { columns.append(("name", .text(name))) }
        if let monitored = change.monitored { columns.append(("monitored", .bool(monitored))) }
        return try await self.change(
            .areas, ConfigurationKey(id), only: site, if: precondition, set: columns,
            by: author, at: instant)
    }

    public func areas(
        of site: SiteID?, monitored: Bool? = nil, created: CreationTimes = CreationTimes(),
        _ request: PageRequest
    ) async throws(StoreError) -> Page {
        var query = Query()
        query.filter("t.site", site.map { .text($0) })
        query.filter("t.monitored", is: monitored)
        query.filter("t.created_at", from: created.from, to: created.to)
        return try await list(.areas, query, request)
    }
}
