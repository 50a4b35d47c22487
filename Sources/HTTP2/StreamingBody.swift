/// Writes the next bytes of a body into the buffer and says how that went.
///
/// The session calls it while output is taken, never with an empty buffer, and releases it when
/// its stream is closed. It must not call the session.
public typealias StreamingBody = (UnsafeMutableRawBufferPointer) -> StreamingRead

/// The answer of a `StreamingBody`.
public enum StreamingRead: Equatable, Sendable {
    /// So many bytes were written, at least one; more will follow.
    case bytes(Int)
    /// So many bytes were written, maybe none, and they were the last.
    case finished(bytes: Int)
    /// Nothing was written; ask again after `HTTP2Session.resume(_:)`.
    case waiting
    /// The body cannot be completed: the stream is reset with INTERNAL_ERROR.
    case failed
}
