import EventLoop
import PostgreSQL
import Testing

@Suite struct `A connection` {
    @Test func `answers the statements of a batch in order`() async throws {
        try await withConnection { connection, _ in
            let results = try await connection.execute([
                Statement("SELECT $1 + 1", .int64(41)),
                Statement("CREATE TEMPORARY TABLE numbers (n integer)"),
                Statement("INSERT INTO numbers SELECT generate_series(1, 5)"),
                Statement("SELECT count(*) FROM numbers"),
            ])

            #expect(try results[0].int64(0, 0) == 42)
            #expect(
                results.map(\.commandTag) == ["SELECT 1", "CREATE TABLE", "INSERT 0 5", "SELECT 1"])
            #expect(results[2].affectedRows == 5)
            #expect(try results[3].int64(0, 0) == 5)
        }
    }

    @Test func `answers batches of several tasks in the order sent`() async throws {
        try await withConnection { connection, loop in
            var tasks: [Task<[Int64], any Error>] = []
            for number in 0..<50 {
                tasks.append(
                    Task {
                        _ = loop
                        let results = try await connection.execute([
                            // The first is the slowest.
                            Statement(
                                "SELECT pg_sleep($1)", .double(number == 0 ? 0.05 : 0)),
                            Statement("SELECT $1", .int64(Int64(number))),
                            Statement("SELECT nextval('answers')"),
                        ])
                        return [try results[1].int64(0, 0), try results[2].int64(0, 0)]
                    })
            }
            try await connection.execute(Statement("CREATE TEMPORARY SEQUENCE answers"))

            for (number, task) in tasks.enumerated() {
                #expect(try await task.value == [Int64(number), Int64(number + 1)])
            }
        }
    }

    @Test func `names the statement that failed and skips the rest`() async throws {
        try await withConnection { connection, _ in
            try await connection.execute(
                Statement("CREATE TEMPORARY TABLE keys (key text PRIMARY KEY)"))
            let insert = "INSERT INTO keys VALUES ($1)"

            let error = await failure {
                try await connection.execute([
                    Statement(insert, .text("a")), Statement(insert, .text("a")),
                    Statement("SELECT 1/0"), Statement(insert, .text("b")),
                ])
            }
            let count = try await connection.execute(Statement("SELECT count(*) FROM keys"))

            guard case .server(let failure) = error else {
                Issue.record("not a server's error: \(String(describing: error))")
                return
            }
            #expect(failure.state == .uniqueViolation && failure.state.classCode == "23")
            #expect(failure.statementIndex == 1)
            #expect(failure.constraint == "keys_pkey" && failure.table == "keys")
            #expect(try count.int64(0, 0) == 0, "the batch was one transaction")
        }
    }

    @Test func `tells of a failure of the commit at the end of a batch`() async throws {
        try await withConnection { connection, _ in
            try await connection.executeScript(
                """
                CREATE TEMPORARY TABLE sites (id text PRIMARY KEY);
                CREATE TEMPORARY TABLE areas (
                    site text REFERENCES sites DEFERRABLE INITIALLY DEFERRED);
                """)

            let error = await failure {
                try await connection.execute([
                    Statement("INSERT INTO areas VALUES ('nowhere')"), Statement("SELECT 1"),
                ])
            }
            let count = try await connection.execute(Statement("SELECT count(*) FROM areas"))

            guard case .server(let failure) = error else {
                Issue.record("not a server's error: \(String(describing: error))")
                return
            }
            #expect(failure.state == .foreignKeyViolation)
            #expect(failure.statementIndex == nil)
            #expect(try count.int64(0, 0) == 0)
        }
    }

    @Test func `follows its transaction`() async throws {
        try await withConnection { connection, _ in
            #expect(connection.transactionStatus == .idle)

            try await connection.execute(Statement("BEGIN"))
            #expect(connection.transactionStatus == .inTransaction)

            _ = try? await connection.execute(Statement("SELECT 1/0"))  // meant to fail
            #expect(connection.transactionStatus == .failed)

            try await connection.execute(Statement("ROLLBACK"))
            #expect(connection.transactionStatus == .idle)
        }
    }

    @Test func `inserts ten thousand rows from arrays`() async throws {
        try await withConnection { connection, _ in
            try await connection.execute(
                Statement("CREATE TEMPORARY TABLE rows (id bigint, name text)"))
            let count = 10_000

            let result = try await connection.execute(
                Statement(
                    "INSERT INTO rows SELECT * FROM unnest($1, $2)",
                    .int64s((0..<count).map { Int64($0) }),
                    .texts((0..<count).map { "row \($0)" })))
            let last = try await connection.execute(
                Statement("SELECT name FROM rows WHERE id = $1", .int64(Int64(count - 1))))

            #expect(result.affectedRows == count)
            #expect(try last.text(0, 0) == "row 9999")
        }
    }

    @Test func `sends and receives more than any buffer holds`() async throws {
        try await withConnection { connection, loop in
            let bytes = (0..<10_000_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
            let echo = Statement("SELECT $1", .bytes(bytes))
            let other = Task {
                _ = loop
                return try await connection.execute(echo).bytes(0, 0) == bytes
            }

            let results = try await connection.execute([
                echo, Statement("SELECT repeat('x', 100) FROM generate_series(1, 100000)"),
            ])

            #expect(try results[0].bytes(0, 0) == bytes)
            #expect(results[1].rowCount == 100_000)
            #expect(try results[1].text(99_999, 0).utf8.count == 100)
            #expect(try await other.value)
        }
    }

    @Test func `hears notifications, while idle and while busy`() async throws {
        try await withConnection { connection, loop in
            let (heard, hear) = AsyncStream<Notification>.makeStream()
            connection.onNotification = { hear.yield($0) }
            try await connection.execute(Statement("LISTEN alarms"))

            try await connection.execute(Statement("SELECT pg_notify('alarms', 'own')"))
            let other = try await PostgreSQLConnection.connect(
                to: ThrowAwayCluster.shared.get().conninfo, on: loop)
            try await other.execute(Statement("SELECT pg_notify('alarms', 'other')"))
            other.close()

            var payloads: [String] = []
            for await notification in heard {
                #expect(notification.channel == "alarms")
                payloads.append(notification.payload)
                if payloads.count == 2 { break }
            }
            #expect(payloads == ["own", "other"])
        }
    }

    @Test func `fails what is outstanding when the server ends it`() async throws {
        try await withConnection { connection, loop in
            let pid = try await connection.execute(Statement("SELECT pg_backend_pid()"))
                .int64(0, 0)
            let (ends, end) = AsyncStream<PostgreSQLError>.makeStream()
            connection.onEnd = { end.yield($0) }
            let first = Task {
                _ = loop
                _ = try await connection.execute(Statement("SELECT pg_sleep(60)"))
            }
            let second = Task {
                _ = loop
                _ = try await connection.execute(Statement("SELECT 1"))
            }
            let killer = try await PostgreSQLConnection.connect(
                to: ThrowAwayCluster.shared.get().conninfo, on: loop)
            try await killer.execute(Statement("SELECT pg_terminate_backend($1::int)", .int64(pid)))
            killer.close()

            let outcomes = [await first.result, await second.result]

            for outcome in outcomes {
                #expect {
                    try outcome.get()
                } throws: {
                    guard case .connectionLost = $0 as? PostgreSQLError else { return false }
                    return true
                }
            }
            guard case .failure(PostgreSQLError.connectionLost(let reason)) = outcomes[0] else {
                Issue.record("not lost: \(outcomes[0])")
                return
            }
            #expect(reason.contains("57P01"), "\(reason)")
            for await ending in ends {
                guard case .connectionLost = ending else {
                    Issue.record("ended by \(ending)")
                    break
                }
                break
            }
            #expect(!connection.isOpen)
            #expect(await failure { try await connection.execute(Statement("SELECT 1")) } != nil)
        }
    }

    @Test func `once closed throws at once`() async throws {
        try await withConnection { connection, loop in
            let outstanding = Task {
                _ = loop
                _ = try await connection.execute(Statement("SELECT pg_sleep(60)"))
            }
            await Task.yield()

            connection.close()

            #expect(await failure { try await outstanding.value } == .closed)
            let error = await failure {
                try await connection.execute(Statement("SELECT 1"))
            }
            #expect(error == .closed)
        }
    }

    @Test func `runs a script of several commands and tells where it fails`() async throws {
        try await withConnection { connection, _ in
            let notices = try await connection.executeScript(
                """
                CREATE TEMPORARY TABLE sites (id text);
                DROP TABLE IF EXISTS nothing;
                CREATE FUNCTION pg_temp.one() RETURNS integer LANGUAGE plpgsql
                    AS $$ BEGIN RETURN 1; END $$;
                SELECT 1;
                """)
            let error = await failure {
                try await connection.executeScript("INSERT INTO sites VALUES ('a'); SELEKT 1")
            }
            let results = try await connection.execute([
                Statement("SELECT pg_temp.one()"), Statement("SELECT count(*) FROM sites"),
            ])

            #expect(notices.map(\.severity) == ["NOTICE"])
            guard case .server(let failure) = error else {
                Issue.record("not a server's error: \(String(describing: error))")
                return
            }
            #expect(failure.state == .syntaxError && failure.position == 33)
            #expect(try results[0].int32(0, 0) == 1)
            #expect(try results[1].int64(0, 0) == 0)
        }
    }

    @Test func `refuses more batches than its limit`() async throws {
        try await withConnection { connection, loop in
            let limit = PostgreSQLConnection.batchesOutstandingMax
            let tasks = (0...limit).map { _ in
                Task {
                    _ = loop
                    return try await connection.execute(Statement("SELECT 1")).rowCount
                }
            }

            var refusals: [PostgreSQLError?] = []
            for task in tasks {
                if case .failure(let error) = await task.result {
                    refusals.append(error as? PostgreSQLError)
                }
            }

            #expect(refusals == [.overloaded])
        }
    }
}

