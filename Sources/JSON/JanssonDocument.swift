import CJansson
import Glibc

/// The tree that jansson made of one document, freed when this goes out of scope.
///
/// https://jansson.readthedocs.io/en/2.14/apiref.html
struct JanssonDocument: ~Copyable {
    private let root: UnsafeMutablePointer<json_t>

    /// Parses a document.
    ///
    /// jansson itself stops at a depth of 2048 (`JSON_PARSER_MAX_DEPTH`), so that neither its
    /// parser nor `json_decref` can run out of stack.
    init(parsing bytes: UnsafeRawBufferPointer) throws(JSONError) {
        guard let start = bytes.baseAddress else {
            throw JSONError(.endOfInput, after: bytes.prefix(0), text: "no input")
        }
        // jansson takes a NUL byte between tokens for the end and ignores what follows.
        if let nul = memchr(start, 0, bytes.count) {
            let read = bytes.prefix(start.distance(to: nul) + 1)
            throw JSONError(.nulCharacter, after: read, text: "NUL byte")
        }
        let flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY
        var error = json_error_t()
        guard
            let root = json_loadb(
                start.assumingMemoryBound(to: CChar.self), bytes.count, Int(flags), &error)
        else {
            throw JSONError(error, parsing: bytes)
        }
        self.root = root
    }

    deinit {
        json_decref(root)
    }

    /// The tree as a Swift value, or nil when it is deeper than `depthMax`.
    func value(depthMax: Int) -> JSON? {
        try? JSON(copying: root, depthMax: depthMax)  // TooDeep is the only error, and is the nil
    }
}

/// A tree has more levels than asked for.
private struct TooDeep: Error {}

extension JSON {
    fileprivate init(
        copying node: UnsafeMutablePointer<json_t>, depthMax: Int
    ) throws(TooDeep) {
        switch node.pointee.type {
        case JSON_STRING:
            self = .string(String(json_string_value(node), byteCount: json_string_length(node)))
        case JSON_INTEGER:
            self = .integer(Int64(json_integer_value(node)))
        case JSON_REAL:
            self = .number(json_real_value(node))
        case JSON_TRUE:
            self = .bool(true)
        case JSON_FALSE:
            self = .bool(false)
        case JSON_ARRAY:
            guard depthMax > 0 else { throw TooDeep() }
            self = .array(try JSON.items(of: node, depthMax: depthMax - 1))
        case JSON_OBJECT:
            guard depthMax > 0 else { throw TooDeep() }
            self = .object(
                JSONObject(distinct: try JSON.members(of: node, depthMax: depthMax - 1)))
        default:
            self = .null
        }
    }

    private static func items(
        of array: UnsafeMutablePointer<json_t>, depthMax: Int
    ) throws(TooDeep) -> [JSON] {
        let count = json_array_size(array)
        var items: [JSON] = []
        items.reserveCapacity(count)
        for index in 0..<count {
            guard let item = json_array_get(array, index) else { break }
            items.append(try JSON(copying: item, depthMax: depthMax))
        }
        return items
    }

    // jansson's iterator goes in the order of insertion.
    private static func members(
        of object: UnsafeMutablePointer<json_t>, depthMax: Int
    ) throws(TooDeep) -> [JSONObject.Member] {
        var members: [JSONObject.Member] = []
        members.reserveCapacity(json_object_size(object))
        var iterator = json_object_iter(object)
        while let position = iterator, let value = json_object_iter_value(position) {
            let name = String(
                json_object_iter_key(position), byteCount: json_object_iter_key_len(position))
            members.append(
                JSONObject.Member(
                    name: name, value: try JSON(copying: value, depthMax: depthMax)))
            iterator = json_object_iter_next(object, position)
        }
        return members
    }
}

extension String {
    fileprivate init(_ start: UnsafePointer<CChar>?, byteCount: Int) {
        let bytes = UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : byteCount)
        self.init(decoding: bytes, as: UTF8.self)
    }
}

extension JSONError {
    fileprivate init(_ error: json_error_t, parsing bytes: UnsafeRawBufferPointer) {
        // jansson hides the code in the text's last byte (`json_error_code` in jansson.h).
        let (code, text) = withUnsafeBytes(of: error.text) { text in
            (text[text.count - 1], String(decoding: text.prefix { $0 != 0 }, as: UTF8.self))
        }
        let offset = min(max(Int(error.position), 0), bytes.count)
        self.init(
            kind: Kind(code, offset: offset, parsing: bytes),
            line: Int(error.line), column: Int(error.column), offset: offset,
            pointer: DocumentPath(atEndOf: bytes.prefix(offset)).pointer, text: text)
    }
}

extension JSONError.Kind {
    fileprivate init(_ code: UInt8, offset: Int, parsing bytes: UnsafeRawBufferPointer) {
        switch UInt32(code) {
        case json_error_invalid_syntax.rawValue: self = .invalidSyntax
        case json_error_premature_end_of_input.rawValue: self = .endOfInput
        case json_error_end_of_input_expected.rawValue: self = .trailingBytes
        case json_error_duplicate_key.rawValue:
            self = .duplicateKey(Self.name(endingAt: offset, of: bytes))
        case json_error_stack_overflow.rawValue: self = .depth
        case json_error_invalid_utf8.rawValue: self = .invalidUTF8
        case json_error_null_character.rawValue, json_error_null_byte_in_key.rawValue:
            self = .nulCharacter
        case json_error_numeric_overflow.rawValue: self = .numberOutOfRange
        case json_error_out_of_memory.rawValue: self = .outOfMemory
        default: self = .unexpected(code: code)
        }
    }

    /// The name whose closing quotation mark is the last byte before `end`.
    ///
    /// jansson's text quotes a name only up to 20 bytes, so it is read again from the input.
    private static func name(endingAt end: Int, of bytes: UnsafeRawBufferPointer) -> String {
        var start = end - 2
        // A quotation mark inside the name follows a backslash, the opening one never does.
        while start > 0,
            bytes[start] != UInt8(ascii: "\"") || bytes[start - 1] == UInt8(ascii: "\\")
        {
            start -= 1
        }
        guard start >= 0 else { return "" }
        let name = try? JSON.parse(UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
        return name?.asString ?? ""  // it has parsed once already, as part of the document
    }
}
