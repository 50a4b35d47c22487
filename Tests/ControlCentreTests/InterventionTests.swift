import ControlCentre
import Testing

private let dispatched = Intervention(dispatchedAt: at(0))

extension Intervention.Arrival {
    fileprivate static func keyed(_ second: Int) -> Intervention.Arrival {
        Intervention.Arrival(at: ControlCentreTests.at(second), source: .keyed)
    }
}

extension Intervention {
    fileprivate mutating func apply(_ step: InterventionStep) -> InterventionRefusal? {
        apply(step, at: at(100_000))
    }
}

@Suite struct `An intervention` {
    @Test func `arrives once, at the time that is told`() {
        var intervention = dispatched

        #expect(intervention.apply(.arrive(.keyed(90), isExplained: false)) == nil)
        #expect(intervention.status == .arrived)
        #expect(intervention.arrival == .keyed(90))
        let again = intervention.apply(.arrive(.keyed(95), isExplained: false))
        #expect(again == .alreadyArrived(at: at(90)))
        #expect(intervention.arrival == .keyed(90))
    }

    @Test func `does not arrive before it was dispatched`() {
        var intervention = dispatched

        #expect(
            intervention.apply(.arrive(.keyed(-1), isExplained: true))
                == .arrivedBeforeDispatched(dispatchedAt: at(0)))
        #expect(intervention == dispatched)
        #expect(intervention.apply(.arrive(.keyed(0), isExplained: false)) == nil)
    }

    @Test(arguments: [(21_600, false, true), (21_601, false, false), (21_601, true, true)])
    func `that arrives after more than six hours needs a reason`(
        second: Int, isExplained: Bool, isTaken: Bool
    ) {
        var intervention = dispatched

        let refusal = intervention.apply(.arrive(.keyed(second), isExplained: isExplained))

        #expect(refusal == (isTaken ? nil : .arrivalUnexplained(dispatchedAt: at(0))))
    }

    @Test func `lies at most a minute in the future`() {
        var intervention = dispatched
        let arrival = InterventionStep.arrive(.keyed(161), isExplained: true)

        #expect(intervention.apply(arrival, at: at(100)) == .arrivedInFuture)
        #expect(intervention.apply(arrival, at: at(101)) == nil)
        #expect(
            Intervention.refusal(dispatchedAt: at(161), recognisedAt: at(0), at: at(100))
                == .dispatchedInFuture)
    }

    @Test func `is not dispatched before anybody knew`() {
        #expect(
            Intervention.refusal(dispatchedAt: at(9), recognisedAt: at(10), at: at(100))
                == .dispatchedBeforeRecognised(recognisedAt: at(10)))
        #expect(
            Intervention.refusal(dispatchedAt: at(10), recognisedAt: at(10), at: at(100)) == nil)
    }

    @Test(arguments: [InterventionStep.complete, .cancel])
    func `that is over takes no step`(end: InterventionStep) {
        var intervention = dispatched
        #expect(intervention.apply(end, at: at(60)) == nil)
        let over = intervention

        let expected: InterventionRefusal =
            end == .complete ? .alreadyCompleted(at: at(60)) : .alreadyCancelled(at: at(60))
        for step in [.complete, .cancel, InterventionStep.arrive(.keyed(70), isExplained: true)] {
            #expect(intervention.apply(step) == expected)
        }
        #expect(intervention == over)
    }

    @Test func `is corrected even when it is over`() {
        var intervention = dispatched
        _ = intervention.apply(.arrive(.keyed(90), isExplained: false))
        _ = intervention.apply(.complete, at: at(600))

        let refusal = intervention.correct(
            dispatchedAt: at(5), arrival: .some(.keyed(80)), recognisedAt: at(0), at: at(1_000))

        #expect(refusal == nil)
        #expect(intervention.status == .completed(at: at(600)))
        #expect((intervention.dispatchedAt, intervention.arrival) == (at(5), .keyed(80)))
    }

    @Test func `whose arrival is taken back is only dispatched again`() {
        var intervention = dispatched
        _ = intervention.apply(.arrive(.keyed(90), isExplained: false))

        let refusal = intervention.correct(
            dispatchedAt: nil, arrival: .some(nil), recognisedAt: at(0), at: at(1_000))

        #expect(refusal == nil)
        #expect(intervention == dispatched)
    }

    @Test func `keeps its times in order through a correction`() {
        var intervention = dispatched
        _ = intervention.apply(.arrive(.keyed(90), isExplained: false))
        let before = intervention

        #expect(
            intervention.correct(
                dispatchedAt: at(91), arrival: nil, recognisedAt: at(0), at: at(1_000))
                == .arrivedBeforeDispatched(dispatchedAt: at(91)))
        #expect(
            intervention.correct(
                dispatchedAt: at(0), arrival: nil, recognisedAt: at(1), at: at(1_000))
                == .dispatchedBeforeRecognised(recognisedAt: at(1)))
        #expect(intervention == before)
    }

    @Test(arguments: UInt64(1)...20)
    func `never reaches a state that its times forbid`(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        var intervention = dispatched
        for _ in 0..<200 {
            let before = intervention
            let now = at(Int.random(in: 0...50_000, using: &generator))
            let arrival = Intervention.Arrival.keyed(
                Int.random(in: -100...50_000, using: &generator))
            let refusal: InterventionRefusal? =
                switch Int.random(in: 0..<10, using: &generator) {
                case 0: intervention.apply(.complete, at: now)
                case 1: intervention.apply(.cancel, at: now)
                case 2...5:
                    intervention.apply(
                        .arrive(arrival, isExplained: Bool.random(using: &generator)), at: now)
                default:
                    intervention.correct(
                        dispatchedAt: at(Int.random(in: -100...50_000, using: &generator)),
                        arrival: Bool.random(using: &generator) ? .some(arrival) : .some(nil),
                        recognisedAt: at(0), at: now)
                }
            if refusal != nil { #expect(intervention == before) }
            #expect(intervention.dispatchedAt >= at(0))
            if let arrival = intervention.arrival {
                #expect(arrival.at >= intervention.dispatchedAt)
            }
            switch intervention.status {
            case .dispatched: #expect(intervention.arrival == nil)
            case .arrived: #expect(intervention.arrival != nil)
            case .completed, .cancelled: break
            }
        }
    }
}
