import ControlCentre
import EventLoop
import PostgreSQL

/// Takes the detections of some cameras and commits them in groups.
///
/// While one group is under way, what arrives gathers; it goes together as soon as the lane is
/// free. So a group is as large as the load makes it, and a single detection waits for nothing.
/// A camera always has the same lane, so an instance never contends with itself for a key.
///
/// Owned by its loop, with one connection of its own.
public final class IngestLane {
    private let pool: PostgreSQLPool
    private let correlator: Correlator
    private let committed: @Sendable () -> Void
    /// Told of each group, on the loop.
    public var observe: ((IngestObservation) -> Void)?
    private var directory = CameraDirectory()
    private var waiting: [Submission] = []
    private var waitingCount = 0
    private var isRunning = false
    private var refusals = RefusalCounts()

    /// Detections of one transaction at most, unless a single submission has more.
    public static let groupMax = 1_024
    /// Detections that wait at most; more are turned away until some are through.
    public static let waitingMax = 16_384
    /// How often a group is tried again after a conflict with another instance.
    private static let attemptsMax = 10

    /// Run on each connection of a lane's pool.
    ///
    /// A prepared statement keeps its plan. One that is made while the tables are empty reads them
    /// whole, and would go on to do so in the first busy minutes; each of the lane's statements is
    /// served by an index, whatever the size.
    public static let setUp = [
        Statement("SET enable_seqscan = off"), Statement("SET enable_hashjoin = off"),
        Statement("SET enable_mergejoin = off"), Statement("SET enable_bitmapscan = off"),
    ]

    private final class Submission {
        let detections: [IncomingDetection]
        var outcome: Result<[IngestOutcome], StoreError>?
        var continuation: CheckedContinuation<Void, Never>?

        init(_ detections: [IncomingDetection]) { self.detections = detections }
    }

    /// - Parameters:
    ///   - pool: of one connection, as the runtime role, set up by `setUp`.
    ///   - committed: called on the loop after each commit.
    public init(
        pool: PostgreSQLPool, rule: CorrelationRule = CorrelationRule(),
        committed: @escaping @Sendable () -> Void
    ) {
        self.pool = pool
        correlator = Correlator(rule: rule)
        self.committed = committed
    }

    /// Commits detections and tells what became of each, in the order given.
    ///
    /// - Throws: `overloaded` when too many wait; `unavailable` when PostgreSQL did not confirm:
    ///   some may be committed all the same, and sending them again is safe.
    public func submit(_ detections: [IncomingDetection], on loop: isolated EventLoop)
        async throws(StoreError) -> [IngestOutcome]
    {
        guard waitingCount + detections.count <= Self.waitingMax else { throw .overloaded }
        let submission = Submission(detections)
        waiting.append(submission)
        waitingCount += detections.count
        if !isRunning {
            isRunning = true
            Task {
                _ = loop
                await self.run()
            }
        }
        await withCheckedContinuation { submission.continuation = $0 }
        guard let outcome = submission.outcome else {
            preconditionFailure("a submission was resumed without an outcome")
        }
        return try outcome.get()
    }

    /// Counts detections that were turned away before they came here.
    public func countRefused(_ count: Int, of site: SiteID, for code: String, at instant: Timestamp)
    {
        refusals.add(Int64(count), of: site, for: code, at: instant)
    }

    /// Writes down how many detections were refused since the last time; to be called every few
    /// seconds, and at the end.
    public func writeRefusals() async throws(StoreError) {
        guard !refusals.isEmpty else { return }
        let written = refusals
        refusals = RefusalCounts()
        do throws(PostgreSQLError) {
            let results = try await pool.withConnection {
                (connection) async throws(PostgreSQLError) in
                try await connection.execute([
                    Database.begin, Database.nextChange, written.insert, Database.appendPosition,
                    Database.commit,
                ])
            }
            try QueryResult.requireCommit(results[results.count - 1])
            committed()
        } catch {
            refusals.add(written)
            throw StoreError(error)
        }
    }

    private func run() async {
        while !waiting.isEmpty {
            let submissions = takeGroup()
            let items = submissions.flatMap(\.detections)
            let started = ContinuousClock.now
            do throws(StoreError) {
                let outcomes = try await commit(items[...])
                observe?(.committed(detections: items.count, in: .now - started))
                for (item, outcome) in zip(items, outcomes) {
                    if case .refused(let refusal) = outcome {
                        refusals.add(of: item.site, for: refusal.code, at: item.receivedAt)
                    }
                }
                var start = 0
                for submission in submissions {
                    let end = start + submission.detections.count
                    resume(submission, .success(Array(outcomes[start..<end])))
                    start = end
                }
            } catch {
                observe?(.failed(detections: items.count))
                for submission in submissions { resume(submission, .failure(error)) }
            }
        }
        isRunning = false
    }

