import ControlCentre
import JSON

extension ObjectReader {
    /// A weekly schedule; none is always.
    mutating func nullableSchedule(_ name: String) -> WeeklySchedule? {
        nullableObjects(name, count: 1...50) { reader -> WeeklySchedule.Hours? in
            let names = WeeklySchedule.Day.allCases.map(\.rawValue).joined(separator: ", ")
            let days = reader.requiredItems("days", count: 1...7, expected: "one of \(names)") {
                WeeklySchedule.Day(rawValue: $0)
            }
            if let days, Set(days).count < days.count {
                reader.refuse("days", "must name each day once")
            }
            let from = reader.required("from", expected: "a local time from 00:00 to 23:59") {
                WeeklySchedule.Time($0).flatMap { $0 < .endOfDay ? $0 : nil }
            }
            let to = reader.required("to", expected: "a local time from 00:00 to 24:00") {
                WeeklySchedule.Time($0)
            }
            guard let days, let from, let to else { return nil }
            return WeeklySchedule.Hours(days: days, from: from, to: to)
        }.map { WeeklySchedule($0) }
    }

    /// Refuses a time that ends before it begins, or as it begins.
    mutating func requireOrder(
        _ fromName: String, _ from: Timestamp?, _ toName: String, _ to: Timestamp?
    ) {
        guard let from, let to, to <= from else { return }
        refuse(toName, code: "out-of-range", "must be after \(fromName)")
    }
}
