import ControlCentre
import JSON
import Replay
import Store

/// Makes a scenario's site, areas, cameras and node, as far as they do not exist, and a token for
/// the node.
///
/// What exists is left as it is: cameras are known by their keys, areas and the node by their names.
struct ScenarioSetUp {
    let scenario: Scenario
    let store: Database

    private static let pageLimit = 500
    private static let tokenLife: Duration = .seconds(86_400)

    /// - Returns: the token.
    func run() async throws -> String {
        let site = scenario.site.id
        let now = Timestamp.now()
        try await ensureSite(at: now)
        let areas = try await ensureAreas(at: now)
        try await ensureCameras(in: areas, at: now)
        let node = try await ensureNode(at: now)
        let token = NewToken(
            name: "replay", role: .node, site: site, node: node,
            expiresAt: now + Self.tokenLife)
        switch try await store.createToken(token, by: nil, at: now) {
        case .created(_, let secret): return secret
        case .unknownSite, .unknownNode: throw Failure.vanished
        }
    }

    enum Failure: Error, CustomStringConvertible {
        case refused(String, ConfigurationRefusal)
        case unreadableDocument
        case vanished

        var description: String {
            switch self {
            case .refused(let what, let refusal): "\(what) cannot be created: \(refusal)"
            case .unreadableDocument: "the database has a document that is not as expected"
            case .vanished: "the site or its node was there and is not any more"
            }
        }
    }

    private func ensureSite(at now: Timestamp) async throws {
        let wanted = scenario.site
        guard try await store.site(wanted.id, only: nil) == nil else { return }
        let patterns = BehaviourPattern.allCases
            .filter { BehaviourPattern.permittedByDefault.contains($0) }
            .map { PermittedPattern(pattern: $0, legalBasis: nil) }
        let site = NewSite(
            id: wanted.id, name: wanted.name, timeZone: wanted.timeZone,
            operatingMode: .production, patterns: patterns)
        let outcome = try await store.createSite(site, by: nil, at: now)
        // Another replay may have been quicker.
        if case .refused(let refusal) = outcome, refusal != .siteExists {
            throw Failure.refused("the site \(wanted.id)", refusal)
        }
    }

    /// - Returns: the areas' ids by their keys in the scenario.
    private func ensureAreas(at now: Timestamp) async throws -> [String: AreaID] {
        let site = scenario.site.id
        var idByName: [String: AreaID] = [:]
        try await forEach({ try await store.areas(of: site, $0) }) { area in
            guard let name = area["name"]?.asString, let id = area["id"]?.asString,
                let id = AreaID(id)
            else { throw Failure.unreadableDocument }
            idByName[name] = id
        }
        var idByKey: [String: AreaID] = [:]
        for area in scenario.areas {
            if let id = idByName[area.name] {
                idByKey[area.key] = id
                continue
            }
            let created = try await store.createArea(
                NewArea(site: site, name: area.name, monitored: true), by: nil, at: now)
            idByKey[area.key] = try id(of: created, "the area \(area.name)")
        }
        return idByKey
    }

    private func ensureCameras(in areas: [String: AreaID], at now: Timestamp) async throws {
        let site = scenario.site.id
        var known: Set<String> = []
        try await forEach({ try await store.cameras(of: site, $0) }) {
            camera in
            if let key = camera["key"]?.asString { known.insert(key) }
        }
        for camera in scenario.cameras where !known.contains(camera.key) {
            guard let area = areas[camera.area] else { throw Failure.vanished }
            var new = NewCamera(site: site, area: area, name: camera.name)
            new.key = camera.key
            let outcome = try await store.createCamera(new, by: nil, at: now)
            // Another replay may have been quicker.
            if case .refused(let refusal) = outcome, refusal != .keyTaken {
                throw Failure.refused("the camera \(camera.key)", refusal)
            }
        }
    }

    private func ensureNode(at now: Timestamp) async throws -> NodeID {
        let site = scenario.site.id
        var known: NodeID?
        try await forEach({ try await store.nodes(of: site, $0) }) { node in
            guard node["name"]?.asString == scenario.node.name else { return }
            known = node["id"]?.asString.flatMap { NodeID($0) }
        }
        if let known { return known }
        let created = try await store.createNode(
            NewNode(site: site, name: scenario.node.name, model: scenario.node.model), by: nil,
            at: now)
        return try id(of: created, "the node \(scenario.node.name)")
    }

    /// Shows each document of a list, page by page.
    private func forEach(
        _ page: (PageRequest) async throws -> Page, _ body: (JSON) throws -> Void
    ) async throws {
        var request = PageRequest(limit: Self.pageLimit)
        while true {
            let page = try await page(request)
            for document in page.documents { try body(try JSON.parse(document)) }
            guard let next = page.next else { return }
            request.after = next
        }
    }

    private func id<ID: Identifier>(of outcome: CreateOutcome, _ what: String) throws -> ID {
        switch outcome {
        case .created(let stored):
            guard let id = try JSON.parse(stored.document)["id"]?.asString.flatMap({ ID($0) })
            else { throw Failure.unreadableDocument }
            return id
        case .refused(let refusal):
            throw Failure.refused(what, refusal)
        }
    }
}
