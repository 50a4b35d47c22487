import ControlCentre
import PostgreSQL

/// Which coverage a list shows; nil does not filter.
public struct CoverageFilter: Sendable {
    public var site: SiteID?
    public var camera: CameraID?
    public var patterns: [BehaviourPattern]?
    /// Half-open.
    public var from: Timestamp
    public var to: Timestamp

    public init(from: Timestamp, to: Timestamp) {
        self.from = from
        self.to = to
    }
}

/// The last row of a page of coverage, but for its start: of what it is.
struct CoverageKey {
    let camera: CameraID
    let pattern: String

    init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let camera = CameraID(String(parts[0])),
            BehaviourPattern(rawValue: String(parts[1])) != nil
        else { return nil }
        self.camera = camera
        pattern = String(parts[1])
    }
}

extension Database {
    /// Whether a text is the id of a keyset of coverage.
    public static func isCoverageKey(_ text: String) -> Bool { CoverageKey(text) != nil }

    /// How cameras were watched for patterns: the newest camera first, of a camera by pattern, of a
    /// pattern the newest part first.
    public func coverage(_ filter: CoverageFilter, _ request: PageRequest)
        async throws(StoreError) -> Page
    {
        let after = request.after.flatMap { CoverageKey($0.id) }
        let patterns = filter.patterns ?? BehaviourPattern.allCases
        let results = try await search([
            Statement(
                """
                SELECT json_build_object('camera', camera_id, 'pattern', pattern_name,
                        'models', to_json(coalesce(models, '{}')), 'state', state,
                        'from', rfc3339(starts_at), 'to', rfc3339(ends_at))::text,
                    starts_at, camera_id || ':' || pattern_name
                FROM coverage_page($1, $2, $3, $4, $5, $6, $7, $8, $9) WITH ORDINALITY
                ORDER BY ordinality
                """,
                .text(filter.site?.description), .optional(filter.camera),
                .texts(patterns.map(\.rawValue)), .time(filter.from), .time(filter.to),
                .optional(after?.camera), .text(after?.pattern), .time(request.after?.time),
                .int32(Int32(request.limit + 1)))
        ])
        do throws(PostgreSQLError) {
            return try Page(results[0], request)
        } catch {
            throw StoreError(error)
        }
    }

    /// Whether a camera was analysed for a pattern at an instant.
    public func wasAnalysed(
        _ camera: CameraID, of site: SiteID, for pattern: BehaviourPattern, at instant: Timestamp
    ) async throws(StoreError) -> Bool {
        let results = try await read([
            Statement(
                "SELECT was_analysed($1, $2, $3, $4)", .text(site), .uuid(camera),
                .text(pattern.rawValue), .time(instant))
        ])
        do throws(PostgreSQLError) {
            return try results[0].bool(0, 0)
        } catch {
            throw StoreError(error)
        }
    }
}
