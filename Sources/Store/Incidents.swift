import ControlCentre
import PostgreSQL

/// Which incidents a list shows; nil does not filter.
public struct IncidentFilter: Sendable {
    public var site: SiteID?
    public var area: AreaID?
    public var camera: CameraID?
    public var alarm: AlarmID?
    public var categories: [ControlCentre.Category]?
    public var subcategories: [Subcategory]?
    public var sources: [RecognitionSource]?
    public var patterns: [BehaviourPattern]?
    public var operatingModes: [OperatingMode]?
    /// Among its outcomes.
    public var outcome: IncidentOutcome?
    public var assessments: [Assessment]?
    public var assessmentReasons: [AssessmentReason]?
    public var immediateIntervention: Bool?
    public var retracted: Bool?
    public var occurredAt: Timestamp?
    public var recognisedAt: Timestamp?
    public var createdAt: Timestamp?
    /// Half-open, by `occurred_at`.
    public var from: Timestamp?
    public var to: Timestamp?

    public init() {}
}

extension Database {
    public func incidents(_ filter: IncidentFilter, _ request: PageRequest)
        async throws(StoreError) -> Page
    {
        var query = Query()
        query.filter("t.site", filter.site.map { .text($0) })
        query.filter("t.area", filter.area.map { .uuid($0) })
        if let camera = filter.camera {
            query.filter(
                """
                t.id IN (SELECT incident FROM incident_cameras
                    WHERE camera = \(query.bind(.uuid(camera))))
                """)
        }
        if let alarm = filter.alarm {
            query.filter(
                """
                t.id IN (SELECT incident FROM incident_alarms
                    WHERE alarm = \(query.bind(.uuid(alarm))))
                """)
        }
        query.filter("t.category", anyOf: filter.categories)
        query.filter("t.subcategory", anyOf: filter.subcategories)
        query.filter("t.source", anyOf: filter.sources)
        query.filter("t.pattern", anyOf: filter.patterns)
        query.filter("t.operating_mode", anyOf: filter.operatingModes)
        if let outcome = filter.outcome {
            // In the text, as names of closed lists are: each has an index of its own.
            query.filter("'\(outcome.rawValue)' = ANY (t.outcomes)")
        }
        query.filter("t.assessment", anyOf: filter.assessments)
        query.filter(
            "(CASE WHEN t.assessed_by_person THEN 'overruled' ELSE t.computed_reason END)",
            anyOf: filter.assessmentReasons)
        query.filter("(t.immediate_count > 0)", is: filter.immediateIntervention)
        query.filter("(t.retracted_at IS NOT NULL)", is: filter.retracted)
        query.filter("t.occurred_at", filter.occurredAt.map { .time($0) })
        query.filter("t.recognised_at", filter.recognisedAt.map { .time($0) })
        query.filter("t.created_at", filter.createdAt.map { .time($0) })
        query.filter("t.occurred_at", from: filter.from, to: filter.to)
        let statement = query.page(
            request, of: "incidents", document: Incident.readableDocument,
            time: "t.occurred_at", id: "t.id", idType: "uuid")
        let results = try await read([statement])
        do throws(PostgreSQLError) {
            return try Page(results[0], request)
        } catch {
            throw StoreError(error)
        }
    }

    /// - Parameter site: the site that the reader is bound to; an incident elsewhere is unknown.
    public func incident(_ id: IncidentID, only site: SiteID?) async throws(StoreError) -> Stored? {
        let results = try await read([Incident.stored(id, only: site)])
        do throws(PostgreSQLError) {
            return try Stored(results[0])
        } catch {
            throw StoreError(error)
        }
    }

    /// Assesses anew the incidents for which late detections may have come.
    public func assessDueIncidents() async throws(StoreError) {
        let results = try await work([Statement("SELECT assess_due_incidents()")])
        do throws(PostgreSQLError) {
            if try results[0].int64(0, 0) > 0 { announceCommit() }
        } catch {
            throw StoreError(error)
        }
    }
}

extension Incident {
    static let readableDocument = "with_remarks(with_staff_names(incident_document(t)))"

    static func stored(_ id: IncidentID, only site: SiteID? = nil) -> Statement {
        Statement(
            """
            SELECT \(readableDocument)::text, t.revision FROM incidents t
            WHERE t.id = $1 AND ($2::text IS NULL OR t.site = $2)
            """, .uuid(id), .text(site?.description))
    }
}

extension Stored {
    /// Reads a row of document and revision; nil when there is none.
    init?(_ result: QueryResult) throws(PostgreSQLError) {
        guard result.rowCount == 1 else { return nil }
        self.init(document: try result.bytes(0, 0), revision: try result.int64(0, 1))
    }
}
