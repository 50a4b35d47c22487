import ControlCentre
import EventLoop
import HTTP
import JSON
import Logging
import Server
import Store

/// Answers requests on one loop: finds the endpoint, checks token and role, calls the handler,
/// and turns whatever goes wrong into a problem.
///
/// Each resource adds its endpoints in a file of its own.
public final class API: Responder {
    let loop: EventLoop
    public let database: Database
    let lanes: [LoopBound<IngestLane>]
    public let hub: LiveHub
    let authenticator: Authenticator
    let logger: Logger
    /// Where the key is by which reports are signed; it is made with the first one.
    let signingKeyFile: String
    var metrics = Metrics()
    private var lastWarning: ContinuousClock.Instant?
    private static let warningInterval: Duration = .seconds(5)
    var router = Router<Endpoint>()
    /// The APIs of all loops, this one too: for what all must do together.
    public var peers: [LoopBound<API>] = []
    /// Set while the server drains: it is not ready any more.
    public var isDraining = false

    /// - Parameters:
    ///   - lanes: all lanes of the process, the same in each loop: a camera's lane is the same
    ///     wherever its detection arrives.
    ///   - replayWindow: how many positions back a live stream may resume.
    ///   - stallTimeMax: how long a live stream's reader may take nothing of what waits for it.
    ///   - signingKeyFile: where the key is by which reports are signed, or is to be made.
    public init(
        on loop: EventLoop, database: Database, lanes: [LoopBound<IngestLane>],
        replayWindow: Int64, stallTimeMax: Duration, signingKeyFile: String, logger: Logger
    ) {
        self.loop = loop
        self.database = database
        self.lanes = lanes
        self.logger = logger
        self.signingKeyFile = signingKeyFile
        authenticator = Authenticator(database: database)
        var limits = LiveLimits()
        limits.stallTimeMax = stallTimeMax
        hub = LiveHub(journal: database, replayWindow: replayWindow, limits: limits)
        addOperation()
        addSites()
        addAreas()
        addCameras()
        addNodes()
        addHeartbeats()
        addCoverage()
        addModeWindows()
        addInterruptions()
        addDetections()
        addAlarms()
        addAlarmSteps()
        addShelvings()
        addIncidents()
        addInterventions()
        addRules()
        addAlarmLoad()
        addEvidenceHolds()
        addLabels()
        addImports()
        addStream()
        addStatistics()
        addReports()
        addTokens()
        addShifts()
        addAudit()
        addErasures()
        addHandover()
    }

    // MARK: Observing

    /// Counts what the loop's server tells.
    public func observe(_ observation: ServerObservation) {
        switch observation {
        case .connectionOpened: metrics.countConnectionOpened()
        case .connectionClosed: metrics.countConnectionClosed()
        case .connectionRefused: metrics.countConnectionRefused()
        case .peerFailed(let reason):
            metrics.countPeerFailure()
            logger.debug("a peer failed: \(reason)")
        }
    }

    /// Counts what the loop's lane tells.
    public func observe(_ observation: IngestObservation) {
        switch observation {
        case .committed(let detections, let duration):
            metrics.countGroup(of: detections, in: duration)
        case .failed:
            metrics.countGroupFailure()
        }
    }

    /// Passes new events of the journal on to the live streams.
    public func take(
        _ events: [LiveEvent], revoked: [TokenID], head: EventID, on loop: isolated EventLoop
    ) {
        hub.take(events, head: head)
        for token in revoked { revoke(token, on: loop) }
    }

    /// Takes over how many nodes are lost now.
    public func observe(lostNodes count: Int) { metrics.lostNodes = count }

    // MARK: Responding

    public func respond(to request: Request) async -> Response {
        let started = ContinuousClock.now
        var pattern = "none"
        var response: Response
        do {
            response = try await answer(request, pattern: &pattern)
        } catch {
            response = problem(for: error, in: request).response(requestID: request.id)
        }
        metrics.count(
            pattern: pattern, method: request.method, status: response.status,
            duration: .now - started)
        return response
    }

