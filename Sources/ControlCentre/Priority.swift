/// How urgently an alarm wants an observer; ordered, the lowest first.
public enum Priority: String, Hashable, Comparable, Sendable, CaseIterable {
    case low
    case medium
    case high

    public static func < (left: Priority, right: Priority) -> Bool { left.rank < right.rank }

    private var rank: Int {
        switch self {
        case .low: 0
        case .medium: 1
        case .high: 2
        }
    }
}
