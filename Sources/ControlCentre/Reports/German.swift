/// Numbers, times and dates as an answer to a German parliament prints them.
public enum German {
    // MARK: Numbers

    /// A whole number in groups of three, parted by a narrow space that does not break, as in
    /// parliament's printed papers ("5 214").
    public static func number(_ number: Int64) -> String {
        var groups = ""
        let digits = Array(String(number.magnitude).unicodeScalars)
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index).isMultiple(of: 3) { groups += "\u{202F}" }
            groups.unicodeScalars.append(digit)
        }
        return number < 0 ? "−" + groups : groups
    }

    /// A number with at most that many digits after the comma, without zeros at the end.
    public static func number(_ number: Double, decimals: Int) -> String {
        var scale = 1.0
        for _ in 0..<decimals { scale *= 10 }
        let scaled = (number.magnitude * scale).rounded()
        guard let whole = Int64(exactly: scaled) else { return number.description }
        var fraction = String(whole % Int64(scale))
        fraction = String(repeating: "0", count: max(0, decimals - fraction.count)) + fraction
        while fraction.hasSuffix("0") { fraction.removeLast() }
        let integer = Self.number(whole / Int64(scale))
        let text = fraction.isEmpty ? integer : integer + "," + fraction
        return number < 0 && whole > 0 ? "−" + text : text
    }

    /// A length of time to the nearest second: `3 min 0 s`, `45 s`.
    public static func duration(seconds: Double) -> String {
        guard let seconds = Int64(exactly: seconds.rounded()) else { return seconds.description }
        let (minutes, rest) = (seconds / 60, seconds % 60)
        guard minutes > 0 else { return "\(rest)\u{A0}s" }
        return "\(number(minutes))\u{A0}min \(rest)\u{A0}s"
    }

    // MARK: Dates

    static let months = [
        "Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September",
        "Oktober", "November", "Dezember",
    ]

    /// The name of a month, 1 to 12.
    public static func month(_ number: Int) -> String? {
        months.indices.contains(number - 1) ? months[number - 1] : nil
    }

    /// A half-open period of local times (`YYYY-MM-DD HH:MM:SS`), in whole days where it has them:
    /// `1. Januar bis 31. Oktober 2023`.
    public static func period(localFrom: String, localTo: String) -> String {
        guard let from = LocalMoment(localFrom), let to = LocalMoment(localTo) else {
            return "\(localFrom) bis \(localTo)"
        }
        guard from.isMidnight, to.isMidnight else {
            return "\(from.text) bis \(to.text)"
        }
        let last = CivilDate(daysSinceEpoch: to.date.daysSinceEpoch - 1)
        if last == from.date { return day(last) }
        let year = from.date.year == last.year ? "" : " \(from.date.year)"
        return "\(from.date.day). \(months[Int(from.date.month) - 1])\(year) bis \(day(last))"
    }

    /// How many days a period of local times has; nil where it is not whole days.
    public static func days(localFrom: String, localTo: String) -> Int64? {
        guard let from = LocalMoment(localFrom), let to = LocalMoment(localTo), from.isMidnight,
            to.isMidnight
        else { return nil }
        return to.date.daysSinceEpoch - from.date.daysSinceEpoch
    }

    /// A local time (`YYYY-MM-DD HH:MM:SS`): `24. November 2026, 13:05 Uhr`; midnight as its day.
    public static func moment(_ local: String) -> String {
        guard let moment = LocalMoment(local) else { return local }
        return moment.isMidnight ? day(moment.date) : moment.text
    }

    /// A day, a month or a week as a figure's group names it: `Januar 2023`, `KW 5/2023`,
    /// `1. Januar 2023`.
    public static func calendarKey(_ key: String) -> String {
        let parts = key.split(separator: "-").map(String.init)
        if parts.count == 2, parts[1].hasPrefix("W"), let week = Int(parts[1].dropFirst()) {
            return "KW \(week)/\(parts[0])"
        }
        if parts.count == 2, let month = Int(parts[1]).flatMap({ Self.month($0) }) {
            return "\(month) \(parts[0])"
        }
        if let moment = LocalMoment(key + " 00:00:00") { return day(moment.date) }
        return key
    }

    static func day(_ date: CivilDate) -> String {
        "\(date.day). \(months[Int(date.month) - 1]) \(date.year)"
    }

    private struct LocalMoment {
        let date: CivilDate
        /// `HH:MM:SS`.
        let time: Substring

        init?(_ text: String) {
            let parts = text.split(separator: " ")
            guard parts.count == 2, parts[1].utf8.count == 8 else { return nil }
            let numbers = parts[0].split(separator: "-").compactMap { Int64($0) }
            guard numbers.count == 3,
                let date = CivilDate(year: numbers[0], month: numbers[1], day: numbers[2])
            else { return nil }
            self.date = date
            time = parts[1]
        }

        var isMidnight: Bool { time == "00:00:00" }

        var text: String {
            "\(German.day(date)), \(time.hasSuffix(":00") ? time.prefix(5) : time) Uhr"
        }
    }
}
