import ControlCentre
import PostgreSQL

/// What ingest must know of cameras and nodes, remembered between groups.
///
/// It is valid for one revision of the configuration. Each group reads the revision inside its
/// transaction and starts over when it has moved, so what is remembered is never stale.
struct CameraDirectory {
    /// What a site sets for all its cameras. Immutable, so that its cameras share it.
    final class Site {
        let mode: OperatingMode
        let retention: Duration
        fileprivate let permissions: [BehaviourPattern: Span]
        /// Of each camera, and under nil of the site as such; those over before `windowsFrom` are
        /// not remembered.
        fileprivate let windows: [CameraID?: [ModeWindow]]
        fileprivate let windowsFrom: Timestamp

        fileprivate init(
            mode: OperatingMode, retention: Duration, permissions: [BehaviourPattern: Span],
            windows: [CameraID?: [ModeWindow]], windowsFrom: Timestamp
        ) {
            self.mode = mode
            self.retention = retention
            self.permissions = permissions
            self.windows = windows
            self.windowsFrom = windowsFrom
        }
    }

    struct Camera {
        let id: CameraID
        let area: AreaID
        /// Nil: the site's.
        fileprivate let mode: OperatingMode?
        fileprivate let site: Site

        /// How old a detection may be to make an alarm.
        var retention: Duration { site.retention }

        /// Whether the site's law permitted the pattern then.
        func permits(_ pattern: BehaviourPattern, at instant: Timestamp) -> Bool {
            site.permissions[pattern]?.contains(instant) ?? false
        }

        /// In which mode it worked then: a window decides whatever the node said.
        ///
        /// - Parameter sent: the mode that the detection names.
        func mode(at instant: Timestamp, sent: OperatingMode?) -> OperatingMode {
            window(of: id, at: instant) ?? window(of: nil, at: instant) ?? sent ?? mode
                ?? site.mode
        }

        private func window(of camera: CameraID?, at instant: Timestamp) -> OperatingMode? {
            site.windows[camera]?.first { $0.span.contains(instant) }?.mode
        }
    }

    /// What a name stood for at an instant.
    enum Finding {
        case camera(Camera)
        /// Whatever bore the name had been removed.
        case removed
        case unknown
    }

    /// A time from an instant until before another; nil is without limit.
    fileprivate struct Span {
        let from: Timestamp?
        let to: Timestamp?

        func contains(_ instant: Timestamp) -> Bool {
            (from.map { $0 <= instant } ?? true) && (to.map { instant < $0 } ?? true)
        }
    }

