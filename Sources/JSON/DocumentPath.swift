/// Where in a document a parser has stopped: the steps from the root to the value it was reading.
///
/// What the parser has read up to there follows JSON's grammar, so brackets, commas and texts tell
/// all.
struct DocumentPath {
    private enum Container {
        case array(index: Int)
        /// The name is nil until the parser has read it.
        case object(name: String?)
    }

    private var containers: [Container] = []

    init(atEndOf bytes: Slice<UnsafeRawBufferPointer>) {
        var rest = bytes
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\""):
                guard let text = Self.popText(&rest) else { return }
                name(text)
            case UInt8(ascii: "["): containers.append(.array(index: 0))
            case UInt8(ascii: "{"): containers.append(.object(name: nil))
            case UInt8(ascii: "]"), UInt8(ascii: "}"): _ = containers.popLast()
            case UInt8(ascii: ","): goOn()
            default: break
            }
        }
    }

    /// As a JSON pointer (RFC 6901): the member or item being read, or the object whose next name
    /// was not yet known.
    ///
    /// jansson reads deeper than any document may be; what lies beyond is left out.
    var pointer: String {
        var pointer = ""
        for container in containers.prefix(JSON.depthMax) {
            switch container {
            case .array(let index): pointer += "/\(index)"
            case .object(let name?): pointer += pointerStep(to: name)
            case .object(nil): break
            }
        }
        return pointer
    }

    /// The first text in an object after its bracket or a comma is a name, any other a value.
    private mutating func name(_ text: Slice<UnsafeRawBufferPointer>) {
        guard case .object(nil)? = containers.last else { return }
        containers[containers.count - 1] = .object(name: Self.decoded(text))
    }

    private mutating func goOn() {
        switch containers.last {
        case .array(let index): containers[containers.count - 1] = .array(index: index + 1)
        case .object: containers[containers.count - 1] = .object(name: nil)
        case nil: break
        }
    }

    /// Removes a text up to its closing quotation mark, which is missing where the parser stopped
    /// inside.
    private static func popText(_ rest: inout Slice<UnsafeRawBufferPointer>)
        -> Slice<UnsafeRawBufferPointer>?
    {
        let start = rest.startIndex
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\""): return rest.base[start..<rest.startIndex - 1]
            case UInt8(ascii: "\\"): _ = rest.popFirst()
            default: break
            }
        }
        return nil
    }

    private static func decoded(_ text: Slice<UnsafeRawBufferPointer>) -> String {
        guard text.contains(UInt8(ascii: "\\")) else {
            return String(decoding: text, as: UTF8.self)
        }
        let quoted = text.base[text.startIndex - 1...text.endIndex]
        // Only a name that is itself what is wrong does not parse; it stands as it was sent.
        let name = try? JSON.parse(UnsafeRawBufferPointer(rebasing: quoted))
        return name?.asString ?? String(decoding: text, as: UTF8.self)
    }
}
