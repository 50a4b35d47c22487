/// Where a server is: scheme, host and port (RFC 9110, section 4.3.1).
public struct Origin: Sendable, Hashable, CustomStringConvertible {
    /// Whether the server speaks TLS (`https`).
    public let isSecure: Bool
    /// A name or an address, IPv6 without brackets.
    public let host: String
    public let port: UInt16

    public init(isSecure: Bool, host: String, port: UInt16) {
        self.isSecure = isSecure
        self.host = host
        self.port = port
    }

    /// Reads `http://127.0.0.1:8080` or `https://leitstand.example`; nil for anything else, also
    /// for a URL with a user, or a path other than `/`.
    public init?(_ url: String) {
        guard let schemeEnd = url.firstRange(of: "://") else { return nil }
        switch url[..<schemeEnd.lowerBound].lowercased() {
        case "http": isSecure = false
        case "https": isSecure = true
        default: return nil
        }
        var authority = url[schemeEnd.upperBound...]
        if authority.hasSuffix("/") { authority = authority.dropLast() }
        let allowed = authority.utf8.allSatisfy {
            $0 > 0x20 && $0 < 0x7f && !Self.delimiters.contains($0)
        }
        guard allowed else { return nil }

        var portText = isSecure ? "443" : "80"
        let bracket = authority.lastIndex(of: "]")
        if let colon = authority.lastIndex(of: ":"), bracket.map({ $0 < colon }) ?? true {
            portText = String(authority[authority.index(after: colon)...])
            authority = authority[..<colon]
        }
        let isBracketed = authority.hasPrefix("[") && authority.hasSuffix("]")
        if isBracketed { authority = authority.dropFirst().dropLast() }
        // Only a bracketed address has colons of its own.
        guard !authority.isEmpty, isBracketed == authority.contains(":"),
            let port = UInt16(portText), port > 0
        else { return nil }
        host = String(authority)
        self.port = port
    }

    private static let delimiters = Set("/?#@\\".utf8)

    /// Host and port as `:authority` carries them; the default port is left out.
    public var authority: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return port == (isSecure ? 443 : 80) ? name : "\(name):\(port)"
    }

    public var description: String { "\(isSecure ? "https" : "http")://\(authority)" }
}
