import EventLoop

/// The connections of one loop to one database, lent to one task at a time.
///
/// Owned by its loop like its connections: every call must come from it. The pool connects when
/// tasks wait, and after it has lost its last connection goes on trying until PostgreSQL is back
/// or the pool is closed; until then it is kept alive.
public final class PostgreSQLPool {
    /// A task that waits for a connection.
    private final class Waiter {
        var continuation: CheckedContinuation<Void, Never>?
        var outcome: Result<PostgreSQLConnection, PostgreSQLError>?
        var timer: TimerID?
        /// Whether it waits only as long as an outage allows.
        var isBoundByOutage = false
    }

    public let limits: Limits

    private let conninfo: String
    private let loop: EventLoop
    private let setUp: [Statement]
    /// Connections to lend; the last returned is lent first.
    private var idle: [PostgreSQLConnection] = []
    /// How many connections there are, idle and lent.
    private var connectionCount = 0 {
        didSet {
            guard (oldValue > 0) != isAvailable else { return }
            onAvailabilityChange?(isAvailable)
        }
    }
    /// In the order of their arrival.
    private var waiters: [Waiter] = []
    private var isConnecting = false
    private var isConnectionWanted = false
    private var isClosed = false
    /// Why there is no connection; nil before the first failure and after each success.
    private var outage: PostgreSQLError?

    /// Told when the first connection is made and when the last is gone, as for a log.
    public var onAvailabilityChange: ((Bool) -> Void)?

    /// Creates a pool that holds no connection yet.
    ///
    /// - Parameters:
    ///   - conninfo: as `PostgreSQLConnection.connect` takes it.
    ///   - setUp: run as one batch on each new connection before it is lent.
    public init(
        conninfo: String, on loop: EventLoop, limits: Limits = Limits(), setUp: [Statement] = []
    ) {
        precondition(limits.connectionsMax > 0, "a pool without connections")
        self.conninfo = conninfo
        self.loop = loop
        self.limits = limits
        self.setUp = setUp
    }

    /// Whether the pool holds a connection that is not known to be lost.
    public var isAvailable: Bool { connectionCount > 0 }

    /// Why PostgreSQL is away; nil while it is there, and before the first attempt.
    public var outageReason: PostgreSQLError? { isAvailable ? nil : outage }

    /// Connects ahead of need, as for readiness; returns at once.
    public func open() {
        loop.preconditionIsolated("away from the loop of this pool")
        guard !isClosed, connectionCount == 0 else { return }
        isConnectionWanted = true
        connectIfNeeded()
    }

    /// Closes the pool: waiting tasks fail with `closed`, lent connections are closed on return.
    public func close() {
        loop.preconditionIsolated("away from the loop of this pool")
        isClosed = true
        isConnectionWanted = false
        for connection in idle { connection.close() }
        while let waiter = waiters.first { resolve(waiter, with: .failure(.closed)) }
    }

    /// Lends a connection to `body` for as long as it runs.
    ///
    /// A transaction that `body` leaves open is rolled back, or the connection closed. `body` must
    /// not keep the connection, and must undo what else it changes of the session (`LISTEN`,
    /// `SET`, temporary tables).
    ///
    /// - Throws: what `body` throws; before it is called, `timedOut`, `overloaded`,
    ///   `cannotConnect`, `closed`, `cancelled`.
    public func withConnection<Result>(
        _ body: (PostgreSQLConnection) async throws(PostgreSQLError) -> Result
    ) async throws(PostgreSQLError) -> Result {
        let connection = try await lend()
        do throws(PostgreSQLError) {
            let result = try await body(connection)
            await takeBack(connection)
            return result
        } catch {
            // A primary that was demoted refuses to write; the next attempt finds the new one.
            if error.state == .readOnlyTransaction { connection.close() }
            await takeBack(connection)
            throw error
        }
    }

    // MARK: Lending

    private func lend() async throws(PostgreSQLError) -> PostgreSQLConnection {
        loop.preconditionIsolated("away from the loop of this pool")
        guard !isClosed else { throw .closed }
        guard !Task.isCancelled else { throw .cancelled }
        if let connection = idle.popLast() { return connection }
        guard waiters.count < limits.waitersMax else { throw .overloaded }
        let waiter = Waiter()
        waiters.append(waiter)
        setDeadline(of: waiter)
        connectIfNeeded()
        await withCheckedContinuation { waiter.continuation = $0 }
        guard let outcome = waiter.outcome else {
            preconditionFailure("a waiter was woken without an outcome")
        }
        let connection = try outcome.get()
        if Task.isCancelled {
            hand(over: connection)
            throw .cancelled
        }
        return connection
    }

    private func takeBack(_ connection: PostgreSQLConnection) async {
        if connection.isRunningScript {
            connection.close()
        } else if connection.isOpen, connection.transactionStatus != .idle {
            await rollBack(connection)
        }
        connection.onNotification = nil
        hand(over: connection)
    }

