/// A whole request: head and body are here.
public struct Request: Sendable {
    /// The client's `X-Request-ID` if it sent a usable one, else made by the server. It is in
    /// each problem and in the journal.
    public let id: String
    public let method: Method
    public let target: Target
    public let fields: [HeaderField]
    public let body: [UInt8]
    /// What the router found in the path for the pattern's `{name}` segments.
    public var pathParameters: [String: String] = [:]

    public init(
        id: String, method: Method, target: Target, fields: [HeaderField] = [], body: [UInt8] = []
    ) {
        self.id = id
        self.method = method
        self.target = target
        self.fields = fields
        self.body = body
    }

    /// The media type of the body in lower case without parameters, or nil.
    public var mediaType: String? {
        guard let value = fields.first(named: "content-type") else { return nil }
        let type = value.prefix { $0 != ";" }
        return type.lowercased().filter { $0 != " " && $0 != "\t" }
    }
}
