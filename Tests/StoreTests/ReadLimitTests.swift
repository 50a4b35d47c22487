import ControlCentre
import EventLoop
import PostgreSQL
import TestSupport
import Testing

@testable import Store

@Suite(.timeLimit(.minutes(5))) struct `A limit of what a question may take` {
    /// A database on a pool of one connection with so short a limit.
    private func withLimit(
        _ body: @Sendable (Database) async throws -> Void
    ) async throws {
        try await TestDatabase.with { test in
            let loop = try test.makeLoop()
            let database = await loop.run { loop in
                let pool = Instance.pool(
                    to: test, on: loop, connectionsMax: 1,
                    setUp: Database.setUp + [Database.limitReads(to: .seconds(1))])
                return LoopBound(Database(pool: pool) {}, to: loop)
            }
            try await database.run { database, _ in try await body(database) }
        }
    }

    @Test func `ends a slow question and gives its connection back`() async throws {
        try await withLimit { database in
            do throws(StoreError) {
                _ = try await database.read([Statement("SELECT pg_sleep(50)")])
                Issue.record("answered")
            } catch .tooSlow {
                // As it should be.
            }

            let results = try await database.read([Statement("SELECT 17::bigint")])
            #expect(try results[0].int64(0, 0) == 17)
        }
    }

    @Test func `does not end a change, nor what keeps house`() async throws {
        try await withLimit { database in
            let longer = Statement("SELECT pg_sleep(1.5)")
            _ = try await database.commit([longer])
            _ = try await database.work([longer])
            _ = try await database.commit(reading: [longer]) { _ in [longer] }

            // And holds again for the next question on the same connection.
            do throws(StoreError) {
                _ = try await database.read([longer])
                Issue.record("answered")
            } catch .tooSlow {
                // As it should be.
            }
        }
    }
}
