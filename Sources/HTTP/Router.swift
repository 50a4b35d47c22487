/// Finds the endpoint for a method and path.
///
///     var router = Router<Endpoint>()
///     router.add(.get, "/v1/alarms/{id}", endpoint)
///
/// A literal segment is preferred to a `{name}` segment. HEAD is served by GET's endpoint.
public struct Router<Endpoint> {
    private final class Node {
        var literals: [String: Node] = [:]
        var parameter: Node?
        var endpoints: [Method: Route] = [:]
    }

    /// An endpoint with the pattern under which it was added.
    public struct Route {
        public let pattern: String
        public let endpoint: Endpoint
        let parameterNames: [String]
    }

    public enum Match {
        case route(Route, parameters: [String: String])
        /// The path exists, but not for this method; these are allowed, sorted.
        case methodNotAllowed([String])
        case unknown
    }

    private let root = Node()
    /// All routes as (method, pattern), in the order added.
    public private(set) var routes: [(method: Method, pattern: String)] = []

    public init() {}

    /// Adds a route; the same method and pattern twice is a programming error.
    public mutating func add(_ method: Method, _ pattern: String, _ endpoint: Endpoint) {
        var node = root
        var names: [String] = []
        for segment in pattern.split(separator: "/") {
            if segment.hasPrefix("{") {
                names.append(String(segment.dropFirst().dropLast()))
                let next = node.parameter ?? Node()
                node.parameter = next
                node = next
            } else {
                let next = node.literals[String(segment)] ?? Node()
                node.literals[String(segment)] = next
                node = next
            }
        }
        precondition(
            node.endpoints[method] == nil, "\(method.rawValue) \(pattern) is there already")
        node.endpoints[method] = Route(
            pattern: pattern, endpoint: endpoint, parameterNames: names)
        routes.append((method, pattern))
    }

    /// Finds the route for a path.
    public func match(_ method: Method, _ segments: [String]) -> Match {
        var values: [String] = []
        guard let node = find(segments[...], from: root, values: &values),
            !node.endpoints.isEmpty
        else { return .unknown }
        guard let route = node.endpoints[method == .head ? .get : method] else {
            var allowed = node.endpoints.keys.map(\.rawValue)
            if node.endpoints[.get] != nil { allowed.append("HEAD") }
            return .methodNotAllowed(allowed.sorted())
        }
        let parameters = Dictionary(uniqueKeysWithValues: zip(route.parameterNames, values))
        return .route(route, parameters: parameters)
    }

    private func find(_ segments: ArraySlice<String>, from node: Node, values: inout [String])
        -> Node?
    {
        guard let segment = segments.first else { return node }
        if let next = node.literals[segment] {
            return find(segments.dropFirst(), from: next, values: &values)
        }
        guard let next = node.parameter, !segment.isEmpty else { return nil }
        values.append(segment)
        return find(segments.dropFirst(), from: next, values: &values)
    }
}
