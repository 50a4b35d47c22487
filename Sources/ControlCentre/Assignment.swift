/// Which observer position has to deal with an alarm, and who said so.
public struct Assignment: Hashable, Sendable {
    /// The position's name, which its site gave it.
    public let position: String
    public let by: ActorID
    public let at: Timestamp

    /// An assignment with these values.
    public init(position: String, by: ActorID, at: Timestamp) {
        self.position = position
        self.by = by
        self.at = at
    }
}
