import EventLoop
import PostgreSQL

/// Runs `body` on a loop of its own and stops the loop afterwards.
@discardableResult
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
@discardableResult
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

/// What `body` throws; nil when it throws nothing.
///
/// `#expect(throws:)` runs its closure anywhere; this runs it on the caller's loop.
@discardableResult
func failure<Result>(_ body: () async throws -> Result) async -> PostgreSQLError? {
    do {
        _ = try await body()
        return nil
    } catch {
        return error as? PostgreSQLError
    }
}

extension PostgreSQLPool {
    /// As `withConnection`, for a body that may throw anything.
    func lending<Value>(
        _ body: (PostgreSQLConnection) async throws -> Value
    ) async throws -> Value {
        let outcome = try await withConnection {
            (connection) async throws(PostgreSQLError) -> Result<Value, any Error> in
            do {
                return .success(try await body(connection))
            } catch let error as PostgreSQLError {
                throw error
            } catch {
                return .failure(error)
            }
        }
        return try outcome.get()
    }
}
