import ControlCentre
import PostgreSQL

/// A pattern that a site's law permits, with the basis that the site names for it.
public struct PermittedPattern: Sendable, Equatable {
    public let pattern: BehaviourPattern
    public let legalBasis: String?

    public init(pattern: BehaviourPattern, legalBasis: String?) {
        self.pattern = pattern
        self.legalBasis = legalBasis
    }
}

public struct NewSite: Sendable {
    public var id: SiteID
    public var name: String
    /// An IANA name such as `Europe/Berlin`.
    public var timeZone: String
    public var operatingMode: OperatingMode
    public var patterns: [PermittedPattern]

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

    public init() {}
}

extension Database {
    public func createSite(_ site: NewSite, by author: Author?, at instant: Timestamp)
        async throws(StoreError) -> CreateOutcome
    {
        guard try await isTimeZone(site.timeZone) else { return .refused(.unknownTimeZone) }
        return try await create(
            .sites, ConfigurationKey(site.id), of: site.id,
            columns: [
                ("id", .text(site.id)), ("name", .text(site.name)),
                ("time_zone", .text(site.timeZone)),
                ("operating_mode", .text(site.operatingMode.rawValue)),
                ("created_at", .time(instant)),
            ],
            also: Self.permit(site.patterns, at: site.id), by: author, at: instant)
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
            guard try await mayChangeTimeZone(of: id, to: timeZone) else {
                return .refused(.timeZoneFixed)
            }
            columns.append(("time_zone", .text(timeZone)))
        }
        let patterns = change.patterns.map {
            [Statement("DELETE FROM site_patterns WHERE site = $1", .text(id))]
                + Self.permit($0, at: id)
        }
        return try await self.change(
            .sites, ConfigurationKey(id), only: site, if: precondition, set: columns,
            also: patterns ?? [], by: author, at: instant)
    }

    /// - Parameter only: the one site that the reader may see; nil for all.
    public func sites(only site: SiteID?, _ request: PageRequest) async throws(StoreError) -> Page {
        var query = Query()
        query.filter("t.id", site.map { .text($0) })
        return try await list(.sites, query, request)
    }

    private static func permit(_ patterns: [PermittedPattern], at site: SiteID) -> [Statement] {
        [
            Statement(
                """
                INSERT INTO site_patterns (site, pattern, ordinal, legal_basis)
                SELECT $1, pattern, ordinal, legal_basis
                FROM unnest($2::text[], $3::text[])
                    WITH ORDINALITY AS permitted (pattern, legal_basis, ordinal)
                """,
                .text(site), .texts(patterns.map(\.pattern.rawValue)),
                .texts(patterns.map(\.legalBasis)))
        ]
    }

    private func isTimeZone(_ name: String) async throws(StoreError) -> Bool {
        let results = try await read([
            Statement("SELECT FROM pg_timezone_names WHERE name = $1 LIMIT 1", .text(name))
        ])
        return results[0].rowCount == 1
    }

    private func mayChangeTimeZone(of site: SiteID, to timeZone: String)
        async throws(StoreError) -> Bool
    {
        let results = try await read([
            Statement(
                """
                SELECT FROM sites s
                WHERE s.id = $1 AND s.time_zone <> $2
                    AND EXISTS (SELECT FROM detections d WHERE d.site = s.id)
                """, .text(site), .text(timeZone))
        ])
        return results[0].rowCount == 0
    }
}
