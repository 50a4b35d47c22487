import ControlCentre
import Testing

private let anna = ActorID("anna")
private let bela = ActorID("bela")

private let new = AlarmHandling()
private let acknowledged = AlarmHandling(handling: .acknowledged(by: anna, at: at(0)))
private let closed = AlarmHandling(handling: .closed(by: anna, at: at(0)))

extension AlarmHandling {
    /// Takes a step as an observer at a second after noon.
    fileprivate mutating func apply(
        _ step: AlarmStep, by actor: ActorID, at second: Int = 60
    ) -> StepOutcome {
        apply(step, by: actor, as: .observer, at: ControlCentreTests.at(second))
    }
}

@Suite struct `Handling an alarm` {
    // Acknowledging and releasing

    @Test func `acknowledging a new alarm gives it to the observer`() {
        var alarm = new

        #expect(alarm.apply(.acknowledge, by: anna) == .changed)
        #expect(alarm.handling == .acknowledged(by: anna, at: at(60)))
    }

    @Test func `acknowledging it again changes nothing, not even the time`() {
        var alarm = acknowledged

        #expect(alarm.apply(.acknowledge, by: anna) == .unchanged)
        #expect(alarm == acknowledged)
    }

    @Test func `acknowledging what another has is refused with holder and time`() {
        var alarm = acknowledged

        let outcome = alarm.apply(.acknowledge, by: bela)

        #expect(outcome == .refused(.acknowledgedBy(anna, since: at(0))))
        #expect(alarm == acknowledged)
    }

    @Test func `the holder releases it`() {
        var alarm = acknowledged

        #expect(alarm.apply(.release, by: anna) == .changed)
        #expect(alarm == new)
    }

    @Test func `another observer cannot release it`() {
        var alarm = acknowledged

        let outcome = alarm.apply(.release, by: bela)

        #expect(outcome == .refused(.acknowledgedBy(anna, since: at(0))))
        #expect(alarm == acknowledged)
    }

    @Test func `a shift supervisor releases it for the holder`() {
        var alarm = acknowledged

        let outcome = alarm.apply(.release, by: bela, as: .shiftSupervisor, at: at(60))

        #expect(outcome == .changed)
        #expect(alarm == new)
    }

    @Test func `what nobody has cannot be released`() {
        var alarm = new

        #expect(alarm.apply(.release, by: anna) == .refused(.notAcknowledged))
        #expect(alarm == new)
    }

    // Verdicts

    @Test(arguments: [new, acknowledged])
    func `a verdict needs no acknowledgement and closes nothing`(state: AlarmHandling) {
        var alarm = state

        #expect(alarm.apply(.confirm(), by: bela) == .changed)
        #expect(alarm.judgement == Judgement(verdict: .confirmed, by: bela, at: at(60)))
        #expect(alarm.handling == state.handling)
    }

