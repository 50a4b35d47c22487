import ControlCentre
import PostgreSQL

public struct NewNode: Sendable {
    public var site: SiteID
    public var name: String
    /// The name of the model that it runs, unless a detection names another.
    public var model: String
    public var modelVersion: String?
    /// How often it is to send a heartbeat.
    public var heartbeatSeconds = 10

    public init(site: SiteID, name: String, model: String) {
        self.site = site
        self.name = name
        self.model = model
    }
}

/// What to change of a node; nil leaves it, and an inner nil removes the value.
public struct NodeChange: Sendable {
    public var name: String?
    public var model: String?
    public var modelVersion: String??
    public var heartbeatSeconds: Int?

    public init() {}
}

extension Database {
    public func createNode(_ node: NewNode, by author: Author?, at instant: Timestamp)
        async throws(StoreError) -> CreateOutcome
    {
        let id = NodeID.make(at: instant)
        return try await create(
            .nodes, ConfigurationKey(id), of: node.site,
            columns: [
                ("site", .text(node.site)), ("id", .uuid(id)), ("name", .text(node.name)),
                ("model", .text(node.model)), ("model_version", .text(node.modelVersion)),
                ("heartbeat_seconds", .int32(Int32(node.heartbeatSeconds))),
                ("created_at", .time(instant)),
            ], by: author, at: instant)
    }

    public func node(_ id: NodeID, only site: SiteID?) async throws(StoreError) -> Stored? {
        try await get(.nodes, ConfigurationKey(id), only: site)
    }

    public func changeNode(
        _ id: NodeID, only site: SiteID?, if precondition: Precondition, to change: NodeChange,
        by author: Author, at instant: Timestamp
    ) async throws(StoreError) -> ChangeOutcome {
        var columns: [(name: String, value: Parameter)] = []
        if let name = change.name { columns.append(("name", .text(name))) }
        if let model = change.model { columns.append(("model", .text(model))) }
        if let version = change.modelVersion { columns.append(("model_version", .text(version))) }
        if let seconds = change.heartbeatSeconds {
            columns.append(("heartbeat_seconds", .int32(Int32(seconds))))
        }
        return try await self.change(
            .nodes, ConfigurationKey(id), only: site, if: precondition, set: columns,
            by: author, at: instant)
    }

    public func nodes(
        of site: SiteID?, lost: Bool? = nil, created: CreationTimes = CreationTimes(),
        _ request: PageRequest
    ) async throws(StoreError) -> Page {
        var query = Query()
        query.filter("t.site", site.map { .text($0) })
        // Spelled out, a filter is one that the index of the lost serves.
        if let lost { query.filter(lost ? "t.lost" : "NOT t.lost") }
        query.filter("t.created_at", from: created.from, to: created.to)
        return try await list(.nodes, query, request)
    }
}

extension Database {
    /// The site of a node; nil when there is no such node.
    public func siteOfNode(_ id: NodeID) async throws(StoreError) -> SiteID? {
        let results = try await read([
            Statement("SELECT site FROM nodes WHERE id = $1", .uuid(id))
        ])
        do throws(PostgreSQLError) {
            return results[0].rowCount == 1 ? try results[0].site(0, 0) : nil
        } catch {
            throw StoreError(error)
        }
    }
}
