import CPostgreSQL
import EventLoop

/// A connection to PostgreSQL, always in pipeline mode and never blocking.
///
/// Owned by one loop: every call must come from it, and traps otherwise (a closure or `Task` that
/// does not capture its `isolated EventLoop` runs elsewhere). The loop keeps the connection alive
/// until `close()` or until it is lost; the connection owns libpq's handle.
///
/// `execute` puts statements into libpq's buffer and waits; `ready` is the one place where bytes
/// are received and batches answered.
///
/// Source: PostgreSQL manual, "libpq: Asynchronous Command Processing" and "Pipeline Mode".
public final class PostgreSQLConnection: Watcher {
    /// How many batches may wait for their answers at the same time.
    public static let batchesOutstandingMax = 256

    /// Where the session is in its transaction, as of the last batch that was answered.
    public enum TransactionStatus: Sendable {
        case idle
        /// A batch is outstanding.
        case active
        case inTransaction
        /// An error aborted the transaction; only ROLLBACK (or COMMIT, which rolls back) helps.
        case failed
        /// The connection is not open.
        case unknown
    }

    private let loop: EventLoop
    private let socket: Int32
    /// OpenSSL's session, libpq's own; nil without TLS.
    private let tls: UnsafeMutableRawPointer?
    /// Nil once the connection has ended.
    private var handle: OpaquePointer?
    private var ending = PostgreSQLError.closed
    private var outstanding: [PendingBatch] = []
    private(set) var isRunningScript = false
    /// Whether libpq holds bytes that the socket did not take.
    private var isSending = false
    private var prepared = PreparedStatements()
    private let parameters = ParameterBuffer()
    private var notifications: [Notification] = []

    /// Told of each notification on the channels that this connection listens to.
    public var onNotification: ((Notification) -> Void)?

    /// Told once when the connection ends, however it does; `closed` when its owner closed it.
    public var onEnd: ((PostgreSQLError) -> Void)?

    /// Takes over an established connection and watches its socket.
    init(adopting handle: OpaquePointer, on loop: isolated EventLoop) throws(PostgreSQLError) {
        self.handle = handle
        self.loop = loop
        socket = PQsocket(handle)
        tls = PQsslStruct(handle, "OpenSSL")
        guard PQsetnonblocking(handle, 1) == 0, PQenterPipelineMode(handle) == 1 else {
            // deinit frees the handle.
            throw .cannotConnect(Self.text(of: handle), nil)
        }
        PQsetNoticeReceiver(
            handle, receiveNotice, Unmanaged.passUnretained(self).toOpaque())
        do throws(SystemError) {
            try loop.watch(socket, for: .readable, by: self)
        } catch {
            throw .cannotConnect(error.description, nil)
        }
    }

    // Reached without `close` only when the loop has stopped and forgotten its watchers.
    deinit {
        PQfinish(handle)
    }

    public var isOpen: Bool { handle != nil }

    /// Whether batches are waiting for their answers.
    public var isBusy: Bool { !outstanding.isEmpty }

    public var transactionStatus: TransactionStatus {
        guard let handle else { return .unknown }
        if isBusy { return .active }
        return switch PQtransactionStatus(handle) {
        case PQTRANS_IDLE: .idle
        case PQTRANS_ACTIVE: .active
        case PQTRANS_INTRANS: .inTransaction
        case PQTRANS_INERROR: .failed
        default: .unknown
        }
    }

    /// The version of the server as libpq counts it, 150004 for 15.4; 0 when not open.
    public var serverVersion: Int {
        handle.map { Int(PQserverVersion($0)) } ?? 0
    }

    // MARK: Executing

    /// Sends the statements in one flush, ended by one Sync, and returns their results in order.
    ///
    /// When one fails, PostgreSQL skips the rest of the batch. A batch outside `BEGIN` and `COMMIT`
    /// is one transaction of its own, committed at its end. Several batches may be outstanding,
    /// from several tasks of the loop; they run and are answered in the order sent.
    ///
    /// Cancelling the task does not call a batch back: what was sent is awaited.
    ///
    /// - Throws: `server` with the first error; `connectionLost` and `closed`; `overloaded`.
    @discardableResult
    public func execute(
        _ batch: [Statement]
    ) async throws(PostgreSQLError) -> [QueryResult] {
        guard !batch.isEmpty else { return [] }
        return try await send(batch).finished()
    }

    /// Sends one statement and returns its result.
    @discardableResult
    public func execute(_ statement: Statement) async throws(PostgreSQLError) -> QueryResult {
        let results = try await execute([statement])
        return results[0]
    }

