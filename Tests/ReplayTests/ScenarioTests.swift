import ControlCentre
import Foundation
import JSON
import Replay
import Testing

@Suite struct `A scenario` {
    @Test func `is read whole`() throws {
        let scenario = try Scenario(json: SmallScenario.bytes())

        #expect(scenario.site.id == SiteID("mannheim"))
        #expect(scenario.node.model == "pose-1")
        #expect(scenario.areas.map(\.name) == ["Square"])
        #expect(scenario.cameras.map(\.key) == ["square-1", "square-2", "square-3"])
        #expect(scenario.cameras[0].startsAt == .milliseconds(-1_500))
        #expect(scenario.cameras[0].incidents.map(\.frames) == [61...91, 100...900])
        #expect(
            scenario.cameras[0].incidents.map(\.nature) == [
                .reported(.fighting), .observable(.criminalOffence),
            ])
        #expect(scenario.cameras[1].incidents.isEmpty)
    }

    @Test(arguments: [
        ("scenario/1", "scenario/2", "/format"),
        (#""confidence": 0.9"#, #""confidence": 1.5"#, "/confidence"),
        (
            #""area": "square", "name": "Square 2""#, #""area": "moon", "name": "Square 2""#,
            "/cameras"
        ),
        ("square-2", "square-1", "/cameras"),
        (#""pattern": "robbery""#, #""pattern": "juggling""#, "/cameras/2/incidents/0/pattern"),
        (
            #""pattern": "robbery""#, #""pattern": "robbery", "category": "criminal_offence""#,
            "/cameras/2/incidents/0/pattern"
        ),
        (#", "pattern": "robbery""#, "", "/cameras/2/incidents/0/pattern"),
        ("[31, 45]", "[45, 31]", "/cameras/2/incidents/0/frames"),
        ("[31, 45]", "[0, 45]", "/cameras/2/incidents/0/frames"),
        ("[31, 45]", "[31, 45, 60]", "/cameras/2/incidents/0/frames"),
        (#""starts_at": 0.25,"#, "", "/cameras/2/starts_at"),
        (#""recording": "b.mp4""#, #""recording": "b.mp4", "sound": true"#, "/cameras/1/sound"),
    ])
    func `is refused for what is wrong with it`(part: String, other: String, pointer: String) {
        let error = #expect(throws: ScenarioError.self) {
            try Scenario(json: SmallScenario.bytes(replacing: part, with: other))
        }

        guard case .invalid(let errors)? = error else {
            Issue.record("not invalid")
            return
        }
        #expect(errors.map(\.pointer).contains(pointer))
    }

    @Test func `is refused when it is no JSON`() {
        let error = #expect(throws: ScenarioError.self) { try Scenario(json: Array("{".utf8)) }

        #expect(error?.description.contains("line 1") == true)
    }
}

@Suite struct `The scenario of Mannheim` {
    private let scenario: Scenario

    init() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../deploy/scenarios/mannheim/scenario.json")
        scenario = try Scenario(json: Array(try Data(contentsOf: file)))
    }

    @Test func `has a camera for each of the 290 recordings`() {
        #expect(scenario.cameras.count == 290)
        #expect(Set(scenario.cameras.map(\.recording)).count == 290)
        #expect(scenario.cameras.count { $0.incidents.isEmpty } == 150)
        #expect(scenario.areas.count == 7)
        #expect(scenario.source.contains("WaqasSultani/AnomalyDetectionCVPR2018"))
    }

    @Test func `maps classes to patterns as its source's description does`() {
        let incidents = scenario.cameras.flatMap(\.incidents)
        let natures = Dictionary(
            incidents.map { ($0.annotatedClass, $0.nature) },
            uniquingKeysWith: { known, other in
                #expect(known == other)
                return known
            })

        #expect(
            natures == [
                "Fighting": .reported(.fighting), "Assault": .reported(.hitting),
                "Abuse": .reported(.hitting), "Robbery": .reported(.robbery),
                "Vandalism": .reported(.vandalism), "Shooting": .reported(.weapon),
                "Arrest": .observable(.criminalOffence), "Arson": .observable(.criminalOffence),
                "Burglary": .observable(.criminalOffence),
                "Explosion": .observable(.criminalOffence),
                "Shoplifting": .observable(.criminalOffence),
                "Stealing": .observable(.criminalOffence),
                "RoadAccidents": .observable(.hazardPrevention),
            ])
    }

    @Test func `keeps a recording's interval as annotated`() throws {
        let camera = try #require(
            scenario.cameras.first { $0.recording == "Vandalism028_x264.mp4" })

        #expect(camera.incidents.map(\.frames) == [1830...1980, 2400...2670])
    }

    @Test func `is a busy evening of ten minutes whose incidents overlap`() {
        let timeline = Timeline(scenario)

        #expect(timeline.incidentCount == 49)
        #expect(timeline.cameraCount == 43)
        #expect((Duration.seconds(500)...Duration.seconds(600)).contains(timeline.duration))
        let camerasByMinute = Dictionary(
            grouping: timeline.moments, by: { Int($0.offset / .seconds(60)) }
        ).mapValues { Set($0.map(\.camera)).count }
        #expect(Set(camerasByMinute.keys) == Set(0...9))
        #expect(camerasByMinute.values.count { $0 >= 3 } >= 8)
    }

    @Test func `spreads the classes over the areas`() {
        let eventful = scenario.cameras.filter { camera in
            camera.incidents.contains { if case .reported = $0.nature { true } else { false } }
        }

        #expect(Set(eventful.map(\.area)).count == scenario.areas.count)
    }
}
