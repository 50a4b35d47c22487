import ControlCentre
import Testing

@Suite struct `Correlating detections` {
    private let correlator = Correlator(rule: CorrelationRule())

    // Raising and extending

    @Test func `the first detection raises an alarm`() {
        let decision = correlator.decide([detection(1, at: 0)])

        #expect(decision.outcomes == [.joined(alarm(100))])
        #expect(decision.changes.count == 1)
        #expect(decision.changes.first?.before == nil)
        #expect(decision.changes.first?.events == [.raised])
        #expect(
            decision.changes.first?.after
                == Episode(
                    id: alarm(100), raisedAt: at(0), start: at(0), last: at(0), clearedAt: nil,
                    detectionCount: 1, maxConfidence: 0.9, late: false))
    }

    @Test func `no detections change nothing`() {
        let decision = correlator.decide([], given: [episode(1, from: 0, to: 0)])

        #expect(decision.outcomes.isEmpty)
        #expect(decision.changes.isEmpty)
    }

    @Test(arguments: [10, 40, 130])
    func `a detection within the quiet time of the interval extends the alarm`(second: Int) {
        let before = episode(1, from: 40, to: 100, count: 7)

        let decision = correlator.decide([detection(1, at: second)], given: [before])

        #expect(decision.outcomes == [.joined(alarm(1))])
        #expect(decision.changes.map(\.events) == [[.extended(by: 1)]])
        #expect(decision.changes.first?.before == before)
        let after = decision.changes.first?.after
        #expect(after?.start == at(min(40, second)))
        #expect(after?.last == at(max(100, second)))
        #expect(after?.raisedAt == at(40))
        #expect(after?.detectionCount == 8)
        #expect(after?.maxConfidence == 0.9)
        #expect(after?.condition == .active)
    }

    @Test func `a less sure detection leaves the greatest confidence`() {
        let decision = correlator.decide(
            [detection(1, at: 5, confidence: 0.55)], given: [episode(1, from: 0, to: 0)])

        #expect(decision.changes.first?.after.maxConfidence == 0.6)
    }

    @Test func `a microsecond beyond the quiet time raises another alarm`() {
        let instant = at(30) + .microseconds(1)
        let beyond = CorrelatedDetection(
            id: DetectionID(UUID(high: 0, low: 1)), occurredAt: instant, receivedAt: instant,
            confidence: 0.9)

        let decision = correlator.decide([beyond], given: [episode(1, from: 0, to: 0)])

        #expect(decision.outcomes == [.joined(alarm(100))])
    }

    @Test func `several in a row are one extension`() {
        let decision = correlator.decide([
            detection(3, at: 50), detection(1, at: 0), detection(2, at: 25),
        ])

        #expect(decision.outcomes == Array(repeating: .joined(alarm(100)), count: 3))
        #expect(decision.changes.map(\.events) == [[.raised, .extended(by: 2)]])
        #expect(decision.changes.first?.after.detectionCount == 3)
        #expect(decision.changes.first?.after.last == at(50))
    }

    @Test func `a chain that grows over a later cleared episode leaves that episode alone`() {
        let earlier = episode(1, from: 0, to: 0, clearedAt: 30)
        let later = episode(2, from: 80, to: 80, clearedAt: 110)

        let decision = correlator.decide(
            [
                detection(1, at: 25), detection(2, at: 50), detection(3, at: 75),
                detection(4, at: 85, receivedAt: 300),
            ],
            given: [earlier, later])

        #expect(decision.outcomes == Array(repeating: .joined(alarm(1)), count: 4))
        #expect(decision.changes.map(\.after.id) == [alarm(1)])
        #expect(decision.changes.first?.after.last == at(85))
    }

    @Test func `episodes never merge, even when their intervals come to overlap`() {
        let earlier = episode(1, from: 0, to: 20, clearedAt: 50)
        let later = episode(2, from: 55, to: 55, clearedAt: 85)

        let decision = correlator.decide(
            [detection(1, at: 45), detection(2, at: 60, receivedAt: 300)],
            given: [earlier, later])

        #expect(decision.changes.map(\.after.id) == [alarm(1)])
        #expect(decision.changes.first?.after.last == at(60))
    }

    @Test func `at one instant the lesser id comes first`() {
        let decision = correlator.decide([
            detection(2, at: 0, receivedAt: 10), detection(1, at: 0, receivedAt: 300),
        ])

        #expect(decision.changes.map(\.events) == [[.lateBorn], [.raised]])
    }

    @Test func `one id at two times of occurrence is two detections in the order of these`() {
        let late = detection(1, at: 0, receivedAt: 300)
        let ahead = detection(1, at: 10, receivedAt: 0)

        let decision = correlator.decide([late, ahead])

        #expect(decision.changes.map(\.events) == [[.lateBorn], [.raised]])
        #expect(decision.changes == correlator.decide([ahead, late]).changes)
    }

    // Which episode a timely detection joins

    @Test(arguments: [40, 41, 70])
    func `an active alarm that has started is extended, though a cleared one starts first`(
        second: Int
    ) {
        let cleared = episode(1, from: 0, to: 45, clearedAt: 75)
        let active = episode(2, from: 40, to: 40)
        let bornLate = episode(3, from: 75, to: 75, clearedAt: 105, late: true)

        let decision = correlator.decide(
            [detection(1, at: second)], given: [cleared, active, bornLate])

        #expect(decision.outcomes == [.joined(alarm(2))])
    }

    @Test func `an active alarm is not starved by a cleared one that was stretched over it`() {
        let stretched = episode(1, from: -60, to: 100, clearedAt: 130)
        let active = episode(2, from: 0, to: 0)

        let decision = correlator.decide(
            [20, 40, 60, 80].map { detection($0, at: $0) }, given: [stretched, active])

        #expect(decision.outcomes == Array(repeating: .joined(alarm(2)), count: 4))
        #expect(decision.changes.map(\.events) == [[.extended(by: 4)]])
        #expect(decision.changes.first?.after.condition == .active)
    }

    @Test func `between a cleared alarm and an active one the cleared one is extended`() {
        let cleared = episode(2, from: 0, to: 0, clearedAt: 30)
        let active = episode(1, from: 50, to: 50)

        let decision = correlator.decide([detection(1, at: 25)], given: [active, cleared])

        #expect(decision.outcomes == [.joined(alarm(2))])
        #expect(decision.changes.map(\.events) == [[.extended(by: 1)]])
        #expect(decision.changes.first?.after.last == at(25))
    }

    @Test(arguments: [35, 45])
    func `before a cleared alarm and an active one the first of them is extended`(start: Int) {
        let cleared = episode(1, from: start, to: start, clearedAt: start + 30)
        let active = episode(2, from: 40, to: 40)

        let decision = correlator.decide([detection(1, at: 20)], given: [cleared, active])

        #expect(decision.outcomes == [.joined(alarm(start < 40 ? 1 : 2))])
        #expect(decision.changes.first?.after.start == at(20))
    }

    @Test func `of two that start together the one with the lesser id is extended`() {
        let decision = correlator.decide(
            [detection(1, at: -5)],
            given: [episode(2, from: 0, to: 0), episode(1, from: 0, to: 0, clearedAt: 30)])

        #expect(decision.outcomes == [.joined(alarm(1))])
    }

    @Test(arguments: [0, 25, 30])
    func `after which nothing starts it rings, though a cleared alarm is in reach`(second: Int) {
        let cleared = episode(1, from: 0, to: 0, clearedAt: 30)

        let decision = correlator.decide([detection(1, at: second)], given: [cleared])

        #expect(decision.outcomes == [.joined(alarm(100))])
        #expect(decision.changes.map(\.events) == [[.raised]])
        #expect(decision.changes.first?.after.condition == .active)
    }

    @Test(arguments: [
        episode(2, from: 26, to: 26), episode(2, from: 26, to: 26, clearedAt: 56),
        episode(2, from: 26, to: 26, clearedAt: 56, late: true), episode(2, from: 900, to: 900),
        episode(2, from: 900, to: 900, clearedAt: 930),
        episode(2, from: 900, to: 900, clearedAt: 930, late: true),
    ])
    func `after which any episode starts it belongs to the past and joins a cleared alarm`(
        later: Episode
    ) {
        let cleared = episode(1, from: 0, to: 0, clearedAt: 30)

        let decision = correlator.decide([detection(1, at: 25)], given: [cleared, later])

        #expect(decision.outcomes == [.joined(alarm(1))])
        #expect(decision.changes.map(\.events) == [[.extended(by: 1)]])
        #expect(decision.changes.first?.after.condition == .cleared)
    }

    @Test func `a cleared alarm that was drawn ahead of it no longer starts after it`() {
        let decision = correlator.decide(
            [detection(1, at: 0, receivedAt: 300), detection(2, at: 10)],
            given: [episode(1, from: 20, to: 20, clearedAt: 50)])

        #expect(decision.outcomes == [.joined(alarm(1)), .joined(alarm(100))])
        #expect(decision.changes.map(\.events) == [[.extended(by: 1)], [.raised]])
    }

    @Test func `one raised beside a cleared alarm leaves to that what comes late`() {
        let decision = correlator.decide(
            [
                detection(1, at: 0), detection(2, at: 25), detection(3, at: 31),
                detection(4, at: 35, receivedAt: 300), detection(5, at: 40),
            ],
            given: [episode(1, from: 31, to: 31, clearedAt: 61, late: true)])

        #expect(
            decision.outcomes
                == [100, 100, 101, 100, 101].map { DetectionOutcome.joined(alarm($0)) })
        #expect(
            decision.changes.map(\.events) == [
                [.raised, .cleared, .extended(by: 2)], [.raised, .extended(by: 1)],
            ])
        #expect(decision.changes.map(\.after.condition) == [.cleared, .active])
    }

    // The instant at which a detection counts

    @Test func `a node whose clock is ahead counts at the time of receipt`() {
        let decision = correlator.decide([detection(1, at: 200, receivedAt: 0)])

        #expect(decision.changes.first?.after.raisedAt == at(0))
        #expect(decision.changes.first?.after.last == at(0))
        #expect(decision.changes.map(\.events) == [[.raised]])
    }

    // What touches no episode

    @Test(arguments: [0.0, 0.2, 0.4999])
    func `a detection below the threshold touches nothing`(confidence: Double) {
        let decision = correlator.decide(
            [
                detection(1, at: 10, confidence: confidence),
                detection(2, at: 500, confidence: confidence),
            ],
            given: [episode(1, from: 0, to: 0)])

        #expect(decision.outcomes == [.belowThreshold, .belowThreshold])
        #expect(decision.changes.isEmpty)
    }

    @Test func `a detection at the threshold counts`() {
        let decision = correlator.decide([detection(1, at: 0, confidence: 0.5)])

        #expect(decision.outcomes == [.joined(alarm(100))])
    }

    @Test func `a detection older than the retention period is only counted`() {
        let receipt = 72 * 3_600 + 1

        let decision = correlator.decide(
            [detection(1, at: 0, receivedAt: receipt)], given: [episode(1, from: 0, to: 0)])

        #expect(decision.outcomes == [.countedOnly])
        #expect(decision.changes.isEmpty)
    }

    @Test func `one as old as the retention period still opens an alarm`() {
        let decision = correlator.decide([detection(1, at: 0, receivedAt: 72 * 3_600)])

        #expect(decision.changes.map(\.events) == [[.lateBorn]])
    }

    @Test func `the retention period is looked at before the threshold`() {
        let decision = correlator.decide([
            detection(1, at: 0, receivedAt: 300_000, confidence: 0.1)
        ])

        #expect(decision.outcomes == [.countedOnly])
    }

    @Test func `the first instant of all is only counted and traps nothing`() {
        let first = CorrelatedDetection(
            id: DetectionID(UUID(high: 0, low: 1)), occurredAt: .earliest, receivedAt: at(0),
            confidence: 1)

        #expect(correlator.decide([first]).outcomes == [.countedOnly])
        #expect(correlator.searchWindow(for: [first]) == nil)
    }

    // Late detections

    @Test func `a late detection opens an alarm that is born cleared`() {
        let decision = correlator.decide([detection(1, at: 0, receivedAt: 61)])

        #expect(decision.outcomes == [.joined(alarm(100))])
        #expect(decision.changes.map(\.events) == [[.lateBorn]])
        #expect(
            decision.changes.first?.after
                == Episode(
                    id: alarm(100), raisedAt: at(0), start: at(0), last: at(0), clearedAt: at(30),
                    detectionCount: 1, maxConfidence: 0.9, late: true))
    }

    @Test func `a detection of sixty seconds is not late yet`() {
        let decision = correlator.decide([detection(1, at: 0, receivedAt: 60)])

        #expect(decision.changes.map(\.events) == [[.raised]])
    }

    @Test func `a late detection joins the episode that it falls into`() {
        let decision = correlator.decide(
            [detection(1, at: 20, receivedAt: 600)],
            given: [episode(1, from: 0, to: 0, clearedAt: 30)])

        #expect(decision.changes.map(\.events) == [[.extended(by: 1)]])
        #expect(decision.changes.first?.after.clearedAt == at(50))
        #expect(decision.changes.first?.after.late == false)
    }

    @Test func `a late detection extends an alarm born late, a timely one rings beside it`() {
        let decision = correlator.decide([
            detection(1, at: 0, receivedAt: 65), detection(2, at: 3, receivedAt: 65),
            detection(3, at: 20, receivedAt: 65), detection(4, at: 25, receivedAt: 65),
        ])

        #expect(
            decision.changes.map(\.events) == [
                [.lateBorn, .extended(by: 1)], [.raised, .extended(by: 1)],
            ])
        #expect(decision.changes.map(\.after.late) == [true, false])
        #expect(decision.changes.map(\.after.clearedAt) == [at(33), nil])
    }

    @Test(arguments: [-20, 20])
    func `a stored alarm born late does not keep a timely detection from ringing`(second: Int) {
        let decision = correlator.decide(
            [detection(1, at: second)],
            given: [episode(1, from: 0, to: 0, clearedAt: 30, late: true)])

        #expect(decision.changes.map(\.events) == [[.raised]])
        #expect(decision.changes.first?.after.condition == .active)
    }

    @Test(arguments: [true, false])
    func `a late detection still joins silently the episode that starts first`(isLate: Bool) {
        let cleared = episode(1, from: 0, to: 0, clearedAt: 30, late: isLate)
        let active = episode(2, from: 40, to: 40)

        let decision = correlator.decide(
            [detection(1, at: 20, receivedAt: 300)], given: [cleared, active])

        #expect(decision.outcomes == [.joined(alarm(1))])
        #expect(decision.changes.map(\.events) == [[.extended(by: 1)]])
        #expect(decision.changes.first?.after.clearedAt == at(50))
    }

    @Test func `a late detection joins an active alarm too`() {
        let decision = correlator.decide(
            [detection(1, at: 20, receivedAt: 300)], given: [episode(1, from: 40, to: 40)])

        #expect(decision.changes.map(\.events) == [[.extended(by: 1)]])
        #expect(decision.changes.first?.after.condition == .active)
    }

    @Test(arguments: [1, 4, 100])
    func `a backlog that continues a cleared alarm into the present rings again, once`(
        groupSize: Int
    ) {
        var rest = stride(from: 10, through: 120, by: 10)
            .map { detection($0, at: $0, receivedAt: 120) }[...]
        let numbers = AlarmNumbers()
        var episodes = [alarm(1): episode(1, from: 0, to: 0, clearedAt: 30)]

        while !rest.isEmpty {
            let decision = correlator.decide(
                detections: Array(rest.prefix(groupSize)), episodes: Array(episodes.values),
                makeID: numbers.make)
            for change in decision.changes { episodes[change.after.id] = change.after }
            rest = rest.dropFirst(groupSize)
        }

        #expect(episodes.count == 2)
        #expect(episodes[alarm(1)]?.last == at(50))
        #expect(episodes[alarm(1)]?.condition == .cleared)
        #expect(episodes[alarm(100)]?.start == at(60))
        #expect(episodes[alarm(100)]?.last == at(120))
        #expect(episodes[alarm(100)]?.condition == .active)
    }

    @Test(arguments: [1, 4, 100], [false, true])
    func `a cut-off node whose backlog reaches into the present rings exactly once`(
        groupSize: Int, newestFirst: Bool
    ) {
        let backlog = stride(from: 0, through: 120, by: 10)
            .map { detection($0, at: $0, receivedAt: 120) }
        let live = stride(from: 130, through: 180, by: 10).map { detection($0, at: $0) }
        var rest = (newestFirst ? backlog.reversed() : backlog)[...]
        let numbers = AlarmNumbers()
        var episodes: [AlarmID: Episode] = [:]
        var events: [EpisodeEvent] = []

        while !rest.isEmpty {
            let group = Array(rest.prefix(groupSize))
            rest = rest.dropFirst(groupSize)
            let decision = correlator.decide(
                detections: group, episodes: Array(episodes.values), makeID: numbers.make)
            for change in decision.changes { episodes[change.after.id] = change.after }
            events += decision.changes.flatMap(\.events)
        }
        let decision = correlator.decide(
            detections: live, episodes: Array(episodes.values), makeID: numbers.make)

        #expect(events.count { $0 == .raised } == 1)
        #expect(!events.contains(.cleared))
        #expect(decision.changes.map(\.events) == [[.extended(by: live.count)]])
        #expect(decision.changes.first?.after.condition == .active)
        #expect(decision.changes.first?.after.late == false)
    }

    // Clearing

    @Test func `a detection more than the quiet time later clears the alarm and raises another`() {
        let decision = correlator.decide(
            [detection(1, at: 131)], given: [episode(1, from: 0, to: 100)])

        #expect(decision.changes.map(\.events) == [[.cleared], [.raised]])
        #expect(decision.changes.first?.after.clearedAt == at(130))
        #expect(decision.changes.first?.after.last == at(100))
        #expect(decision.changes.last?.after.condition == .active)
    }

    @Test func `one group may raise, clear and raise again`() {
        let decision = correlator.decide(
            [0, 10, 60, 70, 140].map { detection($0 + 1, at: $0) })

        #expect(
            decision.changes.map(\.events) == [
                [.raised, .extended(by: 1), .cleared], [.raised, .extended(by: 1), .cleared],
                [.raised],
            ])
        #expect(decision.changes.map(\.after.clearedAt) == [at(40), at(100), nil])
    }

    @Test func `a late detection clears too`() {
        let decision = correlator.decide(
            [detection(1, at: 50, receivedAt: 300)], given: [episode(1, from: 0, to: 0)])

        #expect(decision.changes.map(\.events) == [[.cleared], [.lateBorn]])
    }

    @Test func `a late detection that joins a cleared episode clears the active one it has passed`()
    {
        let overlapping = episode(1, from: -60, to: 20, clearedAt: 50)
        let active = episode(2, from: 0, to: 0)

        let decision = correlator.decide(
            [detection(1, at: 40, receivedAt: 300)], given: [overlapping, active])

        #expect(decision.outcomes == [.joined(alarm(1))])
        #expect(decision.changes.map(\.after.id) == [alarm(2), alarm(1)])
        #expect(decision.changes.map(\.events) == [[.cleared], [.extended(by: 1)]])
        #expect(decision.changes.first?.after.clearedAt == at(30))
    }

    @Test func `extending a cleared episode keeps it cleared and moves its end`() {
        let decision = correlator.decide(
            [detection(1, at: 25)],
            given: [episode(1, from: 0, to: 0, clearedAt: 30), episode(2, from: 60, to: 60)])

        #expect(decision.changes.map(\.events) == [[.extended(by: 1)]])
        #expect(decision.changes.first?.after.clearedAt == at(55))
    }

    @Test func `an alarm raised before a later episode is cleared at once`() {
        let decision = correlator.decide(
            [detection(1, at: 0, receivedAt: 40)], given: [episode(1, from: 31, to: 31)])

        #expect(decision.changes.map(\.after.id) == [alarm(100)])
        #expect(decision.changes.map(\.events) == [[.raised, .cleared]])
        #expect(decision.changes.first?.after.clearedAt == at(30))
        #expect(decision.changes.first?.after.late == false)
    }

    @Test func `an alarm cleared at once is still extended by what follows`() {
        let decision = correlator.decide(
            [detection(1, at: 0, receivedAt: 50), detection(2, at: 10, receivedAt: 50)],
            given: [episode(1, from: 45, to: 45)])

        #expect(decision.changes.map(\.events) == [[.raised, .cleared, .extended(by: 1)]])
        #expect(decision.changes.first?.after.clearedAt == at(40))
    }

    @Test func `an alarm that does not start last is cleared by a detection far behind both`() {
        let bornLate = episode(1, from: 10, to: 10, clearedAt: 40, late: true)
        let active = episode(2, from: 0, to: 0)

        let decision = correlator.decide([detection(1, at: 100)], given: [bornLate, active])

        #expect(decision.changes.map(\.after.id) == [alarm(2), alarm(100)])
        #expect(decision.changes.map(\.events) == [[.cleared], [.raised]])
    }

    // What the store must fetch

    @Test func `the search window reaches the quiet time beyond the first and the last`() {
        let window = correlator.searchWindow(for: [
            detection(1, at: 50), detection(2, at: 10), detection(3, at: 70, receivedAt: 60),
            detection(4, at: -900, confidence: 0.1), detection(5, at: 0, receivedAt: 300_000),
        ])

        #expect(window == at(-20)...at(90))
    }

    @Test func `there is no window when nothing may touch an episode`() {
        #expect(correlator.searchWindow(for: []) == nil)
        #expect(correlator.searchWindow(for: [detection(1, at: 0, confidence: 0.1)]) == nil)
    }

    @Test func `a thousand detections of one key are one alarm`() {
        var generator = SplitMix64(seed: 1)
        let burst = (0..<1_000).map { detection($0, at: $0 / 20) }.shuffled(using: &generator)

        let decision = correlator.decide(burst)

        #expect(decision.changes.map(\.events) == [[.raised, .extended(by: 999)]])
    }
}
