import ControlCentre
import PostgreSQL

/// What ingest must know of cameras and nodes, remembered between groups.
///
/// It is valid for one revision of the configuration. Each group reads the revision inside its
/// transaction and starts over when it has moved, so what is remembered is never stale.
struct CameraDirectory {
    struct Camera {
        let id: CameraID
        let area: AreaID
        let siteMode: OperatingMode
        let permitted: Set<String>
    }

    struct CameraName: Hashable {
        let site: SiteID
        /// Id or key, as sent.
        let name: String
    }

    private struct RuleName: Hashable {
        let site: SiteID
        let pattern: BehaviourPattern
    }

    private(set) var revision: Int64 = 0
    private var rules: [RuleName: CorrelationRule] = [:]
    private var cameras: [CameraName: Camera] = [:]
    private var models: [NodeID: String] = [:]

    /// Names remembered at most; only known cameras are, so a site's own number bounds it, but a
    /// camera may go by id and key.
    private static let camerasMax = 20_000

    func camera(_ name: CameraName) -> Camera? { cameras[name] }
    func model(of node: NodeID) -> String? { models[node] }

    /// The rule in force for a pattern at a site; nil if the site has none.
    func rule(for pattern: BehaviourPattern, at site: SiteID) -> CorrelationRule? {
        rules[RuleName(site: site, pattern: pattern)]
    }

    static let currentRevision = Statement("SELECT revision FROM configuration")

    /// The statements that look up what is not remembered; nil when all is.
    func lookup(_ items: ArraySlice<IncomingDetection>) -> [Statement]? {
        var names: Set<CameraName> = []
        var nodes: Set<NodeID> = []
        for item in items {
            let name = CameraName(site: item.site, name: item.camera)
            if cameras[name] == nil { names.insert(name) }
            if models[item.node] == nil { nodes.insert(item.node) }
        }
        guard !names.isEmpty || !nodes.isEmpty else { return nil }
        let ordered = Array(names)
        return [
            Self.currentRevision,
            Statement(
                """
                SELECT DISTINCT ON (asked.site, asked.name)
                    asked.site, asked.name, c.id, c.area, s.operating_mode,
                    (SELECT coalesce(string_agg(pattern, ' '), '') FROM site_patterns p
                        WHERE p.site = s.id)
                FROM unnest($1::text[], $2::text[], $3::uuid[]) AS asked (site, name, id)
                JOIN cameras c ON c.site = asked.site AND (c.id = asked.id OR c.key = asked.name)
                JOIN sites s ON s.id = c.site
                ORDER BY asked.site, asked.name, (c.id = asked.id) DESC
                """,
                .texts(ordered.map(\.site.description)), .texts(ordered.map(\.name)),
                .uuids(ordered.map { CameraID($0.name).map { PostgreSQLUUID($0.uuid) } })),
            Statement(
                "SELECT n.id, node_model(n) FROM nodes n WHERE n.id = ANY ($1)",
                .uuids(nodes.map { PostgreSQLUUID($0.uuid) })),
            Statement(
                """
                SELECT DISTINCT ON (site, pattern) site, pattern, version, confidence_min,
                    detections_min, (extract(epoch FROM detections_window) * 1000000)::bigint,
                    (extract(epoch FROM quiet) * 1000000)::bigint,
                    (extract(epoch FROM max(quiet) OVER (PARTITION BY site, pattern))
                        * 1000000)::bigint,
                    priority
                FROM correlation_rules WHERE site = ANY ($1)
                ORDER BY site, pattern, version DESC
                """, .texts(Set(ordered.map(\.site)).map(\.description))),
        ]
    }

    /// Takes in the results of `lookup`'s statements.
    ///
    /// - Returns: whether all that was remembered still holds. If not, it is forgotten, and what
    ///   the lookup did not ask for because it was remembered must be looked up too.
    mutating func learn(_ results: [QueryResult]) throws(PostgreSQLError) -> Bool {
        let current = try results[0].int64(0, 0)
        var holds = true
        if current != revision || cameras.count > Self.camerasMax {
            holds = cameras.isEmpty && models.isEmpty
            forget()
        }
        revision = current
        for row in 0..<results[1].rowCount {
            let name = CameraName(
                site: try results[1].site(row, 0), name: try results[1].text(row, 1))
            cameras[name] = Camera(
                id: try results[1].id(row, 2), area: try results[1].id(row, 3),
                siteMode: try results[1].value(row, 4),
                permitted: Set(try results[1].text(row, 5).split(separator: " ").map(String.init)))
        }
        for row in 0..<results[2].rowCount {
            models[try results[2].id(row, 0)] = try results[2].text(row, 1)
        }
        for row in 0..<results[3].rowCount { try learnRule(results[3], row) }
        return holds
    }

    private mutating func learnRule(_ rows: QueryResult, _ row: Int) throws(PostgreSQLError) {
        var rule = CorrelationRule()
        rule.version = Int(try rows.int64(row, 2))
        rule.confidenceMin = try rows.double(row, 3)
        rule.detectionsMin = Int(try rows.int64(row, 4))
        rule.detectionsWindow = .microseconds(try rows.int64(row, 5))
        rule.quiet = .microseconds(try rows.int64(row, 6))
        // Before its first version alarms were raised by the defaults.
        rule.quietLongest = max(rule.quietLongest, .microseconds(try rows.int64(row, 7)))
        rule.priority = try rows.value(row, 8)
        rules[RuleName(site: try rows.site(row, 0), pattern: try rows.value(row, 1))] = rule
    }

    mutating func forget() {
        cameras.removeAll(keepingCapacity: true)
        models.removeAll(keepingCapacity: true)
        rules.removeAll(keepingCapacity: true)
    }
}
