import ControlCentre
import Testing

@testable import Store

/// What clocks and calendars in Berlin show, by the rule of the European Union: summer time from the
/// last Sunday in March to the last in October, each at 01:00 UTC.
///
/// Days are counted from 1970-01-01, a Thursday.
enum BerlinCalendar {
    private static let daySeconds: Int64 = 86_400
    private static let weekdays = ["thu", "fri", "sat", "sun", "mon", "tue", "wed"]

    /// What a local day is of.
    struct Day: Sendable {
        let month: String
        let week: String
        let name: String
        let weekday: String

        /// The key of a stretch of the calendar.
        subscript(_ dimension: Dimension) -> String? {
            switch dimension {
            case .month: month
            case .week: week
            case .day: name
            default: nil
            }
        }
    }

    /// Of all days that a test is about: of 2020 to 2040.
    private static let days: [Int64: Day] = Dictionary(
        uniqueKeysWithValues: (18_262..<25_933).map { ($0, read($0)) })

    static func day(_ number: Int64) throws -> Day { try #require(days[number]) }

    private static func read(_ number: Int64) -> Day {
        let name = name(number)
        // The ISO week belongs to the year of its Thursday.
        let thursday = number - (number + 3) % 7 + 3
        let year = self.name(thursday).prefix(4)
        var week = 1
        while self.name(thursday - Int64(week) * 7).hasPrefix(year) { week += 1 }
        return Day(
            month: String(name.prefix(7)), week: "\(year)-W\(week < 10 ? "0" : "")\(week)",
            name: name, weekday: weekdays[Int(number % 7)])
    }

    private static func name(_ number: Int64) -> String {
        String((Timestamp.epoch + .seconds(number * daySeconds)).rfc3339.prefix(10))
    }

    /// Reads `YYYY-MM-DD`.
    static func number(_ date: some StringProtocol) throws -> Int64 {
        seconds(try instant("\(date)T00:00:00Z")) / daySeconds
    }

    private static func seconds(_ instant: Timestamp) -> Int64 {
        instant.microsecondsSinceEpoch / 1_000_000
    }

    /// Seconds since 1970 as a clock shows them.
    private static func shown(_ instant: Timestamp) throws -> Int64 {
        let year = instant.rfc3339.prefix(4)
        func change(in lastOfMonth: String) throws -> Int64 {
            let last = try number("\(year)-\(lastOfMonth)")
            return (last - (last + 4) % 7) * daySeconds + 3_600
        }
        let isSummer = try (change(in: "03-31")..<change(in: "10-31")).contains(seconds(instant))
        return seconds(instant) + (isSummer ? 7_200 : 3_600)
    }

    /// The local day of an instant, and the hour that is shown then.
    static func place(of instant: Timestamp) throws -> (day: Int64, hour: Int64) {
        let shown = try shown(instant)
        return (shown / daySeconds, shown % daySeconds / 3_600)
    }

    /// When a day begins.
    static func midnight(_ day: Int64) throws -> Timestamp {
        let winter = Timestamp.epoch + .seconds(day * daySeconds - 3_600)
        // Its summer midnight is an hour before; no clock changes at midnight.
        return try place(of: winter).hour == 1 ? winter - .seconds(3_600) : winter
    }

    /// The first day of the local month of an instant, and that of the next.
    static func month(of instant: Timestamp) throws -> (String, String) {
        let name = try day(place(of: instant).day).month
        var end = try number("\(name)-28")
        while try day(end).month == name { end += 1 }
        return try ("\(name)-01", day(end).name)
    }

    /// The keys of an instant.
    static func keys(of instant: Timestamp) throws -> [Dimension: [String?]] {
        let place = try place(of: instant)
        let day = try day(place.day)
        return [
            .month: [day.month], .week: [day.week], .day: [day.name],
            .hourOfDay: [place.hour < 10 ? "0\(place.hour)" : "\(place.hour)"],
            .weekday: [day.weekday],
        ]
    }
}
