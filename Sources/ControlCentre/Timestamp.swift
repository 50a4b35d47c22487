import Glibc

/// An instant in UTC, in whole microseconds since 1970-01-01T00:00:00Z.
///
/// Covers the years 0001 to 9999, which RFC 3339 can write and PostgreSQL's `timestamptz` can hold.
/// POSIX time has no leap seconds, nor has this. Arithmetic saturates at ``earliest`` and
/// ``latest``, so an instant that a peer sent cannot trap the program.
public struct Timestamp: Hashable, Comparable, Sendable {
    /// Microseconds since the Unix epoch, negative before it.
    public let microsecondsSinceEpoch: Int64

    /// 0001-01-01T00:00:00.000000Z.
    public static let earliest = Timestamp(saturating: -62_135_596_800_000_000)

    /// 9999-12-31T23:59:59.999999Z.
    public static let latest = Timestamp(saturating: 253_402_300_799_999_999)

    /// 1970-01-01T00:00:00.000000Z.
    public static let epoch = Timestamp(saturating: 0)

    /// The instant that many microseconds after the Unix epoch, or nil outside the years 0001 to
    /// 9999 (PostgreSQL's `infinity` is such a value).
    public init?(microsecondsSinceEpoch: Int64) {
        guard Self.range.contains(microsecondsSinceEpoch) else { return nil }
        self.microsecondsSinceEpoch = microsecondsSinceEpoch
    }

    init(saturating microseconds: Int64) {
        microsecondsSinceEpoch = min(
            max(microseconds, Self.range.lowerBound), Self.range.upperBound)
    }

    private static let range: ClosedRange<Int64> =
        -62_135_596_800_000_000...253_402_300_799_999_999

    /// The instant on the system's clock (`CLOCK_REALTIME`), truncated to microseconds.
    public static func now() -> Timestamp {
        var time = timespec()
        // It fails only for an unknown clock or a bad pointer: see clock_gettime(2).
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(
            saturating: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000)
    }

    public static func < (left: Timestamp, right: Timestamp) -> Bool {
        left.microsecondsSinceEpoch < right.microsecondsSinceEpoch
    }

    /// The instant that much later; parts below a microsecond are dropped.
    public static func + (instant: Timestamp, duration: Duration) -> Timestamp {
        let (sum, overflows) = instant.microsecondsSinceEpoch
            .addingReportingOverflow(duration.wholeMicroseconds)
        guard !overflows else { return duration < .zero ? earliest : latest }
        return Timestamp(saturating: sum)
    }

    /// The instant that much earlier; parts below a microsecond are dropped.
    public static func - (instant: Timestamp, duration: Duration) -> Timestamp {
        let (difference, overflows) = instant.microsecondsSinceEpoch
            .subtractingReportingOverflow(duration.wholeMicroseconds)
        guard !overflows else { return duration < .zero ? latest : earliest }
        return Timestamp(saturating: difference)
    }

    /// The time from `earlier` to `later`, negative if they are the other way round.
    public static func - (later: Timestamp, earlier: Timestamp) -> Duration {
        .microseconds(later.microsecondsSinceEpoch - earlier.microsecondsSinceEpoch)
    }
}

extension Timestamp: CustomStringConvertible {
    /// The same as ``rfc3339``.
    public var description: String { rfc3339 }
}
