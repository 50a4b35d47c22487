/// The hours of a week in which something holds, in a site's local time.
public struct WeeklySchedule: Hashable, Sendable {
    public enum Day: String, Hashable, Sendable, CaseIterable {
        case mon, tue, wed, thu, fri, sat, sun
    }

    /// A time of day in whole minutes, 00:00 to 24:00.
    public struct Time: Hashable, Comparable, Sendable, CustomStringConvertible {
        public let minutes: Int

        public static let endOfDay = Time(minutes: 24 * 60)

        private init(minutes: Int) { self.minutes = minutes }

        /// Reads `HH:MM`.
        public init?(_ text: String) {
            let digits = Array(text.utf8)
            guard digits.count == 5, digits[2] == UInt8(ascii: ":") else { return nil }
            var values: [Int] = []
            for index in [0, 1, 3, 4] {
                guard (0x30...0x39).contains(digits[index]) else { return nil }
                values.append(Int(digits[index] - 0x30))
            }
            let (hour, minute) = (values[0] * 10 + values[1], values[2] * 10 + values[3])
            guard minute < 60, hour < 24 || (hour == 24 && minute == 0) else { return nil }
            minutes = hour * 60 + minute
        }

        public var description: String {
            let (hour, minute) = (minutes / 60, minutes % 60)
            return "\(hour < 10 ? "0" : "")\(hour):\(minute < 10 ? "0" : "")\(minute)"
        }

        public static func < (left: Time, right: Time) -> Bool { left.minutes < right.minutes }
    }

    /// The same hours on some days of the week.
    public struct Hours: Hashable, Sendable {
        public let days: [Day]
        /// Before 24:00.
        public let from: Time
        /// Not after `from`: on the next day.
        public let to: Time

        public init(days: [Day], from: Time, to: Time) {
            (self.days, self.from, self.to) = (days, from, to)
        }
    }

    /// They may overlap.
    public let hours: [Hours]

    public init(_ hours: [Hours]) { self.hours = hours }
}
