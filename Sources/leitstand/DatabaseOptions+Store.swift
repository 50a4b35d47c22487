import EventLoop
import Store

extension DatabaseOptions {
    /// Lends the database to a command that works beside the server, on a loop of its own.
    func withStore<Result: Sendable>(
        _ body: @Sendable (Database) async throws -> Result
    ) async throws -> Result {
        let opened = try open(.join)
        let loop = try EventLoop(name: "leitstand-0")
        let result: Swift.Result<Result, any Error>
        do {
            _ = try await opened.migrate(on: loop)
            result = .success(try await opened.lend(on: loop, to: body))
        } catch {
            result = .failure(error)
        }
        await loop.stop()
        try opened.close()
        return try result.get()
    }
}

extension OpenDatabase {
    fileprivate func lend<Result: Sendable>(
        on loop: isolated EventLoop, to body: @Sendable (Database) async throws -> Result
    ) async throws -> Result {
        let pool = pool(on: loop, connectionsMax: 1)
        defer { pool.close() }
        return try await body(Database(pool: pool, committed: {}))
    }
}
