import EventLoop

extension EventLoop {
    /// Runs `body`, which may wait, on the loop and returns its result.
    public func carryOut<Result: Sendable>(
        _ body: @Sendable (isolated EventLoop) async throws -> Result
    ) async throws -> Result {
        try await body(self)
    }
}
