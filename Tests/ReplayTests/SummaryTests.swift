import ControlCentre
import JSON
import Replay
import Testing

@Suite struct `A replay's summary` {
    private func summary(_ tally: Tally, _ ending: Playback.Ending) throws -> Summary {
        Summary(
            site: try #require(SiteID("mannheim")),
            timeline: Timeline(try Scenario(json: SmallScenario.bytes())), speed: 60, tally: tally,
            ending: ending, elapsed: .milliseconds(9_270))
    }

    @Test func `tells a person what happened`() throws {
        let summary = try summary(Tally(), .finished)

        #expect(
            summary.text == """
                replayed mannheim: 2 incidents of 2 cameras, in 9.3 s at speed 60
                detections: 0 sent, 0 created, 0 duplicates, 0 refused, 0 lost
                alarms: 0
                """)
        #expect(summary.isComplete)
    }

    @Test func `tells a program the same`() throws {
        let json = try JSON.parse(try summary(Tally(), .failed("401")).json)

        #expect(json["ending"] == .string("failed"))
        #expect(json["reason"] == .string("401"))
        #expect(json["scheduled"] == .integer(4))
        #expect(json["alarms"] == .array([]))
    }

    @Test func `is not complete after a failure`() throws {
        #expect(try summary(Tally(), .failed("401")).isComplete == false)
    }
}