    private func resume(_ submission: Submission, _ outcome: Result<[IngestOutcome], StoreError>) {
        submission.outcome = outcome
        submission.continuation?.resume()
    }

    private func takeGroup() -> [Submission] {
        var count = 0
        var end = 0
        while end < waiting.count {
            let next = waiting[end].detections.count
            if end > 0, count + next > Self.groupMax { break }
            count += next
            end += 1
        }
        let group = Array(waiting[..<end])
        waiting.removeFirst(end)
        waitingCount -= count
        return group
    }

    /// Commits items as one group. When PostgreSQL refuses a value, halves the group until the
    /// culprit stands alone: no item harms its neighbours.
    private func commit(_ items: ArraySlice<IncomingDetection>)
        async throws(StoreError) -> [IngestOutcome]
    {
        var attempts = 0
        while true {
            attempts += 1
            do throws(PostgreSQLError) {
                if let outcomes = try await attempt(items) { return outcomes }
                // The configuration has changed meanwhile; what was remembered is forgotten.
                guard attempts < Self.attemptsMax else { throw .overloaded }
            } catch {
                guard case .server(let server) = error else { throw StoreError(error) }
                if Self.isConflict(server) {
                    guard attempts < Self.attemptsMax else { throw .overloaded }
                    continue
                }
                guard Self.blamesValue(server) else { throw StoreError(error) }
                guard items.count > 1 else { return [.refused(.notStorable(server.message))] }
                let middle = items.startIndex + items.count / 2
                let first = try await commit(items[..<middle])
                return first + (try await commit(items[middle...]))
            }
        }
    }

    /// Another transaction was in the way: a deadlock, or a detection that another instance stored
    /// after this group had looked for it.
    private static func isConflict(_ error: ServerError) -> Bool {
        error.state == .deadlockDetected || error.state == .serializationFailure
            || (error.state == .uniqueViolation && error.table?.hasPrefix("detections") == true)
            || (error.state == .uniqueViolation && error.table == "alarms")
    }

    private static func blamesValue(_ error: ServerError) -> Bool {
        error.state.classCode == "22" || error.state.classCode == "23"
    }

    /// One transaction; nil when the configuration turned out to have changed.
    private func attempt(_ items: ArraySlice<IncomingDetection>)
        async throws(PostgreSQLError) -> [IngestOutcome]?
    {
        let lookup = directory.lookup(items)
        if let lookup {
            let results = try await pool.withConnection {
                (connection) async throws(PostgreSQLError) in
                try await connection.execute(lookup)
            }
            guard try directory.learn(results) else { return nil }
        }
        let known = directory
        var group = Group(items, directory: known, correlator: correlator)
        guard !group.isSettled else {
            // Refused by heart: without a transaction nothing else would tell that the site has
            // come to permit it.
            if lookup == nil, try await !isCurrent(known) { return nil }
            return group.finish()
        }

        let commit: QueryResult? = try await pool.withConnection {
            (connection) async throws(PostgreSQLError) in
            let read = try await connection.execute(group.readStatements())
            guard try Group.revision(read) == known.revision else { return nil }
            guard let writes = try group.decide(read, at: .now()) else {
                return try await connection.execute(Database.rollback)
            }
            return try await connection.execute(writes + [Database.commit]).last
        }
        guard let commit else {
            directory.forget()
            return nil
        }
        if commit.commandTag != "ROLLBACK" {
            try QueryResult.requireCommit(commit)
            committed()
        }
        return group.finish()
    }

    /// Whether the directory is of the present configuration; if not, what is remembered is
    /// forgotten.
    private func isCurrent(_ known: CameraDirectory) async throws(PostgreSQLError) -> Bool {
        let result = try await pool.withConnection {
            (connection) async throws(PostgreSQLError) in
            try await connection.execute(CameraDirectory.currentRevision)
        }
        guard try result.int64(0, 0) == known.revision else {
            directory.forget()
            return false
        }
        return true
    }
}

/// What a lane tells about itself, for metrics.
public enum IngestObservation: Sendable {
    case committed(detections: Int, in: Duration)
    case failed(detections: Int)
}
