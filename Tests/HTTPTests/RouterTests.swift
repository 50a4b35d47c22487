import HTTP
import Testing

@Suite struct `Routing` {
    private let router: Router<String>

    init() {
        var router = Router<String>()
        router.add(.get, "/", "page")
        router.add(.get, "/v1/alarms", "list")
        router.add(.post, "/v1/alarms/steps", "steps")
        router.add(.get, "/v1/alarms/{id}", "one")
        router.add(.patch, "/v1/alarms/{id}", "change")
        router.add(.get, "/v1/alarms/{id}/history", "history")
        router.add(.post, "/v1/a/{first}/b/{second}", "two")
        self.router = router
    }

    private func match(_ method: Method, _ path: String) -> Router<String>.Match? {
        Target(path).map { router.match(method, $0.segments) }
    }

    @Test(arguments: [
        (Method.get, "/", "page", [:]),
        (.get, "/v1/alarms", "list", [:]),
        (.get, "/v1/alarms/7", "one", ["id": "7"]),
        (.get, "/v1/alarms/a%2Fb", "one", ["id": "a/b"]),
        (.patch, "/v1/alarms/7", "change", ["id": "7"]),
        (.get, "/v1/alarms/7/history", "history", ["id": "7"]),
        (.post, "/v1/a/1/b/2", "two", ["first": "1", "second": "2"]),
        (.post, "/v1/alarms/steps", "steps", [:]),
        (.head, "/v1/alarms/7", "one", ["id": "7"]),
    ])
    func `finds the endpoint and its parameters, a literal before a parameter`(
        method: Method, path: String, endpoint: String, parameters: [String: String]
    ) {
        guard case .route(let route, let found) = match(method, path) else {
            Issue.record("\(path) was not found")
            return
        }

        #expect(route.endpoint == endpoint)
        #expect(found == parameters)
    }

    @Test(arguments: [
        (Method.post, "/v1/alarms", ["GET", "HEAD"]),
        (.get, "/v1/alarms/steps", ["POST"]),
        (.head, "/v1/alarms/steps", ["POST"]),
        (.post, "/v1/alarms/7", ["GET", "HEAD", "PATCH"]),
        (Method(rawValue: "get"), "/", ["GET", "HEAD"]),
        (Method(rawValue: "BREW"), "/", ["GET", "HEAD"]),
    ])
    func `names what a path allows`(method: Method, path: String, allowed: [String]) {
        guard case .methodNotAllowed(let found) = match(method, path) else {
            Issue.record("\(path) was not refused")
            return
        }

        #expect(found == allowed)
    }

    @Test(arguments: [
        "/v1", "/v2/alarms", "/v1/alarms/", "/v1/alarms//history", "/v1/alarms/7/none",
        "/v1/alarms/7/history/", "//", "/v1/./alarms", "/v1/alarms/../alarms/x/y",
    ])
    func `knows nothing else`(path: String) {
        guard case .unknown = match(.get, path) else {
            Issue.record("\(path) was found")
            return
        }
    }

    @Test func `lists its routes in the order added`() {
        #expect(router.routes.map(\.pattern).prefix(2) == ["/", "/v1/alarms"])
        #expect(router.routes.count == 7)
    }
}
