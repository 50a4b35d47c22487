import Client
import ControlCentre
import EventLoop
import TLS

/// Plays a scenario against a server as its node would live it.
///
/// Two tasks of one loop: one makes the detections when they are due, the other sends them, in
/// their order and one request at a time. While the server is away the first goes on and the second
/// waits and sends the same again: nothing is lost, and a resend of what had arrived is answered
/// `duplicate`.
///
/// Owned by its loop.
public final class Playback {
    public struct Settings: Sendable {
        public var origin: Origin
        /// Needed if the origin is secure.
        public var tls: TLSContext?
        /// The bearer token of a node.
        public var token: String
        /// How many times as fast as the scenario; `occurred_at` is the moment of making at any
        /// speed, so that alarms ring.
        public var speed = 1.0
        /// Begin again after the end, until stopped.
        public var repeats = false
        /// How long the server may be away before the replay fails; nil for ever.
        public var patience: Duration?

        public init(origin: Origin, tls: TLSContext?, token: String) {
            self.origin = origin
            self.tls = tls
            self.token = token
        }
    }

    public enum Ending: Sendable, Equatable {
        /// Everything was made and answered.
        case finished
        /// As `stop` asked; nothing more was made.
        case stopped
        case failed(String)
    }

    public private(set) var tally = Tally()
    /// Why the server is away at the moment; nil while it is not.
    public private(set) var absence: String?

    private let scenario: Scenario
    private let timeline: Timeline
    private let settings: Settings

    private var isRecording = true
    private var backlog: [PendingDetection] = []
    /// Nothing more is to be made.
    private var isStopping = false
    /// Until when what waits may still be sent.
    private var stopDeadline: ContinuousClock.Instant?
    private var awaySince: ContinuousClock.Instant?
    private var connection: ClientConnection?

    private let recorderBell = Bell()
    private let workBell = Bell()
    private let pauseBell = Bell()

    /// Detections of one request at most; the server's limit is higher.
    private static let batchMax = 100
    /// What is due within one such time goes out together.
    private static let turn: Duration = .milliseconds(20)
    /// Between two rounds: longer than an alarm lives without detections, so that the next round
    /// raises its own.
    private static let restBetweenRounds: Duration = .seconds(60)
    private static let stopTimeMax: Duration = .seconds(2)
    /// Whatever time a server asks for.
    private static let pauseMax: Duration = .seconds(30)

    public init(_ scenario: Scenario, _ timeline: Timeline, _ settings: Settings) {
        self.scenario = scenario
        self.timeline = timeline
        self.settings = settings
    }

    /// Plays the scenario to its end; once only.
    public func run(on loop: isolated EventLoop) async -> Ending {
        let recording = Task {
            _ = loop
            await self.record(on: loop)
        }
        let ending = await deliver(on: loop)
        isStopping = true
        recorderBell.ring()
        await recording.value
        connection?.close()
        return ending
    }

    /// Makes nothing more, and gives what waits a last, short chance to arrive.
    public func stop(on loop: isolated EventLoop) {
        guard !isStopping else { return }
        isStopping = true
        stopDeadline = .now + Self.stopTimeMax
        recorderBell.ring()
        pauseBell.ring()
        loop.schedule(after: Self.stopTimeMax) {
            // Ends a request whose response does not come.
            self.connection?.close()
            self.pauseBell.ring()
        }
    }

    // MARK: Making

    private func record(on loop: isolated EventLoop) async {
        repeat {
            await recordRound(on: loop)
            if settings.repeats, !isStopping {
                await recorderBell.wait(atMost: Self.restBetweenRounds, on: loop)
            }
        } while settings.repeats && !isStopping
        isRecording = false
        workBell.ring()
    }

    private func recordRound(on loop: isolated EventLoop) async {
        let start = ContinuousClock.now
        for moment in timeline.moments {
            let due = start + moment.offset / settings.speed
            if due > .now {
                await recorderBell.wait(atMost: max(due - .now, Self.turn), on: loop)
            }
            if isStopping { return }
            backlog.append(PendingDetection(moment, of: scenario, at: .now()))
            tally.made += 1
            workBell.ring()
        }
    }

    // MARK: Sending

    private func deliver(on loop: isolated EventLoop) async -> Ending {
        while true {
            guard !backlog.isEmpty else {
                if isRecording {
                    await workBell.wait(on: loop)
                    continue
                }
                return isStopping ? .stopped : .finished
            }
            let batch = Array(backlog.prefix(Self.batchMax))
            backlog.removeFirst(batch.count)
            tally.sent += batch.count
            if let failure = await deliver(batch, on: loop) { return failure }
        }
    }

    /// Sends some detections until the server has answered for them; nil once it has.
    private func deliver(
        _ batch: [PendingDetection], on loop: isolated EventLoop
    ) async -> Ending? {
        let body = PendingDetection.body(of: batch)
        var backoff = Backoff()
        while true {
            switch await attempt(body, count: batch.count, on: loop) {
            case .outcomes(let outcomes):
                absence = nil
                awaySince = nil
                for outcome in outcomes { tally.add(outcome) }
                return nil
            case .rejected(let reason):
                return .failed(reason)
            case .later(let reason, let after):
                noteAbsence(reason)
                if let ending = endingOfPatience { return ending }
                let pause = min(after ?? backoff.delay(), Self.pauseMax)
                await pauseBell.wait(atMost: pause, on: loop)
                if let ending = endingOfPatience { return ending }
                tally.resends += 1
            }
        }
    }

    private func noteAbsence(_ reason: String) {
        if absence == nil { tally.absences += 1 }
        absence = reason
        awaySince = awaySince ?? .now
    }

    /// How the replay ends because the server has been away for too long; nil if it has not.
    private var endingOfPatience: Ending? {
        if let stopDeadline, stopDeadline <= .now { return .stopped }
        if let patience = settings.patience, let awaySince, awaySince + patience <= .now {
            return .failed("the server was away for \(patience): \(absence ?? "")")
        }
        return nil
    }

    private func attempt(
        _ body: [UInt8], count: Int, on loop: isolated EventLoop
    ) async -> Answer {
        do throws(ClientError) {
            let connection = try await openConnection(on: loop)
            let response = try await connection.send(
                "POST", "/v1/detections",
                fields: [
                    ("authorization", "Bearer \(settings.token)"),
                    ("content-type", "application/json"),
                ], body: body)
            return Answer(response, to: count)
        } catch {
            // A server that does not answer in time may be gone without a word.
            if error == .timedOut { connection?.close() }
            return .later(reason: error.description, after: nil)
        }
    }

    private func openConnection(
        on loop: isolated EventLoop
    ) async throws(ClientError) -> ClientConnection {
        if let connection, connection.isOpen { return connection }
        let opened = try await ClientConnection.connect(
            host: settings.origin.host, port: settings.origin.port, tls: settings.tls, on: loop)
        connection = opened
        return opened
    }
}