@Suite struct `Connecting` {
    @Test func `to a database that does not exist names the server's code`() async throws {
        try await onLoop { loop in
            let conninfo = try ThrowAwayCluster.shared.get().conninfo + " dbname=nothing"

            let error = await failure {
                _ = try await PostgreSQLConnection.connect(to: conninfo, on: loop)
            }

            #expect(error?.state == .unknownDatabase)
        }
    }

    @Test func `to no server names none`() async throws {
        try await onLoop { loop in
            let error = await failure {
                _ = try await PostgreSQLConnection.connect(
                    to: "host=/tmp/nothing-here dbname=x", on: loop)
            }

            guard case .cannotConnect(let text, nil) = error else {
                Issue.record("failed otherwise: \(String(describing: error))")
                return
            }
            #expect(text.contains("/tmp/nothing-here"))
        }
    }

    @Test func `to a server that says nothing times out`() async throws {
        let silent = try SilentServer()
        try await onLoop { loop in
            let error = await failure {
                _ = try await PostgreSQLConnection.connect(
                    to: silent.conninfo, on: loop, timeout: .milliseconds(50))
            }
            #expect(error == .timedOut)
        }
    }

    @Test func `over TLS keeps long answers flowing`() async throws {
        let port = try SilentServer().port  // free again by now
        _ = try ThrowAwayCluster(
            settings: "-c listen_addresses=127.0.0.1 -c port=\(port) -c ssl=on",
            certificate: true)
        try await onLoop { loop in
            let connection = try await PostgreSQLConnection.connect(
                to: "host=127.0.0.1 port=\(port) user=postgres sslmode=require", on: loop)
            defer { connection.close() }

            for length in stride(from: 7_000, to: 80_000, by: 1_111) {
                let result = try await connection.execute(
                    Statement("SELECT repeat('x', $1)", .int32(Int32(length))))
                #expect(try result.text(0, 0).utf8.count == length)
            }
            let long = try await connection.execute(Statement("SELECT repeat('x', 10000000)"))
            #expect(try long.text(0, 0).utf8.count == 10_000_000)
        }
    }
}
