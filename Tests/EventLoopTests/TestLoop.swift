import EventLoop

/// Runs `body` on a loop of its own and stops the loop afterwards.
func onLoop<Result: Sendable>(
    _ body: @Sendable (isolated EventLoop) async throws -> Result
) async throws -> Result {
    let loop = try EventLoop(name: "test")
    do {
        let result = try await body(loop)
        await loop.stop()
        return result
    } catch {
        await loop.stop()
        throw error
    }
}

extension EventLoop {
    /// Suspends until `count` calls of the closure that `start` gets.
    func signals(_ count: Int = 1, _ start: (@escaping () -> Void) -> Void) async {
        var left = count
        await withCheckedContinuation { continuation in
            start {
                left -= 1
                if left == 0 { continuation.resume() }
            }
        }
    }
}
