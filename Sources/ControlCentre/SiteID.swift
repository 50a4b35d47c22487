/// Names a site by a slug that people read and type, such as `mannheim`.
///
/// One to 63 lower-case letters, digits and single hyphens between them:
/// `^[a-z0-9](-?[a-z0-9])*$`. So it also fits a DNS label (RFC 1035 §2.3.4).
public struct SiteID: Identifier {
    public let description: String

    /// The most characters of a slug.
    public static let charactersMax = 63

    /// Reads a slug, or returns nil if the text is none.
    public init?(_ text: String) {
        guard 1...Self.charactersMax ~= text.utf8.count else { return nil }
        var hyphenAllowed = false
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"):
                hyphenAllowed = true
            case UInt8(ascii: "-") where hyphenAllowed:
                hyphenAllowed = false
            default:
                return nil
            }
        }
        guard hyphenAllowed else { return nil }
        description = text
    }

    public static func < (left: SiteID, right: SiteID) -> Bool {
        left.description < right.description
    }
}
