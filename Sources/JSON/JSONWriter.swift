/// Writes JSON into a buffer of bytes, with no tree and no text in between.
///
///     var writer = JSONWriter()
///     writer.object { object in
///         object.member("id", alarm.id)
///         object.member("late", false)
///         object.name("boxes")
///         object.array { boxes in boxes.value(0.25) }
///     }
///     send(writer.bytes)
///
/// Commas and brackets come by themselves. That a name comes before each value in an object, and
/// none in an array, is the caller's duty.
public struct JSONWriter: Sendable {
    /// What is written so far.
    public private(set) var bytes: [UInt8]
    /// Whether the next name or item needs a comma before it.
    private var isAfterValue = false

    /// Creates a writer whose output follows `bytes`.
    public init(appendingTo bytes: consuming [UInt8] = []) {
        self.bytes = bytes
    }

    // MARK: Structure

    /// Writes an object whose members `body` writes.
    public mutating func object<Failure: Error>(
        _ body: (inout JSONWriter) throws(Failure) -> Void
    ) throws(Failure) {
        begin(UInt8(ascii: "{"))
        try body(&self)
        end(UInt8(ascii: "}"))
    }

    /// Writes an array whose items `body` writes.
    public mutating func array<Failure: Error>(
        _ body: (inout JSONWriter) throws(Failure) -> Void
    ) throws(Failure) {
        begin(UInt8(ascii: "["))
        try body(&self)
        end(UInt8(ascii: "]"))
    }

    /// Writes a member's name; its value comes next.
    public mutating func name(_ name: String) {
        separate()
        quote(name)
        bytes.append(UInt8(ascii: ":"))
        isAfterValue = false
    }

    private mutating func begin(_ bracket: UInt8) {
        separate()
        bytes.append(bracket)
        isAfterValue = false
    }

    private mutating func end(_ bracket: UInt8) {
        bytes.append(bracket)
        isAfterValue = true
    }

    private mutating func separate() {
        if isAfterValue {
            bytes.append(UInt8(ascii: ","))
        }
        isAfterValue = true
    }

    // MARK: Values

    /// Writes `null`.
    public mutating func null() {
        separate()
        append("null")
    }

    /// Writes `true` or `false`.
    public mutating func value(_ value: Bool) {
        separate()
        append(value ? "true" : "false")
    }

    /// Writes an integer in decimal digits.
    public mutating func value(_ value: Int64) {
        separate()
        var digits = InlineArray<19, UInt8>(repeating: 0)
        var start = digits.count
        var rest = value.magnitude
        repeat {
            start -= 1
            digits[start] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while rest > 0
        if value < 0 {
            bytes.append(UInt8(ascii: "-"))
        }
        for index in start..<digits.count {
            bytes.append(digits[index])
        }
    }

    /// Writes an integer in decimal digits.
    public mutating func value(_ value: Int) {
        self.value(Int64(value))
    }

    /// Writes a finite number in the fewest digits that read back as the same `Double`, always with
    /// a fraction or an exponent.
    public mutating func value(_ value: Double) {
        precondition(value.isFinite, "JSON has no number for \(value)")
        separate()
        // The standard library's digits are the shortest ones and valid JSON. Up to 15 characters
        // of them need no memory of their own.
        bytes.append(contentsOf: value.description.utf8)
    }

    /// Writes a text, escaping quotation marks, backslashes and control characters only.
    public mutating func value(_ value: String) {
        separate()
        quote(value)
    }

    /// Writes a value with its members in their order.
    public mutating func value(_ json: JSON) {
        switch json {
        case .null: null()
        case .bool(let bool): value(bool)
        case .integer(let integer): value(integer)
        case .number(let number): value(number)
        case .string(let string): value(string)
        case .array(let items):
            array { writer in
                for item in items {
                    writer.value(item)
                }
            }
        case .object(let object):
            self.object { writer in
                for member in object.members {
                    writer.member(member.name, member.value)
                }
            }
        }
    }

    /// Writes bytes that are one JSON value already, as they are.
    public mutating func raw(_ json: [UInt8]) {
        separate()
        bytes.append(contentsOf: json)
    }

    /// Writes bytes that are one JSON value already, as they are.
    public mutating func raw(_ json: UnsafeRawBufferPointer) {
        separate()
        bytes.append(contentsOf: json)
    }

    // MARK: Characters

    private mutating func append(_ ascii: StaticString) {
        ascii.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }

    private mutating func quote(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        // A native string is contiguous; only a bridged one is not, and there are none on Linux.
        if text.utf8.withContiguousStorageIfAvailable({ escape($0) }) == nil {
            Array(text.utf8).withUnsafeBufferPointer { escape($0) }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    /// Copies runs of plain bytes at once; most texts are a single run.
    private mutating func escape(_ text: UnsafeBufferPointer<UInt8>) {
        var runStart = 0
        for index in text.indices {
            let byte = text[index]
            guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else {
                continue
            }
            bytes.append(contentsOf: text[runStart..<index])
            runStart = index + 1
            escape(byte)
        }
        bytes.append(contentsOf: text[runStart...])
    }

    private mutating func escape(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): append("\\\"")
        case UInt8(ascii: "\\"): append("\\\\")
        case UInt8(ascii: "\n"): append("\\n")
        case UInt8(ascii: "\r"): append("\\r")
        case UInt8(ascii: "\t"): append("\\t")
        default:
            append(byte < 0x10 ? "\\u000" : "\\u001")
            let digit = byte & 0x0F
            bytes.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
        }
    }
}
