import API
import ControlCentre
import EventLoop
import Logging
import Server
import Store

/// What one loop holds: its server, and the API that answers for it.
final class LoopUnit {
    let api: API
    let server: Server
    private let lanes: [LoopBound<IngestLane>]
    /// With connections of its own: some of what keeps house takes long or has to wait, and nobody's
    /// request is to wait behind it.
    private let house: Database
    private let logger: Logger

    /// How soon after it is due an alarm is cleared at the latest, or an extension journaled.
    private static let clearInterval: Duration = .milliseconds(500)
    /// How soon after it has missed its third heartbeat a node is reported at the latest.
    private static let nodeInterval: Duration = .seconds(1)
    /// This often is looked whether an incident is to be assessed anew.
    private static let assessmentInterval: Duration = .seconds(15)
    /// How soon after a shelving has run out its alarms ring at the latest.
    private static let shelvingInterval: Duration = .milliseconds(500)
    /// How soon an alarm is told to be overdue, or a flood to have begun or ended.
    private static let loadInterval: Duration = .seconds(1)
    /// How soon after a day an active alarm is told to be stale.
    private static let staleInterval: Duration = .seconds(60)
    /// Partitions are made days ahead; this often is looked whether one is missing.
    private static let partitionInterval: Duration = .seconds(3_600)
    /// How long past its period a detection is kept at most, if the server runs.
    private static let retentionInterval: Duration = .seconds(600)
    /// How often is told how far a deletion is that takes so long.
    private static let progressInterval: Duration = .seconds(10)

    /// How soon rows of the ledger know their positions, and are summed up if they are enough; until
    /// then questions look them up one by one.
    private static let rollUpInterval: Duration = .seconds(10)

    /// Detections are counted by the quarter of an hour; this often is looked whether one is over.
    private static let countingInterval: Duration = .seconds(30)

    /// How many seconds of refused detections a crash can leave uncounted.
    private static let refusalInterval: Duration = .seconds(10)

    /// How soon an hour's coverage is recorded, once all nodes have told of it.
    private static let coverageInterval: Duration = .seconds(15)

    /// How soon an hour's alarm load is recorded, once the hour is over by some minutes.
    private static let loadRecordingInterval: Duration = .seconds(15)

    /// Accesses are kept for days; this often those are deleted whose time is up.
    private static let expiryInterval: Duration = .seconds(3_600)

    init(
        _ database: Database, house: Database, lanes: [LoopBound<IngestLane>],
        settings: ServerSettings, logger: Logger, on loop: EventLoop
    ) {
        let api = API(
            on: loop, database: database, lanes: lanes, replayWindow: settings.replayWindow,
            stallTimeMax: settings.limits.stallTimeMax,
            signingKeyFile: settings.signingKeyFile, logger: logger)
        self.api = api
        self.house = house
        self.lanes = lanes
        self.logger = logger
        server = Server(responder: api, limits: settings.limits) { [unowned api] in
            api.observe($0)
        }
    }

    /// The live streams' second hand.
    func keepTime(on loop: isolated EventLoop) {
        loop.schedule(after: .seconds(1)) {
            self.api.hub.tick()
            self.keepTime(on: loop)
        }
    }

