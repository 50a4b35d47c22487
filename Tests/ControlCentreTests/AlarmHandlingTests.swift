import ControlCentre
import Testing

private let anna = ActorID("anna")
private let bela = ActorID("bela")
private let cem = ActorID("cem")

private let new = AlarmHandling()
private let acknowledged = AlarmHandling(handling: .acknowledged(by: anna, at: at(0)))
private let closed = AlarmHandling(handling: .closed(by: anna, at: at(0)))
private let assigned = AlarmHandling(
    assignment: Assignment(position: "Platz 1", by: anna, at: at(0)))

/// A shelving of that number, begun a minute after noon.
private func shelving(_ number: UInt64, by actor: ActorID, until second: Int) -> Shelving {
    Shelving(
        id: ShelvingID(UUID(high: 0, low: number)), by: actor, at: at(60), until: at(second))
}

private func shelve(_ number: UInt64, until second: Int) -> AlarmStep {
    .shelve(ShelvingID(UUID(high: 0, low: number)), until: at(second), reason: "rain")
}

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

        #expect(alarm.apply(.close(), by: bela) == .changed)
        #expect(alarm.handling == .closed(by: bela, at: at(60)))
    }

    @Test(arguments: [
        AlarmStep.acknowledge, .release, .takeOver(from: anna),
        .assign(position: "Platz 1", from: nil), .confirm(), .dismiss(.other, note: nil),
        shelve(1, until: 600), .unshelve(), .close(),
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

        #expect(alarm.apply(.reopen(), by: bela) == .changed)
        #expect(alarm == AlarmHandling(handling: .new, judgement: judgement))
    }

    @Test(arguments: [new, acknowledged])
    func `what is not closed cannot be reopened`(state: AlarmHandling) {
        var alarm = state

        #expect(alarm.apply(.reopen(), by: anna) == .refused(.notClosed(state.handling)))
        #expect(alarm == state)
    }

    // Taking over

    @Test func `taking over gives it to the observer and keeps from whom`() {
        var alarm = acknowledged

        #expect(alarm.apply(.takeOver(from: nil), by: bela) == .changed)
        #expect(alarm.handling == .acknowledged(by: bela, at: at(60)))
        #expect(alarm.takenOverFrom == anna)
    }

    @Test func `taking over what one has changes nothing`() {
        var alarm = acknowledged

        #expect(alarm.apply(.takeOver(from: nil), by: anna) == .unchanged)
        #expect(alarm == acknowledged)
    }

    @Test func `what nobody has cannot be taken over`() {
        var alarm = new

        #expect(alarm.apply(.takeOver(from: nil), by: anna) == .refused(.notAcknowledged))
        #expect(alarm == new)
    }

    @Test(arguments: [nil, anna] as [ActorID?])
    func `of two who take over at once the second is refused`(former: ActorID?) {
        var alarm = acknowledged
        _ = alarm.apply(.takeOver(from: former), by: bela, at: 10)
        let before = alarm

        let outcome = alarm.apply(.takeOver(from: former), by: cem, at: 10)

        #expect(outcome == .refused(.acknowledgedBy(bela, since: at(10))))
        #expect(alarm == before)
    }

    @Test func `what was taken over is taken over again from the one named`() {
        var alarm = acknowledged
        _ = alarm.apply(.takeOver(from: nil), by: bela)

        #expect(alarm.apply(.takeOver(from: bela), by: anna) == .changed)
        #expect(alarm.takenOverFrom == bela)
    }

    @Test(arguments: [AlarmStep.release, .close()])
    func `who gives it up leaves nobody from whom it was taken over`(step: AlarmStep) {
        var alarm = acknowledged
        _ = alarm.apply(.takeOver(from: nil), by: bela)

        #expect(alarm.apply(step, by: bela) == .changed)
        #expect(alarm.takenOverFrom == nil)
    }

    // Assigning

    @Test(arguments: [new, acknowledged])
    func `assigning says which position, and gives it to nobody`(state: AlarmHandling) {
        var alarm = state

        #expect(alarm.apply(.assign(position: "Platz 1", from: nil), by: bela) == .changed)
        #expect(alarm.assignment == Assignment(position: "Platz 1", by: bela, at: at(60)))
        #expect(alarm.handling == state.handling)
    }

    @Test(arguments: [nil, "Platz 1", "Platz 2"] as [String?])
    func `assigning it where it is changes nothing`(former: String?) {
        var alarm = assigned

        #expect(alarm.apply(.assign(position: "Platz 1", from: former), by: bela) == .unchanged)
        #expect(alarm == assigned)
    }

    @Test(arguments: [Role.observer, .shiftSupervisor])
    func `of two who assign to different positions at once the second is refused`(role: Role) {
        var alarm = assigned

        let outcome = alarm.apply(
            .assign(position: "Platz 2", from: nil), by: bela, as: role, at: at(0))

        let winner = Assignment(position: "Platz 1", by: anna, at: at(0))
        #expect(outcome == .refused(.assignedElsewhere(winner)))
        #expect(alarm == assigned)
    }

    @Test(arguments: [(anna, nil as String?), (anna, "Platz 1"), (bela, "Platz 1")])
    func `it moves on for whoever assigned it, or knows where it is`(
        actor: ActorID, former: String?
    ) {
        var alarm = assigned

        #expect(alarm.apply(.assign(position: "Platz 2", from: former), by: actor) == .changed)
        #expect(alarm.assignment == Assignment(position: "Platz 2", by: actor, at: at(60)))
    }

    @Test func `what is assigned to no position cannot be moved from one`() {
        var alarm = new

        let outcome = alarm.apply(.assign(position: "Platz 2", from: "Platz 1"), by: anna)

        #expect(outcome == .refused(.notAssigned))
        #expect(alarm == new)
    }

    @Test(arguments: [AlarmStep.acknowledge, .close()])
    func `it stays assigned whatever else is done`(step: AlarmStep) {
        var alarm = assigned

        #expect(alarm.apply(step, by: bela) == .changed)
        #expect(alarm.assignment == assigned.assignment)
    }

    // Shelving

    @Test(arguments: [new, acknowledged])
    func `shelving puts it aside until its end, whoever has it`(state: AlarmHandling) {
        var alarm = state

        #expect(alarm.apply(shelve(1, until: 600), by: bela) == .changed)
        #expect(alarm.shelving == shelving(1, by: bela, until: 600))
        #expect(alarm.suppression == .shelved)
        #expect(alarm.handling == state.handling)
    }

    @Test(arguments: [600, 599])
    func `shelving it for no longer than it is anyway changes nothing`(end: Int) {
        var alarm = new
        _ = alarm.apply(shelve(1, until: 600), by: anna)
        let before = alarm

        #expect(alarm.apply(shelve(2, until: end), by: bela) == .unchanged)
        #expect(alarm == before)
    }

    @Test func `shelving it for longer takes the place of the earlier shelving`() {
        var alarm = new
        _ = alarm.apply(shelve(1, until: 600), by: anna)

        #expect(alarm.apply(shelve(2, until: 601), by: bela) == .changed)
        #expect(alarm.ownShelving == shelving(2, by: bela, until: 601))
    }

    @Test func `unshelving ends it`() {
        var alarm = new
        _ = alarm.apply(shelve(1, until: 600), by: anna)

        #expect(alarm.apply(.unshelve(), by: bela) == .changed)
        #expect(alarm == new)
        #expect(alarm.suppression == .none)
    }

    @Test func `unshelving what is not shelved changes nothing`() {
        var alarm = acknowledged

        #expect(alarm.apply(.unshelve(), by: bela) == .unchanged)
        #expect(alarm == acknowledged)
    }

    @Test func `what is shelved with its camera cannot be unshelved by itself`() {
        let cover = shelving(9, by: anna, until: 600)
        var alarm = AlarmHandling(cover: cover)

        #expect(alarm.shelving == cover)
        #expect(alarm.apply(.unshelve(), by: bela) == .refused(.shelvedWithOthers(cover)))
        #expect(alarm.suppression == .shelved)
    }

    @Test func `after its own shelving it is under that of its camera`() {
        let cover = shelving(9, by: anna, until: 600)
        var alarm = AlarmHandling(cover: cover)

        #expect(alarm.apply(shelve(1, until: 600), by: bela) == .unchanged)
        #expect(alarm.apply(shelve(1, until: 700), by: bela) == .changed)
        #expect(alarm.shelving == shelving(1, by: bela, until: 700))
        #expect(alarm.apply(.unshelve(), by: bela) == .changed)
        #expect(alarm.shelving == cover)
    }

    @Test func `closing ends its shelving, and reopened it is under what covers it then`() {
        let cover = shelving(9, by: anna, until: 600)
        var alarm = AlarmHandling(cover: cover)
        _ = alarm.apply(shelve(1, until: 700), by: bela)

        #expect(alarm.apply(.close(), by: bela) == .changed)
        #expect(alarm.suppression == .none)
        #expect(alarm.ownShelving == nil)
        #expect(alarm.apply(.reopen(), by: bela) == .changed)
        #expect(alarm.shelving == cover)
    }

    // Ringing

    @Test(arguments: [
        (AlarmStep.acknowledge, nil as Annunciation?), (.unshelve(), .anew), (.close(), nil),
        (.confirm(), nil),
    ])
    func `put aside, it rings anew when that ends`(step: AlarmStep, expected: Annunciation?) {
        let before = AlarmHandling(ownShelving: shelving(1, by: anna, until: 600))
        var alarm = before

        _ = alarm.apply(step, by: bela)

        #expect(alarm.annunciation(after: before) == expected)
    }

    @Test func `what somebody has does not ring when its shelving ends, but once given back`() {
        let before = AlarmHandling(
            handling: .acknowledged(by: anna, at: at(0)),
            ownShelving: shelving(1, by: anna, until: 600))
        var unshelved = before
        _ = unshelved.apply(.unshelve(), by: anna)
        var released = unshelved
        _ = released.apply(.release, by: anna)

        #expect(unshelved.annunciation(after: before) == nil)
        #expect(released.annunciation(after: unshelved) == .unlessHeard)
    }

    @Test func `reopened, it rings if nobody has heard it`() {
        var alarm = closed
        _ = alarm.apply(.reopen(), by: bela)

        #expect(alarm.annunciation(after: closed) == .unlessHeard)
    }

    @Test func `given back, reopened or unshelved under another shelving it does not ring`() {
        let cover = shelving(9, by: anna, until: 900)
        let own = shelving(1, by: anna, until: 600)
        for (before, step) in [
            (AlarmHandling(handling: .acknowledged(by: anna, at: at(0)), cover: cover), .release),
            (AlarmHandling(handling: .closed(by: anna, at: at(0)), cover: cover), .reopen()),
            (AlarmHandling(ownShelving: own, cover: cover), .unshelve()),
        ] as [(AlarmHandling, AlarmStep)] {
            var alarm = before

            #expect(alarm.apply(step, by: anna) == .changed)
            #expect(alarm.annunciation(after: before) == nil, "\(step)")
        }
    }

    // Random walks

    @Test(arguments: UInt64(1)...40)
    func `no walk of steps reaches a forbidden state`(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        let actors = [anna, bela, cem]
        let cover = Bool.random(using: &generator) ? shelving(9, by: anna, until: 150) : nil
        var alarm = AlarmHandling(cover: cover)
        for second in 0..<300 {
            let before = alarm
            let step = Self.step(at: second, using: &generator)
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
            case .unchanged, .refused:
                #expect(alarm == before)
            }
            let changedAxes = [
                alarm.handling != before.handling, alarm.assignment != before.assignment,
                alarm.judgement != before.judgement, alarm.ownShelving != before.ownShelving,
            ].count { $0 }
            #expect(changedAxes <= (step == .close() ? 2 : 1))
            if alarm.handling != before.handling {
                #expect(Self.isAllowed(from: before.handling, to: alarm.handling))
                #expect(alarm.handling == .new || alarm.handling.holder == actor)
                #expect(alarm.handling == .new || alarm.handling.since == at(second))
            }
            if alarm.judgement != before.judgement {
                #expect(alarm.judgement?.by == actor)
            }
            if alarm.assignment != before.assignment {
                #expect(alarm.assignment?.by == actor)
                #expect(alarm.assignment?.position != before.assignment?.position)
            }
            if alarm.takenOverFrom != nil {
                #expect(Self.isAcknowledged(alarm.handling))
                #expect(alarm.takenOverFrom != alarm.handling.holder)
            }
            #expect(
                (alarm.annunciation(after: before) != nil) == (alarm.isWaiting && !before.isWaiting)
            )
            if Self.isClosed(alarm.handling) {
                #expect(alarm.suppression == .none && alarm.ownShelving == nil)
            } else if let cover {
                #expect(alarm.shelving.map { $0.until >= cover.until } == true)
            }
        }
    }

    private static func step(at second: Int, using generator: inout SplitMix64) -> AlarmStep {
        let positions: [String?] = ["Platz 1", "Platz 2", nil]
        let actors: [ActorID?] = [anna, bela, nil]
        let steps: [AlarmStep] = [
            .acknowledge, .release, .takeOver(from: actors.randomElement(using: &generator) ?? nil),
            .assign(
                position: Bool.random(using: &generator) ? "Platz 1" : "Platz 2",
                from: positions.randomElement(using: &generator) ?? nil),
            .confirm(), .dismiss(.play, note: nil), .dismiss(.other, note: "a note"),
            .comment(text: "a comment"),
            shelve(UInt64(second) + 10, until: second + Int.random(in: 1...100, using: &generator)),
            .unshelve(), .close(), .reopen(),
        ]
        return steps.randomElement(using: &generator) ?? .close()
    }

    private static func isAcknowledged(_ handling: Handling) -> Bool {
        if case .acknowledged = handling { true } else { false }
    }

    private static func isClosed(_ handling: Handling) -> Bool {
        if case .closed = handling { true } else { false }
    }

    private static func isAllowed(from: Handling, to: Handling) -> Bool {
        switch (from, to) {
        case (.new, .acknowledged), (.new, .closed), (.acknowledged, .acknowledged),
            (.acknowledged, .new), (.acknowledged, .closed), (.closed, .new):
            true
        default:
            false
        }
    }
}
