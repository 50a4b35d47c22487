import EventLoop
import PostgreSQL

/// Runs `body` on a loop of its own and stops the loop afterwards.
func onLoop<Result: Sendable>(
    _ body: @Sendable (isolated EventLoop) async throws -> Result
) async throws -> Result {
    let loop = try EventLoop(name: "PostgreSQL tests")
    do {
        let result = try await body(loop)
        await loop.stop()
        return result
    } catch {
        await loop.stop()
        throw error
    }
}

/// Lends a new connection to the shared cluster, and closes it afterwards.
func withConnection<Result: Sendable>(
    to cluster: ThrowAwayCluster? = nil,
    _ body: @Sendable (PostgreSQLConnection, isolated EventLoop) async throws -> Result
) async throws -> Result {
    let cluster = try cluster ?? ThrowAwayCluster.shared.get()
    return try await onLoop { loop in
        let connection = try await PostgreSQLConnection.connect(to: cluster.conninfo, on: loop)
        defer { connection.close() }
        return try await body(connection, loop)
    }
}
