import ArgumentParser
import Client
import EventLoop
import Glibc
import Replay
import Store
import TLS

/// Plays a scenario against a server, as the analytics node of its site.
struct Replay: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Replay a scenario's incidents as an analytics node.",
        discussion: """
            Makes the scenario's site, areas, cameras and node in the database where they are \
            missing, with a token that expires in a day, and sends the node's detections as they \
            become due. While the server is away it waits and sends them again. Ends with 1 when \
            a detection was refused or lost.

            With a token of your own (--token) the database is not touched, and the site must \
            have the scenario's cameras.
            """)

    @Argument(
        help: ArgumentHelp(
            "A scenario file, or the name of one that comes with the program: mannheim.",
            valueName: "scenario"))
    var scenario: String
    @Option(help: "How many times as fast as it happened; detections occur when they are sent.")
    var speed = 1.0
    @Option(help: "Where the server is (LEITSTAND_URL).")
    var url: String?
    @Option(help: "A node's token; makes nothing in the database (LEITSTAND_TOKEN).")
    var token: String?
    @Option(
        help:
            "The authorities to trust for https, PEM; by default the system's (LEITSTAND_TLS_TRUST)."
    )
    var tlsTrust: String?
    @Flag(name: .customLong("repeat"), help: "Begin again a minute after the end, until stopped.")
    var repeats = false
    @Option(
        help: "Fail when the server has been away for so many seconds; by default it is waited for."
    )
    var patience: Int?
    @Option(help: "Also write the summary to this file, as JSON.")
    var summaryJSON: String?
    @OptionGroup var database: DatabaseOptions

    func validate() throws {
        guard speed.isFinite, (0.01...10_000).contains(speed) else {
            throw ValidationError("--speed must be from 0.01 to 10000")
        }
        if let patience, !(1...86_400).contains(patience) {
            throw ValidationError("--patience must be from 1 to 86400")
        }
    }

    func run() async throws {
        // A peer that is gone is an error of its write, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        let scenario = try ScenarioFile.read(scenario)
        var settings = try settings()
        let loop = try EventLoop(name: "leitstand-0")
        if settings.token.isEmpty { settings.token = try await setUp(scenario, on: loop) }
        let summary = await play(scenario, settings, on: loop)
        await loop.stop()
        printLine(summary.text)
        if let summaryJSON { try write(summary.json, to: summaryJSON) }
        guard summary.isComplete else { throw ExitCode.failure }
    }

    /// The token is empty when none was given.
    private func settings() throws -> Playback.Settings {
        let url = url ?? environment("LEITSTAND_URL") ?? "http://127.0.0.1:8080"
        guard let origin = Origin(url) else {
            throw ValidationError(
                "--url must be a server's URL without a path, such as https://leitstand.example:8443"
            )
        }
        let tls =
            origin.isSecure
            ? try TLSContext.client(
                trustFile: tlsTrust ?? environment("LEITSTAND_TLS_TRUST"), protocols: ["h2"])
            : nil
        var settings = Playback.Settings(
            origin: origin, tls: tls, token: token ?? environment("LEITSTAND_TOKEN") ?? "")
        settings.speed = speed
        settings.repeats = repeats
        settings.patience = patience.map { .seconds($0) }
        return settings
    }

    private func setUp(_ scenario: Scenario, on loop: EventLoop) async throws -> String {
        let database = try database.open(.join)
        _ = try await database.migrate(on: loop)
        let token = try await setUp(scenario, in: database, on: loop)
        try database.close()
        return token
    }

    private func setUp(
        _ scenario: Scenario, in database: OpenDatabase, on loop: isolated EventLoop
    ) async throws -> String {
        let pool = database.pool(on: loop, connectionsMax: 1)
        defer { pool.close() }
        return try await ScenarioSetUp(
            scenario: scenario, store: Database(pool: pool, committed: {})
        ).run()
    }

    private func play(
        _ scenario: Scenario, _ settings: Playback.Settings, on loop: isolated EventLoop
    ) async -> Summary {
        let timeline = Timeline(scenario)
        let playback = Playback(scenario, timeline, settings)
        let progress = ReplayProgress(playback)
        let stop = StopSignal()
        let stopping = Task {
            _ = loop
            await stop.wait()
            playback.stop(on: loop)
        }
        let start = ContinuousClock.now
        progress.begin(on: loop)
        let ending = await playback.run(on: loop)
        stopping.cancel()
        progress.finish()
        return Summary(
            site: scenario.site.id, timeline: timeline, speed: settings.speed,
            tally: playback.tally, ending: ending, elapsed: .now - start)
    }

    private func write(_ bytes: [UInt8], to path: String) throws {
        guard let file = fopen(path, "we") else {
            throw ValidationError("--summary-json \(path): \(String(cString: strerror(errno)))")
        }
        let count = fwrite(bytes, 1, bytes.count, file)
        guard fclose(file) == 0, count == bytes.count else {
            throw ValidationError("--summary-json \(path): \(String(cString: strerror(errno)))")
        }
    }
}