    @Test func `a dismissal keeps its reason and its note`() {
        var alarm = new

        #expect(alarm.apply(.dismiss(.sport, note: "rugby"), by: bela) == .changed)
        #expect(
            alarm.judgement
                == Judgement(verdict: .dismissed(.sport), note: "rugby", by: bela, at: at(60)))
    }

    @Test(arguments: [
        AlarmStep.confirm(), .dismiss(.play, note: nil), .dismiss(.play, note: "tag"),
    ])
    func `the same verdict by the same observer changes nothing, not even the time`(
        step: AlarmStep
    ) {
        var alarm = new
        _ = alarm.apply(step, by: anna, at: 0)
        let before = alarm

        #expect(alarm.apply(step, by: anna, at: 60) == .unchanged)
        #expect(alarm == before)
    }

    @Test func `a repeated dismissal without its note changes nothing`() {
        var alarm = new
        _ = alarm.apply(.dismiss(.play, note: "tag"), by: anna)

        #expect(alarm.apply(.dismiss(.play, note: nil), by: anna) == .unchanged)
    }

    @Test(arguments: [
        (AlarmStep.confirm(), bela), (.dismiss(.crowd, note: "tag"), anna),
        (.dismiss(.play, note: "another"), anna), (.dismiss(.play, note: "tag"), bela),
    ])
    func `any other verdict becomes the current one`(step: AlarmStep, observer: ActorID) {
        var alarm = new
        _ = alarm.apply(.dismiss(.play, note: "tag"), by: anna, at: 0)

        #expect(alarm.apply(step, by: observer, at: 60) == .changed)
        #expect(alarm.judgement?.by == observer)
        #expect(alarm.judgement?.at == at(60))
    }

    @Test func `a verdict repeated after another's is given again`() {
        var alarm = new
        _ = alarm.apply(.confirm(), by: anna)
        _ = alarm.apply(.dismiss(.play, note: nil), by: bela)

        #expect(alarm.apply(.confirm(), by: anna) == .changed)
        #expect(alarm.judgement?.verdict == .confirmed)
    }

    // Comments

    @Test(arguments: [new, acknowledged, closed])
    func `a comment is always taken and moves nothing`(state: AlarmHandling) {
        var alarm = state

        #expect(alarm.apply(.comment(text: "seen before"), by: bela) == .changed)
        #expect(alarm.apply(.comment(text: "seen before"), by: bela) == .changed)
        #expect(alarm == state)
    }

    // Closing and reopening

    @Test(arguments: [new, acknowledged])
    func `any observer closes what is not closed`(state: AlarmHandling) {
        var alarm = state

        #expect(alarm.apply(.close, by: bela) == .changed)
        #expect(alarm.handling == .closed(by: bela, at: at(60)))
    }

    @Test(arguments: [
        AlarmStep.acknowledge, .release, .confirm(), .dismiss(.other, note: nil), .close,
    ])
    func `a closed alarm refuses every other step, saying who closed it and when`(
        step: AlarmStep
    ) {
        var alarm = closed

        let refusal = StepOutcome.refused(.alreadyClosed(by: anna, at: at(0)))

        #expect(alarm.apply(step, by: anna) == refusal)
        #expect(alarm.apply(step, by: bela, as: .shiftSupervisor, at: at(60)) == refusal)
        #expect(alarm == closed)
    }

    @Test func `reopening makes it new and keeps the verdict`() {
        let judgement = Judgement(verdict: .confirmed, by: anna, at: at(0))
        var alarm = AlarmHandling(handling: .closed(by: anna, at: at(0)), judgement: judgement)

        #expect(alarm.apply(.reopen, by: bela) == .changed)
        #expect(alarm == AlarmHandling(handling: .new, judgement: judgement))
    }

    @Test(arguments: [new, acknowledged])
    func `what is not closed cannot be reopened`(state: AlarmHandling) {
        var alarm = state

        #expect(alarm.apply(.reopen, by: anna) == .refused(.notClosed(state.handling)))
        #expect(alarm == state)
    }

    // Random walks

    @Test(arguments: UInt64(1)...40)
    func `no walk of steps reaches a forbidden state`(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        let steps: [AlarmStep] = [
            .acknowledge, .release, .confirm(), .dismiss(.play, note: nil),
            .dismiss(.other, note: "a note"), .comment(text: "a comment"), .close, .reopen,
        ]
        let actors = [anna, bela, ActorID("cem")]
        var alarm = AlarmHandling()
        for second in 0..<300 {
            let before = alarm
            let step = steps.randomElement(using: &generator) ?? .close
            let actor = actors.randomElement(using: &generator) ?? anna
            let role: Role = Bool.random(using: &generator) ? .observer : .shiftSupervisor

            let outcome = alarm.apply(step, by: actor, as: role, at: at(second))

            switch outcome {
            case .changed:
                if case .comment = step {
                    #expect(alarm == before)
                } else {
                    #expect(alarm != before)
                }
            case .unchanged:
                #expect(alarm == before)
            case .refused(let refusal):
                #expect(alarm == before)
                #expect(refusal.handling == before.handling)
            }
            if alarm.handling != before.handling {
                #expect(Self.isAllowed(from: before.handling, to: alarm.handling))
                #expect(alarm.judgement == before.judgement)
                #expect(alarm.handling == .new || alarm.handling.holder == actor)
                #expect(alarm.handling == .new || alarm.handling.since == at(second))
            }
            if alarm.judgement != before.judgement {
                #expect(alarm.judgement?.by == actor)
            }
            #expect(alarm.suppression == .none)
        }
    }

    private static func isAllowed(from: Handling, to: Handling) -> Bool {
        switch (from, to) {
        case (.new, .acknowledged), (.new, .closed), (.acknowledged, .new),
            (.acknowledged, .closed), (.closed, .new):
            true
        default:
            false
        }
    }
}
