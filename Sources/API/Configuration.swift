import ControlCentre
import HTTP
import JSON
import Store

/// Who may read and who may change what is watched.
enum ConfigurationRoles {
    static let readers: Set<Role> = [.observer, .shiftSupervisor, .administrator]
    static let writers: Set<Role> = [.administrator]
    /// Who sets when the normal does not hold: modes of a time, interruptions.
    static let schedulers: Set<Role> = [.shiftSupervisor, .administrator]
}

/// JSON merge patch is what PATCH means here (RFC 7396).
let patchMediaTypes = ["application/json", "application/merge-patch+json"]

extension Call {
    /// The site that a new resource is for: a caller bound to a site knows no other.
    func checkedSite(_ site: SiteID) throws(Problem) -> SiteID {
        if let bound = self.site, bound != site { throw Problem(.unknownSite, resource: "site") }
        return site
    }
}

extension Response {
    /// A new resource, with its place.
    static func created(_ stored: Stored, path: String) -> Response {
        let id = (try? JSON.parse(stored.document))?["id"]?.asString ?? ""
        return .stored(stored, status: 201, location: "\(path)/\(id)")
    }

    static func created(_ outcome: CreateOutcome, resource: String, path: String)
        throws(Problem) -> Response
    {
        switch outcome {
        case .created(let stored):
            return .created(stored, path: path)
        case .refused(let refusal):
            throw Problem(refusal, resource: resource)
        }
    }

    static func ended(_ outcome: EndOutcome, resource: String) throws(Problem) -> Response {
        switch outcome {
        case .ended(let stored):
            return .stored(stored)
        case .unknown:
            throw .unknown(resource)
        case .over(let end):
            throw Problem(
                409, "\(resource).over", "It has been over since \(end.rfc3339).")
        case .endsBeforeStart(let start):
            throw .invalidBody([
                MemberError(
                    pointer: "/at", code: "out-of-range",
                    detail: "must not be before the beginning, \(start.rfc3339)")
            ])
        case .endsLater(let end):
            throw .invalidBody([
                MemberError(
                    pointer: "/at", code: "out-of-range",
                    detail: "must not be after the end that is set, \(end.rfc3339)")
            ])
        }
    }

    static func found(_ stored: Stored?, resource: String) throws(Problem) -> Response {
        guard let stored else { throw .unknown(resource) }
        return .stored(stored)
    }
}

extension API {
    /// What came of a change of what is set.
    func changed(_ outcome: ChangeOutcome, _ resource: String, _ id: some CustomStringConvertible)
        async throws -> Response
    {
        switch outcome {
        case .changed(let stored), .unchanged(let stored): return .stored(stored)
        case .unknown: throw Problem.unknown(resource)
        case .stale(let revision): throw try await stale(resource, id, revision)
        case .refused(let refusal): throw Problem(refusal, resource: resource)
        }
    }

    /// A change that starts from a revision that is no longer the current one, with whoever was
    /// faster.
    func stale(_ resource: String, _ id: some CustomStringConvertible, _ revision: Int64)
        async throws(StoreError) -> Problem
    {
        let last = try await database.lastChange(of: id.description, resource: resource)
        var problem = Problem(
            412, "precondition.failed", "The \(resource) has changed; read it again.",
            faults: [
                Problem.Fault(
                    .header("If-Match"), code: "precondition.failed",
                    detail: "the ETag is now \"\(revision)\"")
            ], fields: [("etag", "\"\(revision)\"")])
        let null = Array("null".utf8)
        problem.members = [
            ("changed_by", last?.by ?? null),
            ("changed_at", last.map { Problem.quoted($0.at.rfc3339) } ?? null),
        ]
        return problem
    }
}

extension Problem {
    init(_ refusal: ConfigurationRefusal, resource: String) {
        switch refusal {
        case .siteExists:
            self = .refusedMember(409, "site.exists", "/id", "There is a site of this id already.")
        case .keyTaken:
            self = .refusedMember(
                409, "camera.key-exists", "/key",
                "Another camera of the site has this key at the same time.")
        case .timeZoneFixed:
            self = .refusedMember(
                409, "site.time-zone-fixed", "/time_zone",
                "The time zone is fixed once the site has detections.")
        case .unknownSite:
            self = .invalidBody([
                MemberError(pointer: "/site", code: "site.unknown", detail: "must be a site's id")
            ])
        case .unknownArea:
            self = .invalidBody([
                MemberError(
                    pointer: "/area", code: "area.unknown", detail: "must be an area of the site")
            ])
        case .unknownCamera:
            self = .invalidBody([
                MemberError(
                    pointer: "/camera", code: "camera.unknown",
                    detail: "must be a camera of the site")
            ])
        case .unknownPositionArea:
            self = .invalidBody([
                MemberError(
                    pointer: "/positions", code: "area.unknown",
                    detail: "must name areas of the site only")
            ])
        case .removedBeforeInstalled:
            self = .invalidBody([
                MemberError(
                    pointer: "/removed_at", code: "out-of-range",
                    detail: "must be after installed_at")
            ])
        case .windowOverlaps:
            self = .refusedMember(
                409, "mode-window.overlaps", "/from",
                "Another mode window of the same camera or site shares some of the time.")
        case .unknownTimeZone:
            self = .invalidBody([
                MemberError(
                    pointer: "/time_zone", code: "invalid",
                    detail: "must be a name of the IANA time zone database, such as Europe/Berlin")
            ])
        }
    }
}
