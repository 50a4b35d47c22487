import API
import ControlCentre
import Dispatch
import EventLoop
import Glibc
import Logging
import PostgreSQL
import Server
import Store

struct ServerSettings: Sendable {
    var places: [ListeningSockets.Place] = []
    var loops = 1
    var limits = ServerLimits()
    /// How many positions back a live stream may resume.
    var replayWindow: Int64 = 100_000
    var drainTime: Duration = .seconds(10)
    /// How long the database may take to answer one question.
    var readTimeMax: Duration = .seconds(30)
    var signingKeyFile = ""
}

/// Wires the parts of a running server, keeps house, and takes them down in order.
struct ServerProcess {
    private let settings: ServerSettings
    private let logger: Logger

    private static let poolConnectionsMax = 4
    private static let patientConnectionsMax = 2
    private static let clusterInterval: DispatchTimeInterval = .seconds(1)

    init(_ settings: ServerSettings, logger: Logger) {
        self.settings = settings
        self.logger = logger
    }

    func run(open: () throws -> OpenDatabase) async throws {
        // A peer that is gone is an error of its write, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        let stop = StopSignal()
        // Before the database is opened: a port that is taken must not cost a start of PostgreSQL.
        let sockets = try ListeningSockets(settings.places, loops: settings.loops)
        let database = try open()
        let loops = try (0..<settings.loops).map { try EventLoop(name: "leitstand-\($0)") }
        let applied = try await database.migrate(on: loops[0])
        if !applied.isEmpty { logger.info("applied \(applied.joined(separator: ", "))") }

        let units = try await start(database, loops, sockets)
        let watchdog = database.cluster.map { watch($0) }
        for place in sockets.places {
            printLine("listening on \(place.tls == nil ? "http" : "https")://\(place.address)")
        }

        await stop.wait()
        logger.info("stopping")
        await drain(units)
        watchdog?.cancel()
        for loop in loops { await loop.stop() }
        try database.close()
    }

    private func start(
        _ database: OpenDatabase, _ loops: [EventLoop], _ sockets: ListeningSockets
    ) async throws -> [LoopBound<LoopUnit>] {
        let signal = CommitSignal()
        var lanes: [LoopBound<IngestLane>] = []
        for loop in loops {
            lanes.append(
                await loop.run { loop in
                    let lane = IngestLane(
                        pool: database.pool(on: loop, connectionsMax: 1, also: IngestLane.setUp),
                        committed: { signal.notify() })
                    return LoopBound(lane, to: loop)
                })
        }
        var units: [LoopBound<LoopUnit>] = []
        for loop in loops {
            let (settings, logger, lanes) = (settings, logger, lanes)
            units.append(
                await loop.run { loop in
                    let unit = LoopUnit(
                        store(of: database, signal, on: loop),
                        // Connects when it is needed, so only on the loop that keeps house.
                        house: store(of: database, signal, on: loop), lanes: lanes,
                        settings: settings, logger: logger, on: loop)
                    return LoopBound(unit, to: loop)
                })
        }
        var apis: [LoopBound<API>] = []
        for (unit, lane) in zip(units, lanes) {
            apis.append(await unit.run { unit, loop in LoopBound(unit.api, to: loop) })
            await observe(lane, by: apis[apis.count - 1])
        }
        try await units[0].run { (unit, _) async throws(StoreError) in
            try await unit.api.database.ensurePartitions()
        }
        await startFeed(on: loops[0], database, signal, apis)
        for (index, unit) in units.enumerated() {
            let (mine, peers, isFirst) = (sockets.byLoop[index], apis, index == 0)
            try await unit.run { (unit, loop) async throws(SystemError) in
                unit.api.peers = peers
                unit.keepTime(on: loop)
                // Once for the process; further instances do it too, and skip what is held.
                if isFirst { unit.keepHouse(on: loop) }
                try unit.server.listen(on: mine, loop: loop)
            }
        }
        return units
    }

    /// A loop's access to the database, with connections of its own.
    private func store(
        of database: OpenDatabase, _ signal: CommitSignal, on loop: isolated EventLoop
    ) -> Database {
        let setUp = Database.setUp + [Database.limitReads(to: settings.readTimeMax)]
        return Database(
            pool: database.pool(
                on: loop, connectionsMax: Self.poolConnectionsMax, also: setUp),
            patientPool: database.pool(
                on: loop, connectionsMax: Self.patientConnectionsMax, also: setUp),
            committed: { signal.notify() })
    }

    /// Lets the API of a loop count what its lane does.
    private func observe(_ lane: LoopBound<IngestLane>, by api: LoopBound<API>) async {
        await lane.run { lane, loop in
            lane.observe = { observation in api.perform { api, _ in api.observe(observation) } }
        }
    }

    private func startFeed(
        on loop: EventLoop, _ database: OpenDatabase, _ signal: CommitSignal,
        _ apis: [LoopBound<API>]
    ) async {
        await loop.run { loop in
            let feed = JournalFeed(
                conninfo: database.runtimeConnectionInfo, setUp: database.setUp, signal: signal
            ) { events, head in
                let live = events.compactMap { LiveEvent($0) }
                let revoked = events.filter { $0.name == "token.revoked" }
                    .compactMap { TokenID($0.subject) }
                for api in apis {
                    api.perform { api, loop in
                        api.take(live, revoked: revoked, head: head, on: loop)
                    }
                }
            }
            feed.start(on: loop)
        }
    }

    private func drain(_ units: [LoopBound<LoopUnit>]) async {
        let time = settings.drainTime
        await withTaskGroup(of: Void.self) { group in
            for unit in units {
                group.addTask {
                    await unit.run { unit, loop in await unit.drain(within: time, on: loop) }
                }
            }
        }
    }

    /// Restarts the private PostgreSQL when it has died; blocking, so on a queue of its own.
    private func watch(_ cluster: EmbeddedCluster) -> any DispatchSourceTimer {
        let logger = logger
        let timer = DispatchSource.makeTimerSource(queue: DispatchQueue(label: "leitstand-cluster"))
        timer.setEventHandler {
            do {
                if try cluster.restartIfDead(progress: { logger.warning("\($0)") }) {
                    logger.warning("PostgreSQL had died and was restarted")
                }
                try cluster.trimLog()
            } catch {
                logger.error("PostgreSQL: \(error)")
            }
        }
        timer.schedule(deadline: .now() + Self.clusterInterval, repeating: Self.clusterInterval)
        timer.activate()
        return timer
    }
}
