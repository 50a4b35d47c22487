import EventLoop
import PostgreSQL
import Testing

@Suite struct `A commit` {
    @Test func `of a good transaction satisfies`() async throws {
        try await withConnection { connection, _ in
            let results = try await connection.execute([
                Statement("BEGIN"), Statement("SELECT 1"), Statement("COMMIT"),
            ])

            try QueryResult.requireCommit(results[2])
        }
    }

    @Test func `of a failed transaction is found out`() async throws {
        try await withConnection { connection, _ in
            _ = await failure {
                try await connection.execute([Statement("BEGIN"), Statement("SELECT 1/0")])
            }

            let result = try await connection.execute(Statement("COMMIT"))

            #expect(throws: PostgreSQLError.notCommitted("ROLLBACK")) {
                try QueryResult.requireCommit(result)
            }
        }
    }

    @Test func `with a warning is found out`() async throws {
        try await withConnection { connection, _ in
            let result = try await connection.execute(Statement("COMMIT"))

            let error = #expect(throws: PostgreSQLError.self) {
                try QueryResult.requireCommit(result)
            }
            #expect(error?.state == .noActiveTransaction)
        }
    }

    @Test func `keeps its notices apart from those of its neighbours`() async throws {
        try await withConnection { connection, _ in
            let raise = "DO $$ BEGIN RAISE WARNING 'careful'; END $$"

            let results = try await connection.execute([
                Statement("BEGIN"), Statement(raise), Statement("COMMIT"), Statement(raise),
            ])

            #expect(results[1].notices.map(\.message) == ["careful"])
            try QueryResult.requireCommit(results[2])
            #expect(results[3].notices.map(\.message) == ["careful"])
        }
    }

    @Test(.timeLimit(.minutes(1)))
    func `whose wait for a standby was cancelled is found out`() async throws {
        let cluster = try ThrowAwayCluster(
            settings: "-c listen_addresses='' -c synchronous_standby_names=nobody")
        try await withConnection(to: cluster) { connection, loop in
            let watcher = try await PostgreSQLConnection.connect(
                to: cluster.conninfo + " options='-c synchronous_commit=local'", on: loop)
            defer { watcher.close() }
            let cancel = Statement(
                "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
            func cancelWait() async throws {
                while try await watcher.execute(cancel).rowCount == 0 {}
            }

            let commit = Task {
                _ = loop
                return try await connection.execute([
                    Statement("BEGIN"), Statement("CREATE TABLE sites (id text)"),
                    Statement("COMMIT"),
                ])
            }
            try await cancelWait()
            let results = try await commit.value
            let implicitCommit = Task {
                _ = loop
                return try await connection.execute(Statement("INSERT INTO sites VALUES ('a')"))
            }
            try await cancelWait()
            let result = try await implicitCommit.value

            let error = await failure { try QueryResult.requireCommit(results[2]) }
            guard case .committedWithWarning(let warning) = error else {
                Issue.record("found nothing: \(String(describing: error))")
                return
            }
            #expect(warning.message.contains("synchronous replication"))
            #expect(result.notices.contains { $0.isWarning })
        }
    }
}