    /// Ends an open transaction, after what is outstanding; closes the connection where that
    /// fails or takes too long.
    private func rollBack(_ connection: PostgreSQLConnection) async {
        let timer = schedule(after: limits.rollbackTimeMax) { connection.close() }
        do throws(PostgreSQLError) {
            _ = try await connection.execute(Statement("ROLLBACK"))
        } catch {
            connection.close()
        }
        cancel(timer)
        if connection.transactionStatus != .idle { connection.close() }
    }

    /// Gives a connection that nobody uses to the first waiter, or keeps it, unless it has ended.
    private func hand(over connection: PostgreSQLConnection) {
        guard connection.isOpen else { return }
        if isClosed {
            connection.close()
        } else if let waiter = waiters.first {
            resolve(waiter, with: .success(connection))
        } else {
            idle.append(connection)
        }
    }

    private func resolve(
        _ waiter: Waiter, with outcome: Result<PostgreSQLConnection, PostgreSQLError>
    ) {
        waiters.removeAll { $0 === waiter }
        if let timer = waiter.timer { cancel(timer) }
        waiter.outcome = outcome
        waiter.continuation?.resume()
        waiter.continuation = nil
    }

    private func setDeadline(of waiter: Waiter) {
        if let timer = waiter.timer { cancel(timer) }
        waiter.isBoundByOutage = outageReason != nil
        let time = waiter.isBoundByOutage ? limits.outageWaitTimeMax : limits.waitTimeMax
        waiter.timer = schedule(after: time) { [self] in
            resolve(waiter, with: .failure(outageReason ?? .timedOut))
        }
    }

    // MARK: Connecting

    private var needsConnection: Bool {
        !isClosed && connectionCount < limits.connectionsMax
            && (isConnectionWanted || !waiters.isEmpty)
    }

    private func connectIfNeeded() {
        guard !isConnecting, needsConnection else { return }
        isConnecting = true
        // Sound: the pool belongs to this very loop, where each public function makes sure it is.
        nonisolated(unsafe) let pool = self
        loop.spawn { loop in
            await pool.connectWhileNeeded(on: loop)
        }
    }

    /// Connects, one attempt at a time, until nobody waits for a further connection.
    private func connectWhileNeeded(on loop: isolated EventLoop) async {
        var failures = 0
        while needsConnection, !loop.isStopped {
            do throws(PostgreSQLError) {
                let connection = try await connect(on: loop)
                failures = 0
                adopt(connection)
            } catch {
                failures += 1
                outage = error
                if connectionCount == 0 { isConnectionWanted = !isClosed }
                boundWaiting()
                await loop.sleep(for: limits.pause(afterFailures: failures))
            }
        }
        isConnecting = false
    }

    private func connect(
        on loop: isolated EventLoop
    ) async throws(PostgreSQLError) -> PostgreSQLConnection {
        let start = ContinuousClock.now
        let connection = try await PostgreSQLConnection.connect(
            to: conninfo, on: loop, timeout: limits.connectTimeMax)
        let timeLeft = limits.connectTimeMax - (.now - start)
        let timer = schedule(after: timeLeft) { connection.close() }
        defer { cancel(timer) }
        do throws(PostgreSQLError) {
            _ = try await connection.execute(setUp)
        } catch {
            let isOverdue = !connection.isOpen && error == .closed
            connection.close()
            throw isOverdue ? .timedOut : .cannotConnect("setting up: \(error)", error.state)
        }
        // The bytes that ended the set-up may have been the last.
        guard connection.isOpen else { throw .cannotConnect("lost while setting up", nil) }
        return connection
    }

    private func adopt(_ connection: PostgreSQLConnection) {
        isConnectionWanted = false
        outage = nil
        connectionCount += 1
        connection.onEnd = { [self, unowned connection] error in
            forget(connection, because: error)
        }
        hand(over: connection)
    }

    private func forget(_ connection: PostgreSQLConnection, because error: PostgreSQLError) {
        idle.removeAll { $0 === connection }
        if case .connectionLost(let reason) = error { outage = .cannotConnect(reason, nil) }
        connectionCount -= 1
        // Even if nobody asks: a server that reports itself unready gets no requests.
        if connectionCount == 0 { isConnectionWanted = !isClosed }
        boundWaiting()
        connectIfNeeded()
    }

    /// Bounds the patience of those who wait when an outage begins.
    private func boundWaiting() {
        guard outageReason != nil else { return }
        for waiter in waiters where !waiter.isBoundByOutage { setDeadline(of: waiter) }
    }

    // MARK: Timers

    private func schedule(after delay: Duration, _ action: @escaping () -> Void) -> TimerID {
        // Sound: the loop, which `assumeIsolated` makes sure is the caller's, is also where the
        // action was formed and will run.
        nonisolated(unsafe) let action = action
        return loop.assumeIsolated { $0.schedule(after: delay, action) }
    }

    private func cancel(_ timer: TimerID) {
        loop.assumeIsolated { $0.cancel(timer) }
    }
}
