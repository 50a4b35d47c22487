import EventLoop
import PostgreSQL
import Testing

@Suite struct `A prepared statement` {
    /// How often `sql` is prepared in the session of `connection`.
    private func count(
        of sql: String, on connection: PostgreSQLConnection
    ) async throws -> Int64 {
        let count = "SELECT count(*) FROM pg_prepared_statements WHERE statement = $1"
        return try await connection.execute(Statement(count, .text(sql))).int64(0, 0)
    }

    @Test func `is prepared once, however often it is used`() async throws {
        try await withConnection { connection, _ in
            let sql = "SELECT $1 * 2"

            let together = try await connection.execute([
                Statement(sql, .int64(1)), Statement(sql, .int64(2)),
            ])
            let later = try await connection.execute(Statement(sql, .int64(3)))

            #expect(try together.map { try $0.int64(0, 0) } == [2, 4])
            #expect(try later.int64(0, 0) == 6)
            #expect(try await count(of: sql, on: connection) == 1)
        }
    }

    @Test func `whose preparation was skipped is prepared the next time`() async throws {
        try await withConnection { connection, _ in
            let sql = "SELECT $1 * 3"

            let error = await failure {
                try await connection.execute([
                    Statement("SELECT 1/0"), Statement(sql, .int64(1)), Statement(sql, .int64(1)),
                ])
            }
            let countBefore = try await count(of: sql, on: connection)
            let results = [
                try await connection.execute(Statement(sql, .int64(1))),
                try await connection.execute(Statement(sql, .int64(2))),
            ]

            #expect(error?.state == .divisionByZero)
            #expect(countBefore == 0)
            #expect(try results.map { try $0.int64(0, 0) } == [3, 6])
            #expect(try await count(of: sql, on: connection) == 1)
        }
    }

    @Test func `that another batch failed to prepare does not fail this one`() async throws {
        try await withConnection { connection, loop in
            let sql = "SELECT $1 * 4"
            let failing = Task {
                _ = loop
                try await connection.execute([
                    Statement("SELECT 1/0"), Statement(sql, .int64(1)),
                ])
            }
            let good = Task {
                _ = loop
                return try await connection.execute(Statement(sql, .int64(2))).int64(0, 0)
            }

            let product = try await good.value

            #expect(product == 8)
            await #expect(throws: PostgreSQLError.self) { try await failing.value }
        }
    }

    @Test func `that PostgreSQL does not understand fails each time alike`() async throws {
        try await withConnection { connection, _ in
            let wrong = Statement("SELECT nothing FROM nowhere")

            let errors = [
                await failure { try await connection.execute([Statement("SELECT 1"), wrong]) },
                await failure { try await connection.execute([Statement("SELECT 1"), wrong]) },
            ]

            for error in errors {
                guard case .server(let failure) = error else {
                    Issue.record("not a server's error: \(String(describing: error))")
                    continue
                }
                #expect(failure.state == .undefinedTable && failure.statementIndex == 1)
            }
        }
    }

    @Test func `whose table has changed is prepared anew after one failure`() async throws {
        try await withConnection { connection, _ in
            let select = Statement("SELECT * FROM sites")
            try await connection.executeScript("CREATE TEMPORARY TABLE sites (id text)")
            try await connection.execute(select)
            try await connection.executeScript("ALTER TABLE sites ADD name text")

            let error = await failure { try await connection.execute(select) }
            let result = try await connection.execute(select)

            #expect(error?.state == SQLState("0A000"))
            #expect(result.columnCount == 2)
        }
    }

    @Test func `takes parameters of other types, unprepared`() async throws {
        try await withConnection { connection, _ in
            let sql = "SELECT $1"

            let number = try await connection.execute(Statement(sql, .int64(1)))
            let text = try await connection.execute(Statement(sql, .text("one")))

            #expect(try number.int64(0, 0) == 1)
            #expect(try text.text(0, 0) == "one")
            #expect(try await count(of: sql, on: connection) == 1)
        }
    }
}
