import JSON

/// An error as clients get it: `application/problem+json` (RFC 9457) with a stable code.
public struct Problem: Error, Sendable {
    public var status: Int
    /// Stable, for programs: `alarm.already-closed`.
    public var code: String
    /// One sentence that says what is wrong and what would be right.
    public var detail: String
    /// What is wrong with each member or parameter.
    public var faults: [Fault]
    /// Further header fields, such as `Retry-After` or `Allow`.
    public var fields: [HeaderField]
    /// Further members, such as the current state of a resource that refused a step.
    public var members: [(name: String, value: [UInt8])]

    public init(
        _ status: Int, _ code: String, _ detail: String, faults: [Fault] = [],
        fields: [HeaderField] = [], members: [(name: String, value: [UInt8])] = []
    ) {
        self.status = status
        self.code = code
        self.detail = detail
        self.faults = faults
        self.fields = fields
        self.members = members
    }

    /// One thing that is wrong with a request.
    public struct Fault: Sendable, Equatable {
        public enum Place: Sendable, Equatable {
            /// A JSON pointer into the body (RFC 6901).
            case body(pointer: String)
            case parameter(String)
            case header(String)
        }
        public let place: Place
        public let code: String
        public let detail: String

        public init(_ place: Place, code: String, detail: String) {
            self.place = place
            self.code = code
            self.detail = detail
        }

        fileprivate func write(to writer: inout JSONWriter) {
            writer.object { writer in
                switch place {
                case .body(let pointer): writer.member("pointer", pointer)
                case .parameter(let name): writer.member("parameter", name)
                case .header(let name): writer.member("header", name)
                }
                writer.member("code", code)
                writer.member("detail", detail)
            }
        }

        public init(_ error: MemberError) {
            self.init(.body(pointer: error.pointer), code: error.code, detail: error.detail)
        }
    }

    /// A header field whose value cannot be taken.
    ///
    /// - Parameter detail: what is wrong or would be right, to stand behind the field's name.
    public static func header(_ name: String, _ code: String, _ detail: String) -> Problem {
        Problem(
            422, code, "\(name) \(detail).",
            faults: [Fault(.header(name), code: code, detail: detail)])
    }

    /// The response that carries this problem.
    public func response(requestID: String) -> Response {
        var writer = JSONWriter()
        write(to: &writer, requestID: requestID)
        return Response(
            status: status,
            fields: [("content-type", "application/problem+json")] + fields,
            body: writer.bytes)
    }

    /// Writes the problem as an object.
    ///
    /// - Parameter requestID: nil where it stands in the outcome of one item of many: the whole
    ///   response names the request already.
    public func write(to writer: inout JSONWriter, requestID: String?) {
        writer.object { writer in
            writer.member("type", "about:blank")
            writer.member("title", Self.title(of: status))
            writer.member("status", status)
            writer.member("code", code)
            writer.member("detail", detail)
            if let requestID { writer.member("request_id", requestID) }
            writer.name("errors")
            writer.array { writer in
                for fault in faults { fault.write(to: &writer) }
            }
            for member in members { writer.member(member.name, raw: member.value) }
        }
    }

    /// The reason phrase of a status (RFC 9110; 428, 431: RFC 6585).
    static func title(of status: Int) -> String {
        switch status {
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 408: "Request Timeout"
        case 409: "Conflict"
        case 412: "Precondition Failed"
        case 413: "Content Too Large"
        case 414: "URI Too Long"
        case 415: "Unsupported Media Type"
        case 417: "Expectation Failed"
        case 422: "Unprocessable Content"
        case 428: "Precondition Required"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 501: "Not Implemented"
        case 503: "Service Unavailable"
        case 505: "HTTP Version Not Supported"
        default: "Internal Server Error"
        }
    }
}
