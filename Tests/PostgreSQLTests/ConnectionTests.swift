import EventLoop
import PostgreSQL
import Testing

@Suite struct `A connection` {
    @Test func `answers a statement`() async throws {
        try await withConnection { connection, _ in
            let result = try await connection.execute(
                Statement("SELECT $1::bigint + 1", .int64(41)))

            #expect(try result.int64(0, 0) == 42)
        }
    }
}
