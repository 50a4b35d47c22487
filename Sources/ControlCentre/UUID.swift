/// A universally unique identifier of 128 bits (RFC 9562).
///
/// Ordered by its bytes, as PostgreSQL orders the type `uuid`.
public struct UUID: Hashable, Comparable, Sendable {
    /// The first eight bytes, most significant first.
    public let high: UInt64
    /// The last eight bytes, most significant first.
    public let low: UInt64

    /// The identifier with these bytes.
    public init(high: UInt64, low: UInt64) {
        (self.high, self.low) = (high, low)
    }

    /// A new identifier of version 7, which sorts by the time of its making.
    ///
    /// The twelve bits after the millisecond hold the fraction of it (RFC 9562 §6.2, method 3), so
    /// ids of different microseconds sort, mostly, in their order; those of the same microsecond do
    /// not. An instant before 1970 counts as 1970.
    public static func v7(
        at instant: Timestamp, using generator: inout some RandomNumberGenerator
    ) -> UUID {
        let microseconds = UInt64(max(0, instant.microsecondsSinceEpoch))
        let milliseconds = microseconds / 1_000
        let fraction = microseconds % 1_000 * 4_096 / 1_000
        return UUID(
            high: milliseconds << 16 | 0x7000 | fraction,
            low: generator.next() & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000)
    }

    /// A new identifier of version 7 with the system's random bits.
    public static func v7(at instant: Timestamp) -> UUID {
        var generator = SystemRandomNumberGenerator()
        return v7(at: instant, using: &generator)
    }

    public static func < (left: UUID, right: UUID) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }
}

extension UUID: LosslessStringConvertible {
    /// Reads the form `8-4-4-4-12` in hexadecimal digits of any case, of whatever version; nil if
    /// the text is anything else (RFC 9562 §4).
    public init?(_ text: String) {
        let bytes = text.utf8.span
        guard bytes.count == 36 else { return nil }
        var high: UInt64 = 0
        var low: UInt64 = 0
        for index in 0..<36 {
            let byte = bytes[index]
            switch index {
            case 8, 13, 18, 23:
                guard byte == UInt8(ascii: "-") else { return nil }
            default:
                guard let digit = Self.value(ofDigit: byte) else { return nil }
                // The sixteenth digit, which ends the high half, stands before the third hyphen.
                if index < 18 { high = high << 4 | digit } else { low = low << 4 | digit }
            }
        }
        self.init(high: high, low: low)
    }

    /// The form `8-4-4-4-12` in lower case.
    public var description: String {
        String(unsafeUninitializedCapacity: 36) { buffer in
            var bits = high
            for index in 0..<36 {
                switch index {
                case 8, 13, 23:
                    buffer[index] = UInt8(ascii: "-")
                case 18:
                    buffer[index] = UInt8(ascii: "-")
                    bits = low
                default:
                    let digit = UInt8(bits >> 60)
                    buffer[index] =
                        digit + (digit < 10 ? UInt8(ascii: "0") : UInt8(ascii: "a") - 10)
                    bits <<= 4
                }
            }
            return 36
        }
    }

    private static func value(ofDigit byte: UInt8) -> UInt64? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt64(byte - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt64(byte - UInt8(ascii: "A") + 10)
        default: nil
        }
    }
}