    public func respond(to problem: Problem, requestID: String) -> Response {
        metrics.countProblem(problem.code)
        return problem.response(requestID: requestID)
    }

    private func answer(_ request: Request, pattern: inout String) async throws -> Response {
        try Self.refuseRepeated(request.fields)
        switch router.match(request.method, request.target.segments) {
        case .unknown:
            throw Problem(404, "route.unknown", "Nothing is at this path.")
        case .methodNotAllowed(let allowed):
            let list = allowed.joined(separator: ", ")
            throw Problem(
                405, "method.not-allowed", "This path takes \(list).", fields: [("allow", list)])
        case .route(let route, let parameters):
            pattern = route.pattern
            var request = request
            request.pathParameters = parameters
            let endpoint = route.endpoint
            switch endpoint.access {
            case .open:
                return try await endpoint.handler(self, Call(request: request, principal: nil))
            case .roles(let roles):
                let principal = try await authenticator.principal(of: request)
                guard roles.contains(principal.role) else {
                    throw Problem(
                        403, "role.forbidden",
                        "The role \(principal.role.rawValue) may not do this; it takes "
                            + roles.map(\.rawValue).sorted().joined(separator: " or ") + ".")
                }
                let call = Call(request: request, principal: principal)
                // Here, not only where a change turns out to be a reading: a bad reason is refused
                // whatever becomes of the request.
                _ = try call.accessReason()
                return try await endpoint.handler(self, call)
            }
        }
    }

    /// Fields whose value says who asks, why, or what for. Of two a proxy before us may read one and
    /// we the other.
    private static let singleFields = [
        "Authorization", "Content-Type", "If-Match", "Access-Reason", "Idempotency-Key",
        "Last-Event-ID",
    ]

    private static func refuseRepeated(_ fields: [HeaderField]) throws(Problem) {
        for name in singleFields where fields.count(where: { $0.name == name.lowercased() }) > 1 {
            let detail = "must stand in a request at most once"
            throw Problem(
                400, "field.repeated", "The header field \(name) \(detail).",
                faults: [Problem.Fault(.header(name), code: "field.repeated", detail: detail)])
        }
    }

    /// Logs why the store failed; while PostgreSQL is away, not for each request anew.
    private func warn(of error: StoreError, requestID: String) {
        if case .failed = error {
            logger.error("store: \(error)", metadata: ["request": "\(requestID)"])
            return
        }
        let now = ContinuousClock.now
        guard lastWarning.map({ now - $0 >= Self.warningInterval }) ?? true else { return }
        lastWarning = now
        logger.warning("store: \(error)", metadata: ["request": "\(requestID)"])
    }

    private func problem(for error: any Error, in request: Request) -> Problem {
        let problem: Problem
        switch error {
        case let known as Problem:
            problem = known
        case let error as StoreError:
            problem = Problem(error)
            warn(of: error, requestID: request.id)
        default:
            problem = Problem(
                500, "server.error", "The server failed; its log has the request's id.")
            logger.error("\(error)", metadata: ["request": "\(request.id)"])
        }
        metrics.countProblem(problem.code)
        return problem
    }
}

/// What stands behind a route.
struct Endpoint {
    enum Access {
        case open
        case roles(Set<Role>)
    }

    let access: Access
    /// Takes the API as an argument: a closure that captured it would be kept by what it keeps.
    let handler: Handler

    typealias Handler = (API, Call) async throws -> Response
}

extension API {
    /// Adds a route that only some roles may use.
    func add(
        _ method: Method, _ pattern: String, for roles: Set<Role>,
        _ handler: @escaping Endpoint.Handler
    ) {
        router.add(method, pattern, Endpoint(access: .roles(roles), handler: handler))
    }

    /// Adds a route that needs no token.
    func addOpen(
        _ method: Method, _ pattern: String, _ handler: @escaping Endpoint.Handler
    ) {
        router.add(method, pattern, Endpoint(access: .open, handler: handler))
    }

    /// All routes as (method, pattern): the contract's test compares them with the document.
    public var routes: [(method: Method, pattern: String)] { router.routes }
}
