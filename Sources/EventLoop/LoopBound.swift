/// A value that belongs to one loop, in a form that others may hold.
///
/// Whoever holds it reaches the value only by going to its loop.
public final class LoopBound<Value>: @unchecked Sendable {
    // @unchecked: the value is touched in `run` alone, which is isolated to the loop.
    public let loop: EventLoop
    private let value: Value

    /// Binds a value to the loop on which it was made.
    public init(_ value: Value, to loop: isolated EventLoop) {
        self.value = value
        self.loop = loop
    }

    /// Goes to the loop, runs `body` there, and comes back with its result.
    public func run<Result: Sendable, Failure: Error>(
        _ body: @Sendable (Value, isolated EventLoop) async throws(Failure) -> Result
    ) async throws(Failure) -> Result {
        try await run(body, on: loop)
    }

    private func run<Result: Sendable, Failure: Error>(
        _ body: @Sendable (Value, isolated EventLoop) async throws(Failure) -> Result,
        on loop: isolated EventLoop
    ) async throws(Failure) -> Result {
        try await body(value, loop)
    }

    /// Runs `body` on the loop, some time; calls from one place run in the order made.
    public func perform(_ body: @escaping @Sendable (Value, isolated EventLoop) -> Void) {
        loop.perform { loop in body(self.value, loop) }
    }
}
