import ControlCentre
import EventLoop
import PostgreSQL
import TestSupport

@testable import Store

/// What one instance of the server is to the database: loops with their pools and ingest lanes.
struct Instance: Sendable {
    let loops: [EventLoop]
    /// One per loop.
    let lanes: [LoopBound<IngestLane>]
    /// One per loop.
    let databases: [LoopBound<Database>]
    let signal: CommitSignal

    init(
        on database: TestDatabase, loops count: Int = 1, rule: CorrelationRule = CorrelationRule()
    ) async throws {
        let signal = CommitSignal()
        var loops: [EventLoop] = []
        var lanes: [LoopBound<IngestLane>] = []
        var databases: [LoopBound<Database>] = []
        for _ in 0..<count {
            let loop = try database.makeLoop()
            loops.append(loop)
            lanes.append(
                await loop.run { loop in
                    let pool = Self.pool(
                        to: database, on: loop, connectionsMax: 1, setUp: IngestLane.setUp)
                    return LoopBound(
                        IngestLane(pool: pool, rule: rule) { signal.notify() }, to: loop)
                })
            databases.append(
                await loop.run { loop in
                    let pool = Self.pool(
                        to: database, on: loop, connectionsMax: 2, setUp: Database.setUp)
                    return LoopBound(Database(pool: pool) { signal.notify() }, to: loop)
                })
        }
        (self.loops, self.lanes, self.databases, self.signal) = (loops, lanes, databases, signal)
    }

    static func pool(
        to database: TestDatabase, on loop: isolated EventLoop, connectionsMax: Int,
        setUp: [Statement] = []
    ) -> PostgreSQLPool {
        var limits = PostgreSQLPool.Limits()
        limits.connectionsMax = connectionsMax
        // As long as a machine may take on which all tests start at once.
        limits.waitTimeMax = .seconds(50)
        limits.connectTimeMax = .seconds(50)
        return PostgreSQLPool(
            conninfo: database.runtimeConnectionInfo, on: loop, limits: limits, setUp: setUp)
    }

    var lane: LoopBound<IngestLane> { lanes[0] }

    /// Commits detections in a lane, the first unless said otherwise.
    func submit(_ detections: [IncomingDetection], lane: Int = 0) async throws -> [IngestOutcome] {
        try await lanes[lane].run { lane, loop in try await lane.submit(detections, on: loop) }
    }

    func submit(_ detection: IncomingDetection) async throws -> IngestOutcome {
        try await submit([detection])[0]
    }

    /// Works on the database of the first loop.
    func run<Result: Sendable>(
        _ body: @Sendable (Database) async throws -> Result
    ) async throws -> Result {
        try await databases[0].run { database, _ in try await body(database) }
    }
}