    /// Runs a text of several commands, as a migration is, and returns the notices that came.
    ///
    /// Without `BEGIN` and `COMMIT` in it, the whole is one transaction. No batch may be
    /// outstanding or be sent meanwhile.
    ///
    /// - Throws: `server` with the first error and its position in the text.
    @discardableResult
    public func executeScript(_ sql: String) async throws(PostgreSQLError) -> [Notice] {
        loop.preconditionIsolated("away from the loop of this connection")
        precondition(outstanding.isEmpty, "a script needs the connection to itself")
        guard let handle else { throw ending }
        let batch = PendingBatch([])
        batch.append(.script)
        // Several commands in one text take the simple protocol, which pipeline mode forbids.
        guard PQexitPipelineMode(handle) == 1, PQsendQuery(handle, sql) == 1 else {
            throw lose(handle)
        }
        isRunningScript = true
        outstanding.append(batch)
        flush(handle)
        _ = try await batch.finished()
        return batch.notices
    }

    private func send(_ statements: [Statement]) throws(PostgreSQLError) -> PendingBatch {
        loop.preconditionIsolated("away from the loop of this connection")
        precondition(!isRunningScript, "a script has the connection to itself")
        guard let handle else { throw ending }
        guard outstanding.count < Self.batchesOutstandingMax else { throw .overloaded }
        let batch = PendingBatch(statements)
        for index in statements.indices {
            guard send(statement: index, of: batch, to: handle) else {
                // Half a batch is in libpq's buffer, so nothing sensible can follow it.
                throw lose(handle)
            }
        }
        batch.append(.end)
        guard PQpipelineSync(handle) == 1 else { throw lose(handle) }
        outstanding.append(batch)
        flush(handle)
        return batch
    }

    private func send(
        statement index: Int, of batch: PendingBatch, to handle: OpaquePointer
    ) -> Bool {
        let statement = batch.statements[index]
        let sql = statement.sql
        parameters.load(statement.parameters)
        let use = prepared.use(of: sql, types: parameters.types, in: batch)
        return parameters.withArguments { arguments in
            if case .preparing(let name) = use {
                batch.append(.prepare(statement: index))
                guard PQsendPrepare(handle, name, sql, arguments.count, arguments.types) == 1
                else { return false }
            }
            batch.append(.execute(statement: index))
            switch use {
            case .prepared(let name), .preparing(let name):
                return PQsendQueryPrepared(
                    handle, name, arguments.count, arguments.values, arguments.lengths,
                    arguments.formats, ParameterBuffer.binaryFormat) == 1
            case .unprepared:
                return PQsendQueryParams(
                    handle, sql, arguments.count, arguments.types, arguments.values,
                    arguments.lengths, arguments.formats, ParameterBuffer.binaryFormat) == 1
            }
        }
    }

    /// Sends what the socket takes; the rest follows when it is writable.
    private func flush(_ handle: OpaquePointer) {
        let bytesLeft = PQflush(handle)
        guard bytesLeft >= 0 else {
            lose(handle)
            return
        }
        guard isSending != (bytesLeft > 0) else { return }
        isSending.toggle()
        let interest: Readiness = isSending ? [.readable, .writable] : .readable
        loop.assumeIsolated { [socket] in $0.setInterest(interest, of: socket) }
    }

    // MARK: Receiving

    public func ready(_ readiness: Readiness, on loop: isolated EventLoop) {
        var bytesInTLS: Int32 = 0
        repeat {
            guard let handle else { return }
            let lossReason = PQconsumeInput(handle) == 1 ? nil : Self.text(of: handle)
            takeAnswers(from: handle)
            takeNotifications()
            if let lossReason { lose(lossReason) }
            // Each of these may have ended the connection and freed the handle.
            guard isOpen else { return }
            // A TLS record may be longer than libpq's free buffer (servers from version 17 on and
            // poolers send such). The rest is decrypted already and makes no socket readable.
            bytesInTLS = tls.map { pending_tls_bytes($0) } ?? 0
        } while bytesInTLS > 0
        if isSending, let handle { flush(handle) }
    }

    /// Hands the answers that have arrived to their batches.
    private func takeAnswers(from handle: OpaquePointer) {
        var emptyAnswersInARow = 0
        while isOpen, let batch = outstanding.first, let step = batch.currentStep,
            PQisBusy(handle) == 0
        {
            if let result = PQgetResult(handle) {
                emptyAnswersInARow = 0
                take(result, for: step, of: batch, from: handle)
            } else {
                // libpq ends the answers to each command, and may end those before a Sync, so.
                emptyAnswersInARow += 1
                guard emptyAnswersInARow <= 2 else {
                    lose("libpq has no answer to an outstanding command")
                    return
                }
                takeEnd(of: step, of: batch, from: handle)
            }
        }
    }

