/// The binary form of `timestamptz`: microseconds since the start of the year 2000 (UTC).
enum Timestamp {
    /// From 1 January 1970 to 1 January 2000.
    private static let epoch: Int64 = 946_684_800_000_000

    /// The ends of the range mean infinity to PostgreSQL. A moment that is out of range becomes
    /// a value that PostgreSQL refuses (22008) instead.
    static func binary(microsecondsSinceUnixEpoch time: Int64) -> Int64 {
        let (value, isOverflow) = time.subtractingReportingOverflow(epoch)
        return isOverflow || value == .min ? .min + 1 : value
    }

    /// Nil for infinity and for moments that `Int64` cannot count from 1970.
    static func microsecondsSinceUnixEpoch(binary value: Int64) -> Int64? {
        guard value != .min, value != .max else { return nil }
        let (time, isOverflow) = value.addingReportingOverflow(epoch)
        return isOverflow ? nil : time
    }
}
