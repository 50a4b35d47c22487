/// What has become of a replay's detections so far.
public struct Tally: Sendable, Equatable {
    public init() {}

    /// Made by the node.
    public internal(set) var made = 0
    /// Sent at least once.
    public internal(set) var sent = 0
    public internal(set) var created = 0
    /// Known to the server already, as it said to a resend.
    public internal(set) var duplicates = 0
    /// Too old to raise an alarm, but counted.
    public internal(set) var countedOnly = 0
    /// By the problem's code.
    public internal(set) var refusals: [String: Int] = [:]
    /// The alarms that detections belong to, in the order in which they were first named.
    public private(set) var alarms: [String] = []
    /// Requests that were sent again, since the server was away or too busy.
    public internal(set) var resends = 0
    /// How often the server went away.
    public internal(set) var absences = 0

    private var knownAlarms: Set<String> = []

    public var refused: Int { refusals.values.reduce(0, +) }

    /// Made, but without an answer.
    public var waiting: Int { made - created - duplicates - countedOnly - refused }

    mutating func note(alarm: String) {
        if knownAlarms.insert(alarm).inserted { alarms.append(alarm) }
    }
}
