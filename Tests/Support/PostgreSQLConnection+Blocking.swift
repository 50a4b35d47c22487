import PostgreSQL

extension PostgreSQLConnection {
    /// Starts `work` and returns once it waits for a lock that this session holds.
    ///
    /// PostgreSQL calls nobody when a session begins to wait, so it is asked until one does.
    ///
    /// - Throws: `NotBlocked` when `work` comes to its end without having to wait.
    public func blocking<Result: Sendable>(
        _ work: @escaping @Sendable () async throws -> Result
    ) async throws -> Task<Result, any Error> {
        let hasEnded = Flag()
        let task = Task {
            defer { hasEnded.set() }
            return try await work()
        }
        let waiting = Statement(
            """
            SELECT count(*) FROM pg_locks l
            WHERE NOT l.granted AND pg_backend_pid() = ANY (pg_blocking_pids(l.pid))
            """)
        while try await execute(waiting).int64(0, 0) == 0 {
            try Task.checkCancellation()
            guard !hasEnded.isSet else { throw NotBlocked() }
        }
        return task
    }
}

/// What was to wait for a lock did not have to.
struct NotBlocked: Error {}
