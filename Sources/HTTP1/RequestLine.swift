/// The first line of a request, read strictly (RFC 9112 section 3).
///
/// The guard reads it itself because llhttp refuses methods that it does not know, and the server
/// has to see those to answer 405 or 501.
struct RequestLine {
    let method: String
    let target: String
    /// Of a target in absolute form or of CONNECT.
    let authority: String?
    let minorVersion: Int
    /// Where the method ends in the line.
    let methodCount: Int

    /// No method is longer; the longest registered one has 17 bytes.
    static let methodBytesMax = 64
    /// What a line has besides method and target: two spaces, version, CRLF.
    static let overheadBytes = 12

    /// - Parameter line: without its CRLF.
    init(_ line: UnsafeRawBufferPointer, limits: HTTP1Limits) throws(HTTP1Error) {
        guard let methodEnd = line.firstIndex(of: .space) else { throw .notHTTP }
        guard methodEnd > 0, methodEnd <= Self.methodBytesMax,
            line[..<methodEnd].allSatisfy(\.isTokenCharacter)
        else { throw .malformedRequestLine }

        let afterMethod = line[(methodEnd + 1)...]
        guard let targetEnd = afterMethod.firstIndex(of: .space) else {
            // HTTP/0.9 asks with method and target alone.
            throw afterMethod.isEmpty ? .malformedRequestLine : .unsupportedVersion
        }
        let target = afterMethod[..<targetEnd]
        guard !target.isEmpty else { throw .malformedRequestLine }
        guard target.count <= limits.targetBytesMax else {
            throw .targetTooLong(maximum: limits.targetBytesMax)
        }
        minorVersion = try Self.minorVersion(line[(targetEnd + 1)...])

        methodCount = methodEnd
        method = String(decoding: line[..<methodEnd], as: UTF8.self)
        (self.target, authority) = try Self.read(target, method: method)
    }

    private static func minorVersion(
        _ version: Slice<UnsafeRawBufferPointer>
    ) throws(HTTP1Error) -> Int {
        if version.elementsEqual("HTTP/1.1".utf8) { return 1 }
        if version.elementsEqual("HTTP/1.0".utf8) { return 0 }
        let number = version.dropFirst(5)
        guard version.starts(with: "HTTP/".utf8), number.first?.isDigit == true,
            number.allSatisfy({ $0.isDigit || $0 == UInt8(ascii: ".") })
        else { throw .malformedRequestLine }
        throw .unsupportedVersion
    }

    /// Tells the four forms of RFC 9112 section 3.2 apart.
    private static func read(
        _ target: Slice<UnsafeRawBufferPointer>, method: String
    ) throws(HTTP1Error) -> (target: String, authority: String?) {
        guard target.allSatisfy(\.isTargetCharacter) else { throw .malformedTarget }
        let text = String(decoding: target, as: UTF8.self)
        if method == "CONNECT" {
            guard target.allSatisfy(\.isAuthorityCharacter) else { throw .malformedTarget }
            return (text, text)
        }
        if target.first == UInt8(ascii: "/") { return (text, nil) }
        if text == "*", method == "OPTIONS" { return (text, nil) }

        let scheme = target.prefix { $0 != UInt8(ascii: ":") }.map(\.lowercased)
        let afterScheme = target.dropFirst(scheme.count)
        guard scheme.elementsEqual("http".utf8) || scheme.elementsEqual("https".utf8),
            afterScheme.starts(with: "://".utf8)
        else { throw .malformedTarget }
        let authority = afterScheme.dropFirst(3)
            .prefix { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?") }
        guard !authority.isEmpty, authority.allSatisfy(\.isAuthorityCharacter) else {
            throw .malformedTarget
        }
        let path = String(decoding: target[authority.endIndex...], as: UTF8.self)
        return (
            path.hasPrefix("/") ? path : "/" + path, String(decoding: authority, as: UTF8.self)
        )
    }
}