    fileprivate struct ModeWindow {
        let mode: OperatingMode
        let span: Span
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

    /// One that bears a name, or bore it.
    private struct Bearer {
        let id: CameraID
        let area: AreaID
        let mode: OperatingMode?
        let removedAt: Timestamp?
    }

    private(set) var revision: Int64 = 0
    /// The bearers of a name in the order of their removal, the present one last.
    private var cameras: [CameraName: [Bearer]] = [:]
    private var sites: [SiteID: Site] = [:]
    private var rules: [RuleName: CorrelationRule] = [:]
    private var models: [NodeID: String] = [:]

    /// Names remembered at most; only known cameras are, so a site's own number bounds it, but a
    /// camera may go by id and key.
    private static let camerasMax = 20_000
    /// How much older than the oldest detection mode windows are asked for: the next one may be
    /// older still, and shall not ask again.
    private static let windowMargin: Duration = .seconds(24 * 3_600)

    /// The camera that went by the name then: the first that was not removed yet. One that is
    /// installed is often entered later, so what came before its installation is its own as well.
    func find(_ name: CameraName, at instant: Timestamp) -> Finding {
        guard let bearers = cameras[name], let site = sites[name.site] else { return .unknown }
        let bearer = bearers.first { bearer in
            bearer.removedAt.map { instant < $0 } ?? true
        }
        guard let bearer else { return .removed }
        return .camera(Camera(id: bearer.id, area: bearer.area, mode: bearer.mode, site: site))
    }

    /// The id of the camera that went by the name then.
    func id(_ name: CameraName, at instant: Timestamp) -> CameraID? {
        guard case .camera(let camera) = find(name, at: instant) else { return nil }
        return camera.id
    }

    func model(of node: NodeID) -> String? { models[node] }

    /// The rule in force for a pattern at a site; nil if the site has none.
    func rule(for pattern: BehaviourPattern, at site: SiteID) -> CorrelationRule? {
        rules[RuleName(site: site, pattern: pattern)]
    }

    static let currentRevision = Statement("SELECT revision FROM configuration")

    /// The statements that look up what is not remembered; nil when all is.
    func lookup(_ items: ArraySlice<IncomingDetection>) -> [Statement]? {
        var names: Set<CameraName> = []
        var oldest: [SiteID: Timestamp] = [:]
        var nodes: Set<NodeID> = []
        for item in items {
            let name = CameraName(site: item.site, name: item.camera)
            if cameras[name] == nil { names.insert(name) }
            if sites[item.site].map({ item.occurredAt < $0.windowsFrom }) ?? true {
                oldest[item.site] = min(oldest[item.site] ?? item.occurredAt, item.occurredAt)
            }
            if models[item.node] == nil { nodes.insert(item.node) }
        }
        guard !names.isEmpty || !oldest.isEmpty || !nodes.isEmpty else { return nil }
        let ordered = Array(names)
        let asked = Array(oldest)
        let siteColumns: [Parameter] = [
            .texts(asked.map(\.key.description)),
            .timestamps(
                microsecondsSinceUnixEpoch: asked.map {
                    ($0.value - Self.windowMargin).microsecondsSinceEpoch
                }),
        ]
        return [
            Self.currentRevision,
            Statement(
                """
                SELECT asked.site, asked.name, c.id, c.area, c.operating_mode, c.removed_at,
                    coalesce(c.id = asked.id, false) AS is_named_by_id
                FROM unnest($1::text[], $2::text[], $3::uuid[]) AS asked (site, name, id)
                JOIN cameras c ON c.site = asked.site AND (c.id = asked.id OR c.key = asked.name)
                ORDER BY asked.site, asked.name, is_named_by_id DESC, c.removed_at NULLS LAST
                """,
                .texts(ordered.map(\.site.description)), .texts(ordered.map(\.name)),
                .uuids(ordered.map { CameraID($0.name).map { PostgreSQLUUID($0.uuid) } })),
            Statement(
                """
                SELECT s.id, s.operating_mode, s.retention_hours::bigint, asked.windows_from
                FROM unnest($1::text[], $2::timestamptz[]) AS asked (site, windows_from)
                JOIN sites s ON s.id = asked.site
                """, parameters: siteColumns),
            Statement(
                """
                SELECT site, pattern, valid_from, valid_to FROM site_patterns
                WHERE site = ANY ($1)
                """, siteColumns[0]),
            Statement(
                """
                SELECT w.site, w.camera, w.operating_mode, w.starts_at, w.ends_at
                FROM unnest($1::text[], $2::timestamptz[]) AS asked (site, windows_from)
                JOIN mode_windows w ON w.site = asked.site AND w.ends_at > asked.windows_from
                """, parameters: siteColumns),
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
                """, siteColumns[0]),
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
            holds = cameras.isEmpty && sites.isEmpty && models.isEmpty
            forget()
        }
        revision = current
        try learnCameras(results[1])
        try learnSites(results[2], patterns: results[3], windows: results[4])
        for row in 0..<results[5].rowCount {
            models[try results[5].id(row, 0)] = try results[5].text(row, 1)
        }
        for row in 0..<results[6].rowCount { try learnRule(results[6], row) }
        return holds
    }

    private mutating func learnCameras(_ rows: QueryResult) throws(PostgreSQLError) {
        var namedByID: Set<CameraName> = []
        for row in 0..<rows.rowCount {
            let name = CameraName(site: try rows.site(row, 0), name: try rows.text(row, 1))
            // An id names one camera, whatever keys others have.
            if namedByID.contains(name) { continue }
            if try rows.bool(row, 6) { namedByID.insert(name) }
            cameras[name, default: []].append(
                Bearer(
                    id: try rows.id(row, 2), area: try rows.id(row, 3),
                    mode: rows.isNull(row, 4) ? nil : try rows.value(row, 4),
                    removedAt: try rows.timeIfPresent(row, 5)))
        }
    }

    private mutating func learnSites(
        _ rows: QueryResult, patterns: QueryResult, windows: QueryResult
    ) throws(PostgreSQLError) {
        var permissions: [SiteID: [BehaviourPattern: Span]] = [:]
        for row in 0..<patterns.rowCount {
            let pattern: BehaviourPattern = try patterns.value(row, 1)
            permissions[try patterns.site(row, 0), default: [:]][pattern] = Span(
                from: try patterns.timeIfPresent(row, 2), to: try patterns.timeIfPresent(row, 3))
        }
        var windowsOfSite: [SiteID: [CameraID?: [ModeWindow]]] = [:]
        for row in 0..<windows.rowCount {
            let camera: CameraID? = try windows.idIfPresent(row, 1)
            let window = ModeWindow(
                mode: try windows.value(row, 2),
                span: Span(from: try windows.time(row, 3), to: try windows.time(row, 4)))
            windowsOfSite[try windows.site(row, 0), default: [:]][camera, default: []]
                .append(window)
        }
        for row in 0..<rows.rowCount {
            let id = try rows.site(row, 0)
            sites[id] = Site(
                mode: try rows.value(row, 1),
                retention: .seconds(try rows.int64(row, 2) * 3_600),
                permissions: permissions[id] ?? [:], windows: windowsOfSite[id] ?? [:],
                windowsFrom: try rows.time(row, 3))
        }
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
        sites.removeAll(keepingCapacity: true)
        rules.removeAll(keepingCapacity: true)
        models.removeAll(keepingCapacity: true)
    }
}
