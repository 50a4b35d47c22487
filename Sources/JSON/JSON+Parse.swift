extension JSON {
    /// How deep arrays and objects may be nested; `[]` has a depth of 1.
    public static let depthMax = 64

    /// Parses one JSON document, which may be any value, and copies it out of jansson's tree.
    ///
    /// Strict: refused are a name twice in one object, NUL bytes, U+0000, lone surrogates, bytes that are not
    /// UTF-8, integers beyond `Int64`, numbers beyond `Double`, nesting beyond `depthMax` and
    /// anything but white space after the document. A number too small for `Double` becomes 0.
    ///
    /// Memory is a small multiple of the bytes given, whose number the caller limits.
    public static func parse(_ bytes: UnsafeRawBufferPointer) throws(JSONError) -> JSON {
        do throws(JSONError) {
            let document = try JanssonDocument(parsing: bytes)
            guard let value = document.value(depthMax: depthMax) else {
                throw JSONError.tooDeep(bytes)
            }
            return value
        } catch {
            // jansson stops at a depth of its own, further in; the place reported is the same.
            throw error.kind == .depth ? .tooDeep(bytes) : error
        }
    }

    /// Parses one JSON document (see `parse(_: UnsafeRawBufferPointer)`).
    public static func parse(_ bytes: [UInt8]) throws(JSONError) -> JSON {
        try bytes.withUnsafeBufferPointer { bytes throws(JSONError) in
            try parse(UnsafeRawBufferPointer(bytes))
        }
    }
}

extension JSONError {
    /// The error for a document nested too deep, placed at the bracket that goes too far.
    fileprivate static func tooDeep(_ bytes: UnsafeRawBufferPointer) -> JSONError {
        var offset = 0
        var depth = 0
        var isInString = false
        var isEscaped = false
        for byte in bytes where depth <= JSON.depthMax {
            offset += 1
            if isEscaped {
                isEscaped = false
                continue
            }
            switch byte {
            case UInt8(ascii: "\\"): isEscaped = isInString
            case UInt8(ascii: "\""): isInString.toggle()
            case UInt8(ascii: "["), UInt8(ascii: "{"): depth += isInString ? 0 : 1
            case UInt8(ascii: "]"), UInt8(ascii: "}"): depth -= isInString ? 0 : 1
            default: break
            }
        }
        return JSONError(
            .depth, after: bytes.prefix(offset), text: "nested deeper than \(JSON.depthMax)")
    }

    /// An error of this module's own, placed as jansson places its errors.
    init(_ kind: Kind, after read: Slice<UnsafeRawBufferPointer>, text: String) {
        let newline = UInt8(ascii: "\n")
        let lineStart = read.lastIndex(of: newline).map { $0 + 1 } ?? read.startIndex
        self.init(
            kind: kind,
            line: read.count { $0 == newline } + 1,
            // A character of UTF-8 has one byte that is no continuation.
            column: read[lineStart...].count { $0 & 0xC0 != 0x80 },
            offset: read.count,
            pointer: DocumentPath(atEndOf: read).pointer,
            text: text)
    }
}
