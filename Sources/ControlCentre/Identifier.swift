/// What names one thing of one kind, so that no camera's id can stand for an alarm's.
///
/// `init?(_: String)` reads what a client sent, `description` writes it back in its one form.
public protocol Identifier: Hashable, Comparable, Sendable, LosslessStringConvertible {}
