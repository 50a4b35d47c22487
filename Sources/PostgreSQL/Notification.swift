/// What a `NOTIFY` on a channel that the connection listens to brought.
public struct Notification: Sendable, Equatable {
    public let channel: String
    /// Empty when the sender gave none; at most 7,999 bytes.
    public let payload: String
}
