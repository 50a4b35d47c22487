import Client
import EventLoop
import Replay
import Testing

@Suite(.timeLimit(.minutes(1))) struct `A playback` {
    /// What a test looks at when a playback has ended.
    private struct Outcome: Sendable {
        var ending: Playback.Ending
        var tally: Tally
        var arrivals: [String: Int]
        var authorizations: Set<String>
    }

    /// Plays the small scenario, of four detections, against a server that follows `script`.
    private func play(
        _ script: [ScriptedServer.Line], speed: Double = 10_000, patience: Duration? = nil,
        stopsAtOnce: Bool = false
    ) async throws -> Outcome {
        let loop = try EventLoop(name: "Replay tests")
        let outcome = try await play(script, speed, patience, stopsAtOnce, on: loop)
        await loop.stop()
        return outcome
    }

    private func play(
        _ script: [ScriptedServer.Line], _ speed: Double, _ patience: Duration?,
        _ stopsAtOnce: Bool, on loop: isolated EventLoop
    ) async throws -> Outcome {
        let scenario = try Scenario(json: SmallScenario.bytes())
        let server = try ScriptedServer(script, on: loop)
        var settings = Playback.Settings(origin: server.origin, tls: nil, token: "secret")
        settings.speed = speed
        settings.patience = patience
        let playback = Playback(scenario, Timeline(scenario), settings)
        if stopsAtOnce { playback.stop(on: loop) }
        let ending = await playback.run(on: loop)
        return Outcome(
            ending: ending, tally: playback.tally, arrivals: server.arrivals,
            authorizations: server.authorizations)
    }

    @Test func `sends each detection once to a server that takes them`() async throws {
        let outcome = try await play([])

        #expect(outcome.ending == .finished)
        #expect(outcome.tally.made == 4)
        #expect(outcome.tally.sent == 4)
        #expect(outcome.tally.created == 4)
        #expect(outcome.tally.waiting == 0)
        #expect(outcome.tally.alarms.sorted() == ["square-1", "square-3"])
        #expect(outcome.arrivals.values.allSatisfy { $0 == 1 })
        #expect(outcome.authorizations == ["Bearer secret"])
    }

    @Test func `sends the very same again when the server was too busy`() async throws {
        let outcome = try await play([
            .answer(503, code: "server.overloaded", fields: [("retry-after", "0")]),
            .answer(503, code: "server.overloaded"),
        ])

        #expect(outcome.ending == .finished)
        #expect(outcome.tally.created == 4)
        #expect(outcome.tally.resends == 2)
        #expect(outcome.tally.absences == 1)
        #expect(outcome.arrivals.count == 4)
        #expect(outcome.arrivals.values.max() == 3)
    }

    @Test func `takes duplicate for an arrival whose answer was lost`() async throws {
        let outcome = try await play([.takeAndAnswer(500)])

        #expect(outcome.ending == .finished)
        #expect(outcome.tally.duplicates >= 1)
        #expect(outcome.tally.created + outcome.tally.duplicates == 4)
        #expect(outcome.arrivals.count == 4)
    }

    @Test func `counts what is refused, by code`() async throws {
        let outcome = try await play([.refuse(code: "detection.pattern-not-permitted")])

        #expect(outcome.ending == .finished)
        #expect(outcome.tally.refused >= 1)
        #expect(outcome.tally.created + outcome.tally.refused == 4)
        #expect(outcome.tally.refusals.keys.sorted() == ["detection.pattern-not-permitted"])
    }

    @Test func `fails when sending again would not help`() async throws {
        let outcome = try await play([.answer(401, code: "token.invalid")])

        #expect(outcome.ending == .failed("401, token.invalid"))
        #expect(outcome.tally.created == 0)
        #expect(outcome.tally.waiting == outcome.tally.made)
    }

    @Test func `fails when the server is away for longer than it has patience`() async throws {
        let away = Array(
            repeating: ScriptedServer.Line.answer(
                503, code: "database.unavailable", fields: [("retry-after", "0")]), count: 10_000)

        let outcome = try await play(away, patience: .milliseconds(50))

        guard case .failed(let reason) = outcome.ending else {
            Issue.record("it did not fail")
            return
        }
        #expect(reason.contains("database.unavailable"))
    }

    @Test func `makes nothing more once it is stopped`() async throws {
        let outcome = try await play([], stopsAtOnce: true)

        #expect(outcome.ending == .stopped)
        #expect(outcome.tally.made == 0)
    }
}
