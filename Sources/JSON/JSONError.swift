/// Why bytes are not one JSON document, and where.
public struct JSONError: Error, Sendable, Equatable {
    /// What is wrong.
    public enum Kind: Sendable, Equatable {
        /// The bytes break JSON's grammar; lone surrogates and control characters count here.
        case invalidSyntax
        /// The bytes stop in the middle of the document, or there are none.
        case endOfInput
        /// Something other than white space follows the document.
        case trailingBytes
        /// An object has a second member of this name.
        case duplicateKey(String)
        /// Arrays and objects are nested deeper than `JSON.depthMax`.
        case depth
        /// A text is not UTF-8.
        case invalidUTF8
        /// There is a NUL byte, or an escaped U+0000, which PostgreSQL cannot keep.
        case nulCharacter
        /// An integer is beyond `Int64` or a number beyond `Double`.
        case numberOutOfRange
        /// The parser could not allocate memory.
        case outOfMemory
        /// jansson gave another code of `enum json_error_code`.
        case unexpected(code: UInt8)
    }

    public let kind: Kind
    /// The line at which the parser stopped, from 1.
    public let line: Int
    /// How many characters of that line it had read.
    public let column: Int
    /// How many bytes of the whole it had read.
    public let offset: Int
    /// The value that the parser was reading, as a JSON pointer (RFC 6901).
    public let pointer: String
    /// The parser's own words, in English, at most 159 bytes; they may quote the input.
    public let text: String

    /// What is wrong, in words that do not speak of the parser.
    public var reason: String {
        switch kind {
        case .nulCharacter: "U+0000 is not taken, escaped or not"
        default: text
        }
    }
}
