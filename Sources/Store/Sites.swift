import ControlCentre
import PostgreSQL

/// A pattern that a site's law permits, with the basis that the site names for it.
public struct PermittedPattern: Sendable, Equatable {
    public let pattern: BehaviourPattern
    public let legalBasis: String?
    /// Half-open; nil is without limit.
    public let validFrom: Timestamp?
    public let validTo: Timestamp?

    public init(
        pattern: BehaviourPattern, legalBasis: String?, validFrom: Timestamp? = nil,
        validTo: Timestamp? = nil
    ) {
        self.pattern = pattern
        self.legalBasis = legalBasis
        self.validFrom = validFrom
        self.validTo = validTo
    }
}

/// Where an observer sits.
public struct ObserverPosition: Sendable, Equatable {
    /// How many characters a name may have, wherever one stands.
    public static let nameLength = 1...100

    public let name: String
    /// What is watched from there; nil for all areas.
    public let areas: [AreaID]?
    /// Nil: always.
    public let staffed: WeeklySchedule?

    public init(name: String, areas: [AreaID]?, staffed: WeeklySchedule?) {
        self.name = name
        self.areas = areas
        self.staffed = staffed
    }
}

public struct NewSite: Sendable {
    public var id: SiteID
    public var name: String
    /// An IANA name such as `Europe/Berlin`.
    public var timeZone: String
    public var operatingMode: OperatingMode
    public var patterns: [PermittedPattern]
    public var positions: [ObserverPosition] = []
    /// What is optional of a site; nil is the product's default.
    public var retentionHours: Int?
    /// On which evidence may be held; empty: any.
    public var holdGrounds: [String] = []
    public var fourEyesRelease = false
    public var accessReason = AccessReason.none
    public var accessLogDays: Int?

    public init(
        id: SiteID, name: String, timeZone: String, operatingMode: OperatingMode,
        patterns: [PermittedPattern]
    ) {
        self.id = id
        self.name = name
        self.timeZone = timeZone
        self.operatingMode = operatingMode
        self.patterns = patterns
    }
}

/// What to change of a site; nil leaves it.
public struct SiteChange: Sendable {
    public var name: String?
    public var timeZone: String?
    public var operatingMode: OperatingMode?
    public var patterns: [PermittedPattern]?
    public var positions: [ObserverPosition]?
    public var retentionHours: Int?
    public var holdGrounds: [String]?
    public var fourEyesRelease: Bool?
    public var accessReason: AccessReason?
    public var accessLogDays: Int?

    public init() {}
}

extension Database {
    public func createSite(_ site: NewSite, by author: Author?, at instant: Timestamp)
        async throws(StoreError) -> CreateOutcome
    {
        guard try await isTimeZone(site.timeZone) else { return .refused(.unknownTimeZone) }
        var columns: [(name: String, value: Parameter)] = [
            ("id", .text(site.id)), ("name", .text(site.name)),
            ("time_zone", .text(site.timeZone)),
            ("operating_mode", .text(site.operatingMode.rawValue)),
            ("hold_grounds", .texts(site.holdGrounds)),
            ("four_eyes_release", .bool(site.fourEyesRelease)),
            ("access_reason", .text(site.accessReason.rawValue)), ("created_at", .time(instant)),
        ]
        if let hours = site.retentionHours { columns.append(("retention_hours", .integer(hours))) }
        if let days = site.accessLogDays { columns.append(("access_log_days", .integer(days))) }
        return try await create(
            .sites, ConfigurationKey(site.id), of: site.id, columns: columns,
            also: Self.permit(site.patterns, at: site.id)
                + Self.place(site.positions, at: site.id),
            by: author, at: instant)
    }

    public func site(_ id: SiteID, only site: SiteID?) async throws(StoreError) -> Stored? {
        try await get(.sites, ConfigurationKey(id), only: site)
    }

