/// Names whoever takes a step, such as an observer; opaque to the domain.
///
/// It stands for a person only through an erasable record elsewhere.
public struct ActorID: Hashable, Sendable, CustomStringConvertible {
    public let description: String

    /// The actor of that name.
    public init(_ name: String) { description = name }
}
