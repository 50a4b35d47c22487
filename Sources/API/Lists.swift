import ControlCentre
import HTTP
import JSON
import Store

/// A list's position as clients see it: opaque text that they hand back.
enum Cursor {
    static func encode(_ keyset: Keyset) -> String {
        base64URL("\(keyset.time.microsecondsSinceEpoch) \(keyset.id)")
    }

    static func decode(_ text: String, isID: (String) -> Bool) -> Keyset? {
        guard let plain = decodeBase64URL(text) else { return nil }
        let parts = plain.split(separator: " ")
        guard parts.count == 2, let microseconds = Int64(parts[0]),
            let time = Timestamp(microsecondsSinceEpoch: microseconds), isID(String(parts[1]))
        else { return nil }
        return Keyset(time: time, id: String(parts[1]))
    }

    static func encode(_ event: EventID) -> String { base64URL(event.description) }

    static func decode(_ text: String) -> EventID? { decodeBase64URL(text).flatMap { EventID($0) } }

    static func encode(_ place: Int32) -> String { base64URL("\(place)") }

    static func decode(_ text: String) -> Int32? { decodeBase64URL(text).flatMap { Int32($0) } }

    private static let alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    private static func base64URL(_ text: String) -> String {
        var encoded: [UInt8] = []
        var bits: UInt32 = 0
        var bitCount = 0
        for byte in text.utf8 {
            bits = bits << 8 | UInt32(byte)
            bitCount += 8
            while bitCount >= 6 {
                bitCount -= 6
                encoded.append(alphabet[Int(bits >> UInt32(bitCount)) & 63])
            }
        }
        if bitCount > 0 { encoded.append(alphabet[Int(bits << UInt32(6 - bitCount)) & 63]) }
        return String(decoding: encoded, as: UTF8.self)
    }

    private static func decodeBase64URL(_ text: String) -> String? {
        guard text.utf8.count <= 500 else { return nil }
        var decoded: [UInt8] = []
        var bits: UInt32 = 0
        var bitCount = 0
        for byte in text.utf8 {
            guard let value = alphabet.firstIndex(of: byte) else { return nil }
            bits = bits << 6 | UInt32(value)
            bitCount += 6
            if bitCount >= 8 {
                bitCount -= 8
                decoded.append(UInt8(truncatingIfNeeded: bits >> UInt32(bitCount)))
            }
        }
        return String(validating: decoded, as: UTF8.self)
    }
}

/// Parts of one parameter at most.
private let partsMax = 50

extension QueryReader {
    /// `limit` and `cursor` of a list.
    mutating func page(isID: (String) -> Bool = { UUID($0) != nil }) throws(Problem) -> PageRequest
    {
        let limit = integer("limit", in: 1...500) ?? 50
        guard let text = text("cursor") else { return PageRequest(limit: limit) }
        guard let after = Cursor.decode(text, isID: isID) else { throw .invalidCursor }
        return PageRequest(limit: limit, after: after)
    }

    /// `from` and `to` of a list of what is entered once and kept.
    mutating func creationTimes() -> CreationTimes {
        CreationTimes(from: time("from"), to: time("to"))
    }

    /// `cursor` of a list that goes on by a number.
    mutating func place() throws(Problem) -> Int32? {
        guard let text = text("cursor") else { return nil }
        guard let place: Int32 = Cursor.decode(text) else { throw .invalidCursor }
        return place
    }

    /// Text of one line with a number of code points in `length`.
    mutating func line(_ name: String, length: ClosedRange<Int>) -> String? {
        let expected = "\(length.lowerBound) to \(length.upperBound) characters of one line"
        return value(name, expected: expected) {
            length.contains($0.unicodeScalars.count) && isLine($0) ? $0 : nil
        }
    }

    /// The site to list: the caller's own where it is bound to one. Another's does not exist.
    mutating func site(for call: Call) throws(Problem) -> SiteID? {
        let asked = value("site", expected: "a site's id") { SiteID($0) }
        guard let bound = call.site else { return asked }
        if let asked, asked != bound { throw .unknown("site") }
        return bound
    }

    mutating func id<ID: UUIDIdentifier>(_ name: String, _: ID.Type = ID.self) -> ID? {
        value(name, expected: "a UUID") { ID($0) }
    }

    mutating func time(_ name: String) -> Timestamp? {
        value(name, expected: "an RFC 3339 time with offset") { Timestamp(rfc3339: $0) }
    }

    /// Several of an enumeration's raw values, parted by commas.
    mutating func anyOf<Value: RawRepresentable & CaseIterable>(_ name: String, _: Value.Type)
        -> [Value]? where Value.RawValue == String
    {
        let names = Value.allCases.map(\.rawValue).joined(separator: ", ")
        return parts(of: name, expected: names) { Value(rawValue: $0) }
    }

    /// What `transform` makes of a parameter's parts, which commas part.
    mutating func parts<Part>(
        of name: String, expected: String, _ transform: (String) -> Part?
    ) -> [Part]? {
        value(name, expected: "1 to \(partsMax), parted by commas, of \(expected)") { text in
            let parts = text.split(separator: ",", omittingEmptySubsequences: false)
            guard parts.count <= partsMax else { return nil }
            var values: [Part] = []
            for part in parts {
                guard let value = transform(String(part)) else { return nil }
                values.append(value)
            }
            return values
        }
    }
}

extension Problem {
    static let invalidCursor = Problem(
        422, "cursor.invalid", "The cursor must be the `next` of a page of this list.",
        faults: [
            Fault(
                .parameter("cursor"), code: "cursor.invalid",
                detail: "must be the next of the page before")
        ])
}

extension Response {
    /// A page of a list, with a Link to the next (RFC 8288).
    static func page(_ page: Page, for request: Request) -> Response {
        list(page.documents, next: page.next.map { Cursor.encode($0) }, for: request)
    }

    static func list(_ documents: [[UInt8]], next: String?, for request: Request) -> Response {
        var writer = JSONWriter()
        writer.object { writer in
            writer.name("items")
            writer.array { writer in
                for document in documents { writer.raw(document) }
            }
            writer.member("next", next)
        }
        var fields: [HeaderField] = []
        if let next { fields.append(link(toNext: next, as: "cursor", for: request)) }
        return .json(writer.bytes, fields: fields)
    }

    /// A Link to what follows: the request again, with another value of one parameter.
    static func link(toNext next: String, as name: String, for request: Request) -> HeaderField {
        let kept = request.target.query.filter { $0.name != name }
        let query = (kept + [Target.Parameter(name: name, value: next)])
            .map { "\(percentEncoded($0.name))=\(percentEncoded($0.value))" }
            .joined(separator: "&")
        let path = "/" + request.target.segments.map(percentEncoded).joined(separator: "/")
        return ("link", "<\(path)?\(query)>; rel=\"next\"")
    }

    /// A resource with its ETag.
    static func stored(_ stored: Stored, status: Int = 200, location: String? = nil) -> Response {
        var fields: [HeaderField] = [("etag", "\"\(stored.revision)\"")]
        if let location { fields.append(("location", location)) }
        return .json(stored.document, status: status, fields: fields)
    }
}
