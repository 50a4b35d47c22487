extension Timestamp {
    /// Reads an RFC 3339 `date-time`, or returns nil if it is none.
    ///
    /// Takes any offset (also `-00:00`) but wants one: a local time without it names no instant.
    /// `t` and `z` may be in lower case; a space for `T` is refused. Up to nine digits of a fraction
    /// are read, those after the sixth dropped. A leap second is read where RFC 3339 §5.7 allows it,
    /// at 23:59:60 UTC on the last day of a month, and becomes the following second, as in POSIX
    /// time and in PostgreSQL; refusing it would lose what happened in it.
    public init?(rfc3339 text: String) {
        self.init(rfc3339: text.utf8.span)
    }

    private init?(rfc3339 text: borrowing Span<UInt8>) {
        guard text.count >= 20,
            text[4] == UInt8(ascii: "-"), text[7] == UInt8(ascii: "-"),
            text[10] | 0x20 == UInt8(ascii: "t"),
            text[13] == UInt8(ascii: ":"), text[16] == UInt8(ascii: ":"),
            let year = Self.number(in: text, from: 0, to: 4), year >= 1,
            let month = Self.number(in: text, from: 5, to: 7),
            let day = Self.number(in: text, from: 8, to: 10),
            let date = CivilDate(year: year, month: month, day: day),
            let hour = Self.number(in: text, from: 11, to: 13), hour <= 23,
            let minute = Self.number(in: text, from: 14, to: 16), minute <= 59,
            let second = Self.number(in: text, from: 17, to: 19), second <= 60,
            let (fraction, end) = Self.fraction(in: text, at: 19),
            let offset = Self.offset(in: text, at: end)
        else { return nil }

        let seconds =
            date.daysSinceEpoch * 86_400 + hour * 3_600 + minute * 60 + second - offset
        if second == 60 {
            let (days, rest) = seconds.quotientAndRemainder(dividingBy: 86_400)
            guard rest == 0, CivilDate(daysSinceEpoch: days).day == 1 else { return nil }
        }
        self.init(microsecondsSinceEpoch: seconds * 1_000_000 + fraction)
    }

    /// The instant in UTC with six fractional digits: `2026-11-24T12:00:00.250000Z`.
    public var rfc3339: String {
        // Rounding down keeps the parts of an instant before 1970 positive.
        let microseconds = microsecondsSinceEpoch
        let days = (microseconds - Self.floorRemainder(microseconds, Self.day)) / Self.day
        let time = microseconds - days * Self.day
        let date = CivilDate(daysSinceEpoch: days)
        return String(unsafeUninitializedCapacity: 27) { buffer in
            func write(_ value: Int64, at start: Int, digits: Int) {
                var rest = UInt64(value)
                for index in (start..<start + digits).reversed() {
                    buffer[index] = UInt8(ascii: "0") + UInt8(rest % 10)
                    rest /= 10
                }
            }
            write(date.year, at: 0, digits: 4)
            buffer[4] = UInt8(ascii: "-")
            write(date.month, at: 5, digits: 2)
            buffer[7] = UInt8(ascii: "-")
            write(date.day, at: 8, digits: 2)
            buffer[10] = UInt8(ascii: "T")
            write(time / 3_600_000_000, at: 11, digits: 2)
            buffer[13] = UInt8(ascii: ":")
            write(time / 60_000_000 % 60, at: 14, digits: 2)
            buffer[16] = UInt8(ascii: ":")
            write(time / 1_000_000 % 60, at: 17, digits: 2)
            buffer[19] = UInt8(ascii: ".")
            write(time % 1_000_000, at: 20, digits: 6)
            buffer[26] = UInt8(ascii: "Z")
            return 27
        }
    }

    private static let day: Int64 = 86_400_000_000

    private static func floorRemainder(_ value: Int64, _ divisor: Int64) -> Int64 {
        let remainder = value % divisor
        return remainder < 0 ? remainder + divisor : remainder
    }

    /// The number that the bytes from `start` up to `end` spell, or nil if one is no digit.
    private static func number(
        in text: borrowing Span<UInt8>, from start: Int, to end: Int
    ) -> Int64? {
        var value: Int64 = 0
        for index in start..<end {
            let digit = text[index] &- UInt8(ascii: "0")
            guard digit <= 9 else { return nil }
            value = value * 10 + Int64(digit)
        }
        return value
    }

    /// The fraction of a second at `start` in microseconds and where it ends, or nil if it has no
    /// digit or more than nine.
    private static func fraction(
        in text: borrowing Span<UInt8>, at start: Int
    ) -> (microseconds: Int64, end: Int)? {
        guard text[start] == UInt8(ascii: ".") else { return (0, start) }
        var value: Int64 = 0
        var unit: Int64 = 100_000
        var end = start + 1
        while end < text.count {
            let digit = text[end] &- UInt8(ascii: "0")
            guard digit <= 9 else { break }
            value += Int64(digit) * unit
            unit /= 10
            end += 1
        }
        return 1...9 ~= end - start - 1 ? (value, end) : nil
    }

    /// The offset that ends the text, in seconds east of UTC, or nil if there is none.
    private static func offset(in text: borrowing Span<UInt8>, at start: Int) -> Int64? {
        switch text.count - start {
        case 1:
            return text[start] | 0x20 == UInt8(ascii: "z") ? 0 : nil
        case 6:
            guard text[start + 3] == UInt8(ascii: ":"),
                let hours = number(in: text, from: start + 1, to: start + 3), hours <= 23,
                let minutes = number(in: text, from: start + 4, to: start + 6), minutes <= 59
            else { return nil }
            let seconds = hours * 3_600 + minutes * 60
            switch text[start] {
            case UInt8(ascii: "+"): return seconds
            case UInt8(ascii: "-"): return -seconds
            default: return nil
            }
        default:
            return nil
        }
    }
}
