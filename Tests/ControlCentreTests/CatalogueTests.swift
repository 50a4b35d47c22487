import ControlCentre
import Testing

@Suite struct `The closed lists` {
    @Test func `of patterns are written as the API names them`() {
        #expect(
            BehaviourPattern.allCases.map(\.rawValue) == [
                "lying", "falling", "staggering", "kicking", "hitting", "pushing", "jostling",
                "aggressive_posture", "defensive_posture", "fighting", "robbery", "vandalism",
                "weapon",
            ])
    }

    @Test func `of patterns that a new site permits leave out what indicates no offence`() {
        let refused = BehaviourPattern.allCases.filter {
            !BehaviourPattern.permittedByDefault.contains($0)
        }

        #expect(refused == [.lying, .falling, .staggering])
    }

    @Test func `of modes, priorities, reasons, roles and conditions are written likewise`() {
        #expect(
            OperatingMode.allCases.map(\.rawValue)
                == ["production", "parallel", "exercise", "training"])
        #expect(Priority.allCases.map(\.rawValue) == ["low", "medium", "high"])
        #expect(
            DismissalReason.allCases.map(\.rawValue) == [
                "play", "embrace", "crowd", "sport", "weather", "animal", "technical", "other",
            ])
        #expect(
            Role.allCases.map(\.rawValue) == [
                "node", "observer", "shift_supervisor", "statistician", "auditor",
                "administrator", "monitor",
            ])
        #expect(Condition.allCases.map(\.rawValue) == ["active", "cleared"])
    }

    @Test func `of priorities ascend`() {
        #expect(Priority.low < .medium)
        #expect(Priority.medium < .high)
    }

    @Test func `of a rule's defaults are those of the design`() {
        let rule = CorrelationRule()

        #expect(rule.confidenceMin == 0.5)
        #expect(rule.quiet == .seconds(30))
        #expect(rule.arrivalAllowance == .seconds(60))
        #expect(rule.lateAfter == .seconds(60))
        #expect(rule.retention == .seconds(259_200))
        #expect(rule.futureTolerance == .seconds(300))
        #expect(rule.priority == .medium)
    }
}

@Suite struct `A correlation key` {
    private func key(mode: OperatingMode, modelVersion: String?) throws -> CorrelationKey {
        CorrelationKey(
            site: try #require(SiteID("mannheim")), camera: CameraID(UUID(high: 0, low: 1)),
            pattern: .hitting, mode: mode, modelVersion: modelVersion)
    }

    @Test func `is the same for all model versions in production`() throws {
        #expect(
            try key(mode: .production, modelVersion: "4.1")
                == key(mode: .production, modelVersion: "4.2"))
    }

    @Test(arguments: [OperatingMode.parallel, .exercise, .training])
    func `tells model versions apart in any other mode`(mode: OperatingMode) throws {
        #expect(try key(mode: mode, modelVersion: "4.1") != key(mode: mode, modelVersion: "4.2"))
        #expect(try key(mode: mode, modelVersion: "4.1") != key(mode: mode, modelVersion: nil))
    }

    @Test func `tells modes apart`() throws {
        #expect(
            try key(mode: .production, modelVersion: nil) != key(mode: .parallel, modelVersion: nil)
        )
    }
}
