import ControlCentre
import PostgreSQL
import TestSupport
import Testing

@testable import Store

/// A node that sends heartbeats when a test says so, at seconds from a begin.
struct ReportingNode: Sendable {
    let site: DemonstrationSite
    let id: NodeID
    let instance: Instance
    let begin: Timestamp

    static let author = DemonstrationSite.observer(1, as: .node)
    /// How often it is to send a heartbeat.
    static let seconds = 600

    /// The site's own node, with heartbeats every ten minutes.
    init(of site: DemonstrationSite, in instance: Instance, from begin: Timestamp) async throws {
        var change = NodeChange()
        change.heartbeatSeconds = Self.seconds
        let wanted = change
        _ = try await instance.run { database in
            try await database.changeNode(
                site.node, only: nil, if: .any, to: wanted, by: Self.author, at: begin
            ).stored()
        }
        (self.site, id, self.instance, self.begin) = (site, site.node, instance, begin)
    }

    /// A further node of the site, which runs that model.
    init(besides first: ReportingNode, model: String) async throws {
        var node = NewNode(site: first.site.id, name: "Modul \(model)", model: model)
        node.heartbeatSeconds = Self.seconds
        let wanted = node
        let begin = first.begin
        id = try await first.instance.run { database in
            try await database.createNode(wanted, by: Self.author, at: begin).stored().id()
        }
        (site, instance, self.begin) = (first.site, first.instance, begin)
    }

    /// Sends a heartbeat that says the same of each camera and pattern.
    @discardableResult
    func beat(_ second: Int, _ status: AnalysisStatus = .analysing, queue: Int = 0) async throws
        -> HeartbeatReceipt
    {
        try await beat(
            second,
            site.cameras.map {
                Heartbeat.Entry(camera: $0.description, pattern: nil, status: status)
            }, queue: queue)
    }

    @discardableResult
    func beat(_ second: Int, _ entries: [Heartbeat.Entry], queue: Int = 0) async throws
        -> HeartbeatReceipt
    {
        let heartbeat = Heartbeat(sentAt: nil, queueLength: queue, entries: entries)
        let instant = begin + .seconds(second)
        let receipt = try await instance.run { database in
            try await database.record(heartbeat, of: id, by: Self.author, at: instant)
        }
        return try #require(receipt)
    }

    func set(_ change: NodeChange) async throws {
        let instant = begin
        _ = try await instance.run { database in
            try await database.changeNode(
                id, only: nil, if: .any, to: change, by: Self.author, at: instant
            ).stored()
        }
    }
}
