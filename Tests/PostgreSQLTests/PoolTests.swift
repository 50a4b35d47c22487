import EventLoop
import PostgreSQL
import Testing

@Suite(.timeLimit(.minutes(1))) struct `A pool` {
    private struct Failure: Error {}

    private func withPool(
        of cluster: ThrowAwayCluster? = nil, limits: PostgreSQLPool.Limits = .patient,
        setUp: [Statement] = [],
        _ body: @Sendable (PostgreSQLPool, isolated EventLoop) async throws -> Void
    ) async throws {
        let cluster = try cluster ?? ThrowAwayCluster.shared.get()
        try await onLoop { loop in
            let pool = PostgreSQLPool(
                conninfo: cluster.conninfo, on: loop, limits: limits, setUp: setUp)
            defer { pool.close() }
            try await body(pool, loop)
        }
    }

    /// Waits until the pool holds a connection.
    private func open(_ pool: PostgreSQLPool) async {
        let (changes, change) = AsyncStream<Bool>.makeStream()
        pool.onAvailabilityChange = { change.yield($0) }
        pool.open()
        for await isAvailable in changes where isAvailable { break }
    }

    private let pid = Statement("SELECT pg_backend_pid()")

    @Test func `lends the same connection again`() async throws {
        try await withPool { pool, _ in
            #expect(!pool.isAvailable)

            let first = try await pool.lending { try await $0.execute(pid).int64(0, 0) }
            let second = try await pool.lending { try await $0.execute(pid).int64(0, 0) }

            #expect(first == second)
            #expect(pool.isAvailable)
        }
    }

    @Test func `runs its set-up statements on each connection`() async throws {
        let setUp = [Statement("SET application_name = 'hall'"), Statement("SET TimeZone = 'UTC'")]
        try await withPool(setUp: setUp) { pool, _ in
            let name = try await pool.lending {
                try await $0.execute(Statement("SELECT current_setting('application_name')"))
                    .text(0, 0)
            }

            #expect(name == "hall")
        }
    }

    @Test func `holds no more connections than its limit and lends them in turn`() async throws {
        var limits = PostgreSQLPool.Limits.patient
        limits.connectionsMax = 2
        try await withPool(limits: limits) { pool, loop in
            let tasks = (0..<20).map { _ in
                Task {
                    _ = loop
                    return try await pool.lending { connection in
                        try await connection.execute([Statement("SELECT pg_sleep(0.001)"), pid])[1]
                            .int64(0, 0)
                    }
                }
            }

            var pids: Set<Int64> = []
            for task in tasks { pids.insert(try await task.value) }

            #expect(pids.count <= 2)
        }
    }

    @Test func `lets nobody wait longer, nor more of them, than its limits`() async throws {
        var limits = PostgreSQLPool.Limits.patient
        limits.connectionsMax = 1
        limits.waitersMax = 1
        limits.waitTimeMax = .milliseconds(100)
        try await withPool(limits: limits) { pool, loop in
            await open(pool)
            try await pool.lending { _ in
                let waiting = Task {
                    _ = loop
                    try await pool.lending { _ in }
                }
                await Task.yield()

                let error = await failure { try await pool.lending { _ in } }

                #expect(error == .overloaded)
                await #expect(throws: PostgreSQLError.timedOut) { try await waiting.value }
            }
            // Whoever gave up does not hold a place.
            try await pool.lending { _ in }
        }
    }

    @Test func `rolls back what a task left open`() async throws {
        try await withPool { pool, _ in
            let first = try await pool.lending { try await $0.execute(pid).int64(0, 0) }
            #expect(await leaveOpen(pool) is Failure)

            try await pool.lending { connection in
                #expect(connection.transactionStatus == .idle)
                #expect(try await connection.execute(pid).int64(0, 0) == first)
                let table = try await connection.execute(
                    Statement("SELECT to_regclass('left_open')"))
                #expect(table.isNull(0, 0))
            }
        }
    }

    /// Throws in a transaction.
    private func leaveOpen(_ pool: PostgreSQLPool) async -> (any Error)? {
        do {
            try await pool.lending { connection in
                try await connection.execute([
                    Statement("BEGIN"), Statement("CREATE TABLE left_open (id text)"),
                ])
                throw Failure()
            }
            return nil
        } catch {
            return error
        }
    }

    @Test func `closes a connection that cannot be rolled back in time`() async throws {
        var limits = PostgreSQLPool.Limits.patient
        limits.rollbackTimeMax = .milliseconds(20)
        try await withPool(limits: limits) { pool, loop in
            let first = try await pool.lending { connection in
                let pid = try await connection.execute(pid).int64(0, 0)
                Task {
                    _ = loop
                    await failure { try await connection.execute(Statement("SELECT pg_sleep(60)")) }
                }
                await Task.yield()
                #expect(connection.isBusy)
                return pid
            }

            let second = try await pool.lending { try await $0.execute(pid).int64(0, 0) }

            #expect(first != second)
        }
    }

    @Test func `recovers when the server ends a connection`() async throws {
        try await withPool { pool, _ in
            let error = await failure {
                try await pool.lending {
                    try await $0.execute(
                        Statement("SELECT pg_terminate_backend(pg_backend_pid())"))
                }
            }

            guard case .connectionLost = error else {
                Issue.record("not lost: \(String(describing: error))")
                return
            }
            try await pool.lending { _ = try await $0.execute(pid) }
            #expect(pool.isAvailable)
        }
    }

    @Test func `fails fast while PostgreSQL is away and is back with it`() async throws {
        let cluster = try ThrowAwayCluster()
        var limits = PostgreSQLPool.Limits.patient
        limits.outageWaitTimeMax = .milliseconds(30)
        limits.pauseMax = .milliseconds(50)
        try await withPool(of: cluster, limits: limits) { pool, _ in
            try await pool.lending { _ = try await $0.execute(pid) }

            let (changes, change) = AsyncStream<Bool>.makeStream()
            pool.onAvailabilityChange = { change.yield($0) }
            try cluster.stop()
            let clock = ContinuousClock()
            let start = clock.now
            for _ in 0..<3 {
                let error = await failure {
                    try await pool.lending { _ = try await $0.execute(pid) }
                }
                switch error {
                // The first may still meet the lost connection.
                case .cannotConnect, .connectionLost: break
                default: Issue.record("failed otherwise: \(String(describing: error))")
                }
            }
            #expect(clock.now - start < .seconds(2))
            #expect(!pool.isAvailable && pool.outageReason != nil)

            try cluster.start()
            // Nobody asks: the pool comes back by itself.
            for await isAvailable in changes where isAvailable { break }
            try await pool.lending { _ = try await $0.execute(pid) }
            #expect(pool.outageReason == nil)
        }
    }

    @Test func `wakes those who wait when it is closed`() async throws {
        var limits = PostgreSQLPool.Limits.patient
        limits.connectionsMax = 1
        try await withPool(limits: limits) { pool, loop in
            try await pool.lending { connection in
                let waiting = Task {
                    _ = loop
                    try await pool.lending { _ in }
                }
                await Task.yield()

                pool.close()

                await #expect(throws: PostgreSQLError.closed) { try await waiting.value }
                try await connection.execute(pid)
            }
            #expect(await failure { try await pool.lending { _ in } } == .closed)
        }
    }

    @Test func `opens ahead of need`() async throws {
        try await withPool { pool, _ in
            await open(pool)

            #expect(pool.isAvailable)
        }
    }
}

extension PostgreSQLPool.Limits {
    /// Waits as long as a machine may take on which all tests and their clusters start at once;
    /// a test that is about waiting sets its own times.
    fileprivate static var patient: PostgreSQLPool.Limits {
        var limits = PostgreSQLPool.Limits()
        limits.waitTimeMax = .seconds(50)
        limits.connectTimeMax = .seconds(50)
        return limits
    }
}