    /// Takes one answer; `result` is freed here unless it becomes a `QueryResult`.
    private func take(
        _ result: OpaquePointer, for step: PendingBatch.Step, of batch: PendingBatch,
        from handle: OpaquePointer
    ) {
        let status = PQresultStatus(result)
        switch (status, step) {
        case (PGRES_COMMAND_OK, .execute), (PGRES_TUPLES_OK, .execute),
            (PGRES_EMPTY_QUERY, .execute):
            batch.succeed(with: result)
            return
        case (PGRES_COMMAND_OK, .prepare(let index)):
            prepared.confirm(batch.statements[index].sql)
        case (PGRES_PIPELINE_ABORTED, .prepare(let index)):
            prepared.forget(batch.statements[index].sql)
        case (PGRES_PIPELINE_ABORTED, .execute):
            break
        case (PGRES_COMMAND_OK, .script), (PGRES_TUPLES_OK, .script),
            (PGRES_EMPTY_QUERY, .script):
            break
        case (PGRES_PIPELINE_SYNC, .end):
            batch.finishStep()
            outstanding.removeFirst()
            batch.finish()
        case (PGRES_FATAL_ERROR, _):
            takeError(result, for: step, of: batch, from: handle)
        default:
            let name = String(cString: PQresStatus(status))
            lose("the answer \(name) is not one to \(step)")
        }
        PQclear(result)
    }

    private func takeError(
        _ result: OpaquePointer, for step: PendingBatch.Step, of batch: PendingBatch,
        from handle: OpaquePointer
    ) {
        let index: Int? =
            switch step {
            case .prepare(let index), .execute(let index): index
            case .end, .script: nil
            }
        guard let error = ServerError(copying: result, statementIndex: index) else {
            lose(Self.text(of: handle))
            return
        }
        if let index {
            let isStale =
                error.state == .unknownPreparedStatement || error.state == .featureNotSupported
            if case .prepare = step {
                prepared.forget(batch.statements[index].sql)
            } else if isStale {
                // A plan that no longer fits its tables: the next use prepares it again.
                prepared.forget(batch.statements[index].sql)
            }
        }
        batch.fail(with: .server(error))
    }

    private func takeEnd(
        of step: PendingBatch.Step, of batch: PendingBatch, from handle: OpaquePointer
    ) {
        switch step {
        case .prepare, .execute:
            batch.finishStep()
        case .end:
            break
        case .script:
            batch.finishStep()
            outstanding.removeFirst()
            isRunningScript = false
            if PQenterPipelineMode(handle) == 0 { lose(Self.text(of: handle)) }
            batch.finish()
        }
    }

    private func takeNotifications() {
        guard let handle else { return }
        while let notify = PQnotifies(handle) {
            notifications.append(
                Notification(
                    channel: String(cString: notify.pointee.relname),
                    payload: String(cString: notify.pointee.extra)))
            PQfreemem(notify)
        }
        guard !notifications.isEmpty else { return }
        // Taken first: a listener may close the connection.
        let arrived = notifications
        notifications.removeAll()
        for notification in arrived { onNotification?(notification) }
    }

    /// Gives a notice to the batch that is running.
    fileprivate func note(_ notice: Notice) {
        outstanding.first?.note(notice)
    }

    // MARK: Ending

    /// Closes the connection; outstanding batches fail with `closed`.
    public func close() {
        loop.preconditionIsolated("away from the loop of this connection")
        end(with: .closed)
    }

    /// Ends the connection because it is unusable.
    @discardableResult
    private func lose(_ reason: String) -> PostgreSQLError {
        let error = PostgreSQLError.connectionLost(reason)
        end(with: error)
        return error
    }

    /// Ends the connection because libpq failed to send, after handing over what it has received:
    /// answers to earlier batches, or the server's reason.
    @discardableResult
    private func lose(_ handle: OpaquePointer) -> PostgreSQLError {
        let reason = Self.text(of: handle)
        takeAnswers(from: handle)
        return lose(reason)
    }

    private func end(with error: PostgreSQLError) {
        guard let handle else { return }
        self.handle = nil
        ending = error
        loop.assumeIsolated { [socket] in $0.unwatch(socket) }
        PQfinish(handle)
        let abandoned = outstanding
        outstanding.removeAll()
        for batch in abandoned {
            batch.end(with: error)
        }
        onEnd?(error)
        onEnd = nil
        onNotification = nil
    }

    static func text(of handle: OpaquePointer) -> String {
        let text = String(cString: PQerrorMessage(handle))
        return text.split(whereSeparator: \.isNewline).joined(separator: "; ")
    }
}

/// Tells the connection of a notice; libpq frees the result afterwards.
private func receiveNotice(_ context: UnsafeMutableRawPointer?, _ result: OpaquePointer?) {
    guard let context, let result else { return }
    Unmanaged<PostgreSQLConnection>.fromOpaque(context).takeUnretainedValue()
        .note(Notice(copying: result))
}
