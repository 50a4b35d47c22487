import Replay
import Testing

@Suite struct `A timeline` {
    @Test func `begins with the first detection and reports twice a second, both ends included`()
        throws
    {
        let timeline = Timeline(try Scenario(json: SmallScenario.bytes()))

        // The fight begins 2 s into a recording that began 1.5 s before the evening, the robbery
        // 1 s into one that began 0.25 s after it.
        #expect(
            timeline.moments.map { "\($0.offset / .milliseconds(1)) \($0.camera) \($0.frame)" } == [
                "0.0 0 61", "500.0 0 76", "750.0 2 31", "1000.0 0 91",
            ])
        #expect(timeline.moments.map(\.pattern) == [.fighting, .fighting, .robbery, .fighting])
        #expect(timeline.duration == .seconds(1))
    }

    @Test func `leaves out what no node reports`() throws {
        let timeline = Timeline(try Scenario(json: SmallScenario.bytes()))

        #expect(timeline.incidentCount == 2)
        #expect(timeline.cameraCount == 2)
        #expect(!timeline.moments.contains { $0.annotatedClass == "Arson" })
    }

    @Test func `reports an incident of one frame once`() throws {
        let scenario = try Scenario(
            json: SmallScenario.bytes(replacing: "[31, 45]", with: "[31, 31]"))

        #expect(Timeline(scenario).moments.filter { $0.camera == 2 }.map(\.frame) == [31])
    }
}
