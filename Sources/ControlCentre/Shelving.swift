/// Something put aside, with an end: an alarm by itself, or all of a camera or pattern.
public struct Shelving: Hashable, Sendable {
    public let id: ShelvingID
    public let by: ActorID
    public let at: Timestamp
    public let until: Timestamp

    /// How far ahead a shelving may end: nothing is put aside for ever, and a day outlasts a shift.
    public static let durationMax: Duration = .seconds(24 * 3_600)

    /// A shelving with these values.
    public init(id: ShelvingID, by: ActorID, at: Timestamp, until: Timestamp) {
        self.id = id
        self.by = by
        self.at = at
        self.until = until
    }

    /// Whether it outlasts another; the ids decide between two that end together.
    func outlasts(_ other: Shelving) -> Bool { (until, id) > (other.until, other.id) }
}
