/// A time as a history from before has it: with an offset, or as the clocks of its site showed it.
public enum HistoricTime: Hashable, Sendable {
    case instant(Timestamp)
    case local(LocalTime)

    /// Reads an RFC 3339 time, or one without an offset, or returns nil. A space may stand for `T`.
    public init?(_ text: String) {
        var text = text
        let parts = text.split(separator: " ", omittingEmptySubsequences: false)
        if parts.count == 2 { text = "\(parts[0])T\(parts[1])" }
        if let instant = Timestamp(rfc3339: text) {
            self = .instant(instant)
        } else if let local = LocalTime(text) {
            self = .local(local)
        } else {
            return nil
        }
    }
}

/// What instant a local time is in a time zone.
public enum LocalReading: Hashable, Sendable {
    case instant(Timestamp)
    /// The clocks were put back: it was there twice.
    case ambiguous(first: Timestamp, second: Timestamp)
    /// The clocks were put forward past it. The instant is what clocks would have shown it at that
    /// had not been put forward, and the local time what they showed instead.
    case skipped(Timestamp, shown: LocalTime)

    /// - Parameters:
    ///   - first: the earlier instant at which clocks showed `local`.
    ///   - last: the later one; the same where there is only one.
    ///   - shown: what clocks show at `last`.
    public init(of local: LocalTime, first: Timestamp, last: Timestamp, shown: LocalTime) {
        if shown != local {
            self = .skipped(last, shown: shown)
        } else if first != last {
            self = .ambiguous(first: first, second: last)
        } else {
            self = .instant(last)
        }
    }
}
