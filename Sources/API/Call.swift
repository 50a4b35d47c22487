import ControlCentre
import HTTP
import JSON
import Store

/// A request on its way through a handler, with whoever sent it.
struct Call {
    let request: Request
    /// Nil on open endpoints only.
    let principal: Principal?
    let receivedAt = Timestamp.now()

    /// The site that the caller is bound to; nil for all sites.
    var site: SiteID? { principal?.site }

    /// Who a change is journaled under.
    func author() throws(Problem) -> Author {
        guard let principal else { throw Problem(401, "token.missing", "Send a bearer token.") }
        return Author(token: principal.token, role: principal.role, requestID: request.id)
    }

    /// The `{id}` of the path; what is no id names nothing.
    func id<ID: Identifier>(_: ID.Type = ID.self, of resource: String) throws(Problem) -> ID {
        guard let text = request.pathParameters["id"], let id = ID(text) else {
            throw .unknown(resource)
        }
        return id
    }

    /// Refuses parameters on a route that takes none.
    func rejectParameters() throws(Problem) {
        var query = QueryReader(request)
        try query.finish()
    }

    /// The body as JSON.
    func json(mediaTypes: [String] = ["application/json"]) throws(Problem) -> JSON {
        guard let type = request.mediaType, mediaTypes.contains(type) else {
            throw Problem(
                415, "media-type.unsupported",
                "Send the body as \(mediaTypes.joined(separator: " or ")).")
        }
        return try .parsing(request.body)
    }

    /// Reads the body's members with `read`, and refuses all that is wrong with it at once.
    func body<Value>(
        mediaTypes: [String] = ["application/json"], _ read: (inout ObjectReader) -> Value?
    ) throws(Problem) -> Value {
        var reader = ObjectReader(try json(mediaTypes: mediaTypes))
        let value = read(&reader)
        reader.rejectUnknown()
        guard reader.isValid, let value else { throw .invalidBody(reader.errors) }
        return value
    }

    /// As `body`, but no body at all is as good as an empty object.
    func optionalBody<Value>(_ read: (inout ObjectReader) -> Value?) throws(Problem) -> Value {
        guard request.body.isEmpty else { return try body(read) }
        var reader = ObjectReader(.object(JSONObject([])))
        guard let value = read(&reader), reader.isValid else {
            throw .invalidBody(reader.errors)
        }
        return value
    }

    /// Which revisions a change may start from: `If-Match` is required (RFC 6585, section 3).
    func precondition() throws(Problem) -> Precondition {
        guard let value = request.fields.first(named: "if-match") else {
            throw Problem(
                428, "precondition.missing", "Send If-Match with the ETag of what you read.",
                faults: [
                    Problem.Fault(
                        .header("If-Match"), code: "precondition.missing",
                        detail: "the header is required")
                ])
        }
        if value == "*" { return .any }
        // A weak or foreign tag matches nothing.
        return .revisions(
            value.split(separator: ",").compactMap { tag in
                let tag = tag.filter { $0 != " " }
                guard tag.count > 2, tag.hasPrefix("\""), tag.hasSuffix("\"") else { return nil }
                return Int64(tag.dropFirst().dropLast())
            })
    }
}

extension JSON {
    /// A body as JSON, or what is wrong with it.
    static func parsing(_ body: [UInt8]) throws(Problem) -> JSON {
        do throws(JSONError) {
            return try JSON.parse(body)
        } catch {
            if case .duplicateKey(let name) = error.kind {
                throw .invalidBody([
                    MemberError(
                        pointer: error.pointer, code: "duplicate",
                        detail: "the member \(name) is there twice, again at line \(error.line)")
                ])
            }
            let detail = "\(error.reason) (line \(error.line), column \(error.column))"
            throw Problem(
                400, "body.not-json", "The body is not JSON: \(detail).",
                faults: [
                    Problem.Fault(.body(pointer: error.pointer), code: "malformed", detail: detail)
                ])
        }
    }
}

/// Text of one line as names and keys are: no control characters.
func isLine(_ text: String) -> Bool {
    text.unicodeScalars.allSatisfy { $0.value > 0x1f && $0.value != 0x7f }
}

/// Text in which nobody sees anything.
func isBlank(_ text: String) -> Bool {
    text.unicodeScalars.allSatisfy {
        $0.value <= 0x20 || $0 == "\u{FEFF}" || $0.properties.isWhitespace
    }
}

extension ObjectReader {
    mutating func requiredLine(_ name: String, length: ClosedRange<Int>) -> String? {
        checkLine(name, requiredString(name, length: length))
    }

    mutating func optionalLine(_ name: String, length: ClosedRange<Int>) -> String? {
        checkLine(name, optionalString(name, length: length))
    }

    private mutating func checkLine(_ name: String, _ text: String?) -> String? {
        guard let text else { return nil }
        guard isLine(text) else {
            refuse(name, "must be one line without control characters")
            return nil
        }
        return text
    }

    /// Words for whoever will ask later, such as a reason: white space alone says nothing.
    mutating func requiredWords(_ name: String, length: ClosedRange<Int>) -> String? {
        checkWords(name, requiredString(name, length: length))
    }

    /// Why something is done that a later reader will ask about.
    mutating func requiredReason() -> String? { requiredWords("reason", length: 1...4_000) }

    mutating func nullableWords(_ name: String, length: ClosedRange<Int>) -> String? {
        checkWords(name, nullableString(name, length: length))
    }

    private mutating func checkWords(_ name: String, _ text: String?) -> String? {
        guard let text else { return nil }
        guard !isBlank(text) else {
            refuse(name, "must not be blank")
            return nil
        }
        return text
    }

    mutating func requiredTime(_ name: String) -> Timestamp? {
        required(name, expected: "an RFC 3339 time with offset", Timestamp.init(rfc3339:))
    }

    mutating func nullableLine(_ name: String, length: ClosedRange<Int>) -> String? {
        checkLine(name, nullableString(name, length: length))
    }

    mutating func optionalTime(_ name: String) -> Timestamp? {
        optional(name, expected: "an RFC 3339 time with offset", Timestamp.init(rfc3339:))
    }

    mutating func nullableTime(_ name: String) -> Timestamp? {
        nullable(name, expected: "an RFC 3339 time with offset", Timestamp.init(rfc3339:))
    }
}
