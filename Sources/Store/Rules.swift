import ControlCentre
import PostgreSQL

/// A new version of the rule by which a site makes alarms of a pattern's detections.
public struct NewRule: Sendable {
    public var site: SiteID
    public var pattern: BehaviourPattern
    public var confidenceMin: Double
    public var detectionsMin: Int
    /// Of a whole number of seconds, as the other durations here.
    public var detectionsWindow: Duration
    public var quiet: Duration
    public var priority: Priority
    /// Nil: an alarm that nobody acknowledges is never overdue.
    public var escalateAfter: Duration?

    public init(
        site: SiteID, pattern: BehaviourPattern, confidenceMin: Double, detectionsMin: Int,
        detectionsWindow: Duration, quiet: Duration, priority: Priority, escalateAfter: Duration?
    ) {
        self.site = site
        self.pattern = pattern
        self.confidenceMin = confidenceMin
        self.detectionsMin = detectionsMin
        self.detectionsWindow = detectionsWindow
        self.quiet = quiet
        self.priority = priority
        self.escalateAfter = escalateAfter
    }
}

/// Which rules a list shows; nil does not filter.
public struct RuleFilter: Sendable {
    public var site: SiteID?
    public var patterns: [BehaviourPattern]?
    /// Whether it is the last version of its site and pattern.
    public var current: Bool?
    /// Half-open, by `created_at`.
    public var from: Timestamp?
    public var to: Timestamp?

    public init() {}
}

extension Database {
    /// Appends a version: the next number of its site and pattern.
    ///
    /// - Returns: the rule; nil when there is no such site.
    public func createRule(_ rule: NewRule, by author: Author, at instant: Timestamp)
        async throws(StoreError) -> [UInt8]?
    {
        let id = RuleID.make(at: instant)
        // Of two at once the second waits here, and then sees the first's number.
        let lock = Statement(
            "SELECT FROM sites WHERE id = $1 FOR NO KEY UPDATE", .text(rule.site))
        let insert = Statement(
            """
            INSERT INTO correlation_rules (site, id, pattern, version, confidence_min,
                detections_min, detections_window, quiet, priority, escalate_after, created_at)
            SELECT $1, $2, $3, coalesce(max(version), 0) + 1, $4, $5,
                $6 * interval '1 microsecond', $7 * interval '1 microsecond', $8,
                $9 * interval '1 microsecond', $10
            FROM correlation_rules WHERE site = $1 AND pattern = $3
            """,
            .text(rule.site), .uuid(id), .text(rule.pattern.rawValue),
            .double(rule.confidenceMin), .int32(Int32(rule.detectionsMin)),
            .int64(rule.detectionsWindow.microseconds), .int64(rule.quiet.microseconds),
            .text(rule.priority.rawValue), .int64(rule.escalateAfter?.microseconds),
            .time(instant))
        let entry = JournalEntry(
            event: "rule.created", site: rule.site, subject: id.description, occurredAt: instant,
            author: author)
        do throws(PostgreSQLError) {
            let results = try await commit(reading: [lock]) { (read) throws(PostgreSQLError) in
                guard read[0].rowCount == 1 else { return nil }
                return [insert]
                    + entry.statements(
                        ordinal: 1, document: "rule_document(t)",
                        from: "correlation_rules t WHERE t.id = $1", [.uuid(id)])
                    + [Self.rule(id, only: nil)]
            }
            return try results?.last?.bytes(0, 0)
        } catch {
            throw StoreError(error)
        }
    }

    /// - Parameter site: the site that the reader is bound to; a rule elsewhere is unknown.
    public func rule(_ id: RuleID, only site: SiteID?) async throws(StoreError) -> [UInt8]? {
        let results = try await read([Self.rule(id, only: site)])
        do throws(PostgreSQLError) {
            return results[0].rowCount == 1 ? try results[0].bytes(0, 0) : nil
        } catch {
            throw StoreError(error)
        }
    }

    public func rules(_ filter: RuleFilter, _ request: PageRequest) async throws(StoreError)
        -> Page
    {
        var query = Query()
        query.filter("t.site", filter.site.map { .text($0) })
        query.filter("t.pattern", anyOf: filter.patterns)
        if let current = filter.current {
            query.filter(
                """
                \(current ? "NOT" : "") EXISTS (SELECT FROM correlation_rules later
                    WHERE later.site = t.site AND later.pattern = t.pattern
                        AND later.version > t.version)
                """)
        }
        query.filter("t.created_at", from: filter.from, to: filter.to)
        let statement = query.page(
            request, of: "correlation_rules", document: "rule_document(t)", time: "t.created_at",
            id: "t.id", idType: "uuid")
        let results = try await read([statement])
        do throws(PostgreSQLError) {
            return try Page(results[0], request)
        } catch {
            throw StoreError(error)
        }
    }

    private static func rule(_ id: RuleID, only site: SiteID?) -> Statement {
        Statement(
            """
            SELECT rule_document(t)::text FROM correlation_rules t
            WHERE t.id = $1 AND ($2::text IS NULL OR t.site = $2)
            """, .uuid(id), .text(site?.description))
    }
}