    /// Clears alarms, ends shelvings, reports lost nodes, makes partitions and deletes what is due,
    /// for the whole process.
    func keepHouse(on loop: isolated EventLoop) {
        Task { await self.watchNodes(on: loop) }
        Task {
            await self.repeatedly("clearing alarms", each: Self.clearInterval, on: loop) {
                (database) async throws(StoreError) in _ = try await database.clearDueAlarms()
            }
        }
        Task {
            await self.repeatedly("ending shelvings", each: Self.shelvingInterval, on: loop) {
                (database) async throws(StoreError) in _ = try await database.endDueShelvings()
            }
        }
        Task {
            await self.repeatedly("assessing incidents", each: Self.assessmentInterval, on: loop) {
                (database) async throws(StoreError) in try await database.assessDueIncidents()
            }
        }
        Task {
            await self.repeatedly("following the alarm load", each: Self.loadInterval, on: loop) {
                (database) async throws(StoreError) in try await database.followAlarmLoad()
            }
        }
        Task {
            await self.repeatedly("marking stale alarms", each: Self.staleInterval, on: loop) {
                (database) async throws(StoreError) in try await database.markStaleAlarms()
            }
        }
        Task {
            await self.repeatedly("rolling up the ledger", each: Self.rollUpInterval, on: loop) {
                (database) async throws(StoreError) in try await database.rollUpLedger()
            }
        }
        Task {
            await self.repeatedly("counting refusals", each: Self.refusalInterval, on: loop) {
                (_) async throws(StoreError) in try await self.writeRefusals()
            }
        }
        Task {
            await self.repeatedly("counting detections", each: Self.countingInterval, on: loop) {
                (database) async throws(StoreError) in try await database.countDetections()
            }
        }
        Task {
            await self.repeatedly("recording coverage", each: Self.coverageInterval, on: loop) {
                (database) async throws(StoreError) in try await database.recordCoverage()
            }
        }
        Task {
            await self.repeatedly(
                "recording the alarm load", each: Self.loadRecordingInterval, on: loop
            ) { (database) async throws(StoreError) in
                try await database.recordAlarmLoad()
            }
        }
        Task {
            // Rows of a day without partition go to the default one, and move later.
            await self.repeatedly("making partitions", each: Self.partitionInterval, on: loop) {
                (database) async throws(StoreError) in try await database.ensurePartitions()
            }
        }
        Task {
            await self.repeatedly("expiring accesses", each: Self.expiryInterval, on: loop) {
                (database) async throws(StoreError) in _ = try await database.expireAccesses()
            }
        }
        Task {
            await self.repeatedly("forgetting requests", each: Self.expiryInterval, on: loop) {
                (database) async throws(StoreError) in try await database.forgetRequests()
            }
        }
        Task {
            await self.repeatedly("deleting what is due", each: Self.retentionInterval, on: loop) {
                (database) async throws(StoreError) in
                try await self.deleteDue(from: database, on: loop)
            }
        }
    }

    /// Deletes what is due in short steps, and leaves as much time as each took to everybody else.
    private func deleteDue(
        from database: Database, on loop: isolated EventLoop
    ) async throws(StoreError) {
        var reportedAt = ContinuousClock.now
        var pace = RetentionPace()
        while !api.isDraining {
            let start = ContinuousClock.now
            let step = try await database.deleteDue(rowsMax: pace.rowsMax)
            guard case .done(let run) = step else { return }
            let end = ContinuousClock.now
            pace.note(end - start)
            if let run, end - reportedAt >= Self.progressInterval {
                reportedAt = end
                logger.info(
                    """
                    deleting what is due: \(run.settled) of \(run.site) before \
                    \(run.deletedBefore) so far
                    """)
            }
            await loop.sleep(for: end - start)
        }
    }

    /// Works on the database at once, then once in a while until the server stops.
    ///
    /// At once: what became due while no server ran does not wait any longer.
    private func repeatedly(
        _ purpose: String, each interval: Duration, on loop: isolated EventLoop,
        _ work: (Database) async throws(StoreError) -> Void
    ) async {
        while !api.isDraining {
            do throws(StoreError) {
                try await work(house)
            } catch .unavailable(let reason) {
                // The next round does it.
                logger.debug("\(purpose): \(reason)")
            } catch {
                logger.error("\(purpose): \(error)")
            }
            await loop.sleep(for: interval)
        }
    }

    private func watchNodes(on loop: isolated EventLoop) async {
        // While PostgreSQL is away no heartbeat can be taken, and no node misses one.
        var servingSince: Timestamp?
        while !api.isDraining {
            await loop.sleep(for: Self.nodeInterval)
            let since = servingSince ?? .now()
            do throws(StoreError) {
                api.observe(
                    lostNodes: try await house.reportLostNodes(servingSince: since))
                servingSince = since
            } catch {
                servingSince = nil
                if case .unavailable(let reason) = error {
                    logger.debug("watching nodes: \(reason)")
                } else {
                    logger.error("watching nodes: \(error)")
                }
            }
        }
    }

    private func writeRefusals() async throws(StoreError) {
        for lane in lanes {
            try await lane.run { (lane, _) async throws(StoreError) in
                try await lane.writeRefusals()
            }
        }
    }

    func drain(within time: Duration, on loop: isolated EventLoop) async {
        api.isDraining = true
        api.hub.endAll()
        await server.drain(within: time, on: loop)
        do throws(StoreError) {
            try await writeRefusals()
        } catch {
            logger.warning("the last refused detections are not counted: \(error)")
        }
    }
}
