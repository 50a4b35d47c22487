/// What a request turned out to contain, in order: one head, any number of bodies, one end.
public enum HTTP1Event: Sendable {
    case head(HTTP1Head)
    /// A piece of the body, never empty, without its chunk framing.
    case body([UInt8])
    /// The request is complete; nothing more is read until the response is finished.
    case end
}