    public func changeSite(
        _ id: SiteID, only site: SiteID?, if precondition: Precondition, to change: SiteChange,
        by author: Author,
        at instant: Timestamp
    ) async throws(StoreError) -> ChangeOutcome {
        var columns: [(name: String, value: Parameter)] = []
        if let name = change.name { columns.append(("name", .text(name))) }
        if let mode = change.operatingMode {
            columns.append(("operating_mode", .text(mode.rawValue)))
        }
        if let timeZone = change.timeZone {
            guard try await isTimeZone(timeZone) else { return .refused(.unknownTimeZone) }
            columns.append(("time_zone", .text(timeZone)))
        }
        if let hours = change.retentionHours {
            columns.append(("retention_hours", .integer(hours)))
        }
        if let grounds = change.holdGrounds { columns.append(("hold_grounds", .texts(grounds))) }
        if let fourEyes = change.fourEyesRelease {
            columns.append(("four_eyes_release", .bool(fourEyes)))
        }
        if let reason = change.accessReason {
            columns.append(("access_reason", .text(reason.rawValue)))
        }
        if let days = change.accessLogDays { columns.append(("access_log_days", .integer(days))) }
        var also: [Statement] = []
        if let patterns = change.patterns {
            // What stays in the list is not taken out of it: each row has its history.
            also.append(
                Statement(
                    "DELETE FROM site_patterns WHERE site = $1 AND pattern <> ALL ($2)", .text(id),
                    .texts(patterns.map(\.pattern.rawValue))))
            also += Self.permit(patterns, at: id)
        }
        if let positions = change.positions {
            // As of patterns. What is new comes first: in between there would be none, and a site
            // without positions counts as one that has no name.
            also += Self.place(positions, at: id)
            also.append(
                Statement(
                    "DELETE FROM observer_positions WHERE site = $1 AND name <> ALL ($2)",
                    .text(id), .texts(positions.map(\.name))))
        }
        return try await self.change(
            .sites, ConfigurationKey(id), only: site, if: precondition, set: columns, also: also,
            refusing: change.timeZone.map {
                (
                    Statement("SELECT time_zone_is_fixed($1, $2)", .text(id), .text($0)),
                    .timeZoneFixed
                )
            }, by: author, at: instant)
    }

    /// - Parameter only: the one site that the reader may see; nil for all.
    public func sites(only site: SiteID?, created: CreationTimes, _ request: PageRequest)
        async throws(StoreError) -> Page
    {
        var query = Query()
        query.filter("t.id", site.map { .text($0) })
        query.filter("t.created_at", from: created.from, to: created.to)
        return try await list(.sites, query, request)
    }

    private static func permit(_ patterns: [PermittedPattern], at site: SiteID) -> [Statement] {
        [
            Statement(
                """
                INSERT INTO site_patterns
                    (site, pattern, ordinal, legal_basis, valid_from, valid_to)
                SELECT $1, pattern, ordinal, legal_basis, valid_from, valid_to
                FROM unnest($2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[])
                    WITH ORDINALITY
                    AS permitted (pattern, legal_basis, valid_from, valid_to, ordinal)
                ON CONFLICT (site, pattern) DO UPDATE
                SET ordinal = excluded.ordinal, legal_basis = excluded.legal_basis,
                    valid_from = excluded.valid_from, valid_to = excluded.valid_to
                """,
                .text(site), .texts(patterns.map(\.pattern.rawValue)),
                .texts(patterns.map(\.legalBasis)),
                .timestamps(
                    microsecondsSinceUnixEpoch: patterns.map {
                        $0.validFrom?.microsecondsSinceEpoch
                    }),
                .timestamps(
                    microsecondsSinceUnixEpoch: patterns.map {
                        $0.validTo?.microsecondsSinceEpoch
                    }))
        ]
    }

    private static func place(_ positions: [ObserverPosition], at site: SiteID) -> [Statement] {
        positions.enumerated().map { index, position in
            Statement(
                """
                INSERT INTO observer_positions (site, name, ordinal, areas, staffed)
                VALUES ($1, $2, $3, CASE WHEN $4::boolean THEN $5::uuid[] END, $6)
                ON CONFLICT (site, name) DO UPDATE
                SET ordinal = excluded.ordinal, areas = excluded.areas, staffed = excluded.staffed
                """,
                .text(site), .text(position.name), .integer(index + 1),
                .bool(position.areas != nil),
                .uuids((position.areas ?? []).map { PostgreSQLUUID($0.uuid) }),
                .schedule(position.staffed))
        }
    }

    private func isTimeZone(_ name: String) async throws(StoreError) -> Bool {
        let results = try await read([
            // The last are no places: what the machine is set to, nothing, and names twice.
            Statement(
                """
                SELECT FROM pg_timezone_names WHERE name = $1
                    AND name NOT IN ('localtime', 'posixrules', 'Factory') AND name NOT LIKE 'posix/%'
                LIMIT 1
                """, .text(name))
        ])
        return results[0].rowCount == 1
    }
}
