/// The path and query of a request, percent-decoded (RFC 3986).
public struct Target: Sendable, Equatable {
    /// The path's segments after the leading slash; `/` has none.
    public let segments: [String]
    /// The query's parameters in the order sent; `+` stands for a space, as browsers send it.
    public let query: [Parameter]

    public struct Parameter: Sendable, Equatable {
        public let name: String
        public let value: String
        public init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    /// Parses an origin-form target such as `/v1/alarms?site=mannheim`.
    ///
    /// Nil for anything else: no leading slash, a broken percent escape, bytes that are not
    /// UTF-8. Dot segments are kept as they are: no route has one, so they lead nowhere.
    public init?(_ text: String) {
        let bytes = text.utf8
        guard bytes.first == UInt8(ascii: "/") else { return nil }
        let pathEnd = bytes.firstIndex(of: UInt8(ascii: "?")) ?? bytes.endIndex
        let path = bytes[bytes.index(after: bytes.startIndex)..<pathEnd]

        var segments: [String] = []
        if !path.isEmpty {
            for segment in path.split(
                separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            {
                guard let decoded = Self.decode(segment, plusIsSpace: false) else { return nil }
                segments.append(decoded)
            }
        }

        var query: [Parameter] = []
        if pathEnd < bytes.endIndex {
            for pair in bytes[bytes.index(after: pathEnd)...].split(separator: UInt8(ascii: "&")) {
                let nameEnd = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
                let rest =
                    nameEnd < pair.endIndex ? pair[pair.index(after: nameEnd)...] : pair[nameEnd...]
                guard let name = Self.decode(pair[..<nameEnd], plusIsSpace: true),
                    let value = Self.decode(rest, plusIsSpace: true)
                else { return nil }
                query.append(Parameter(name: name, value: value))
            }
        }
        self.segments = segments
        self.query = query
    }

    fileprivate static func decode(_ text: Substring.UTF8View, plusIsSpace: Bool) -> String? {
        var decoded: [UInt8] = []
        var index = text.startIndex
        while index < text.endIndex {
            var byte = text[index]
            index = text.index(after: index)
            if byte == UInt8(ascii: "%") {
                guard let high = hexDigit(text, &index), let low = hexDigit(text, &index) else {
                    return nil
                }
                byte = high << 4 | low
            } else if plusIsSpace, byte == UInt8(ascii: "+") {
                byte = UInt8(ascii: " ")
            }
            // PostgreSQL's text holds no NUL, and nothing of ours is named with one.
            if byte == 0 { return nil }
            decoded.append(byte)
        }
        return String(validating: decoded, as: UTF8.self)
    }

    private static func hexDigit(
        _ text: Substring.UTF8View, _ index: inout Substring.UTF8View.Index
    ) -> UInt8? {
        guard index < text.endIndex else { return nil }
        defer { index = text.index(after: index) }
        switch text[index] {
        case let digit where digit >= UInt8(ascii: "0") && digit <= UInt8(ascii: "9"):
            return digit - UInt8(ascii: "0")
        case let digit where digit >= UInt8(ascii: "a") && digit <= UInt8(ascii: "f"):
            return digit - UInt8(ascii: "a") + 10
        case let digit where digit >= UInt8(ascii: "A") && digit <= UInt8(ascii: "F"):
            return digit - UInt8(ascii: "A") + 10
        default:
            return nil
        }
    }
}

/// The text that stands percent-encoded; nil for a broken escape, U+0000, and what is not UTF-8.
public func percentDecoded(_ text: String) -> String? {
    Target.decode(text[...].utf8, plusIsSpace: false)
}

/// Percent-encodes a query value (RFC 3986: all but unreserved characters).
public func percentEncoded(_ text: String) -> String {
    var encoded = ""
    for byte in text.utf8 {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "_"), UInt8(ascii: "~"):
            encoded.unicodeScalars.append(Unicode.Scalar(byte))
        default:
            let digits = String(byte, radix: 16, uppercase: true)
            encoded += digits.count == 1 ? "%0\(digits)" : "%\(digits)"
        }
    }
    return encoded
}
