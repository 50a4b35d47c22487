import ControlCentre
import Testing

/// A key's episodes as a store keeps them, with nothing but the correlator deciding.
private struct Replay {
    let correlator: Correlator
    let numbers = AlarmNumbers()
    var episodes: [AlarmID: Episode]
    /// What belongs to no episode.
    var waiting: [CorrelatedDetection] = []

    init(rule: CorrelationRule = CorrelationRule(), episodes: [Episode] = []) {
        correlator = Correlator(rule: rule)
        self.episodes = Dictionary(uniqueKeysWithValues: episodes.map { ($0.id, $0) })
    }

    /// What the store fetches for a group, in no particular order: what the window asks for, the
    /// active one and the one that starts last.
    func fetched(for detections: [CorrelatedDetection]) -> [Episode] {
        guard let window = correlator.searchWindow(for: detections) else { return [] }
        return episodes.values.filter {
            $0.id == latest?.id || $0.condition == .active || $0.isIn(window)
        }
    }

    var latest: Episode? { episodes.values.max { ($0.start, $0.id) < ($1.start, $1.id) } }

    func decide(
        _ detections: [CorrelatedDetection], given: [Episode], makeID: () -> AlarmID
    ) -> CorrelationDecision {
        correlator.decide(
            detections: detections, waiting: fetchedWaiting(for: detections), episodes: given,
            makeID: makeID)
    }

    func fetchedWaiting(for detections: [CorrelatedDetection]) -> [CorrelatedDetection] {
        guard let window = correlator.waitingWindow(for: detections) else { return [] }
        return waiting.filter { window.contains($0.effectiveAt) }
    }

    mutating func take(_ group: RandomHistory.Group) -> CorrelationDecision {
        clear(now: group.takenAt)
        return take(group.detections)
    }

    mutating func take(_ detections: [CorrelatedDetection]) -> CorrelationDecision {
        let decision = decide(
            detections, given: fetched(for: detections), makeID: numbers.make)
        for change in decision.changes {
            episodes[change.after.id] = change.after
            waiting.removeAll { change.preceding.contains($0) }
        }
        for (detection, outcome) in zip(detections, decision.outcomes) where outcome == .waiting {
            waiting.append(detection)
        }
        return decision
    }

    mutating func clear(now: Timestamp) {
        let rule = correlator.rule
        for (id, episode) in episodes
        where episode.clearedAt == nil && now > episode.last + rule.quiet + rule.arrivalAllowance {
            episodes[id] = Episode(
                id: id, raisedAt: episode.raisedAt, start: episode.start, last: episode.last,
                clearedAt: episode.last + rule.quiet, detectionCount: episode.detectionCount,
                maxConfidence: episode.maxConfidence, late: episode.late)
        }
    }
}

extension Episode {
    fileprivate func isIn(_ window: ClosedRange<Timestamp>) -> Bool {
        last >= window.lowerBound && start <= window.upperBound
    }
}

@Suite struct `Whatever is delivered in whatever order` {
    private static let seeds: ClosedRange<UInt64> = 1...60

    @Test(arguments: seeds)
    func `the correlator decides as the plain reference does`(seed: UInt64) {
        var replay = Replay()
        var reference = ReferenceCorrelator(rule: replay.correlator.rule)
        for group in RandomHistory(seed: seed).groups {
            let decision = replay.take(group)
            reference.clear(now: group.takenAt)
            let expected = reference.take(group.detections)

            #expect(decision.outcomes == group.detections.map { expected[$0.id] })
            #expect(
                replay.episodes.values.sorted { $0.id < $1.id }
                    == reference.episodes.sorted { $0.id < $1.id })
        }
    }

    @Test(arguments: seeds)
    func `the episodes in the search window, the active and the latest are enough`(seed: UInt64) {
        var replay = Replay()
        for group in RandomHistory(seed: seed).groups {
            replay.clear(now: group.takenAt)
            let all = Array(replay.episodes.values)

            let fromAll = replay.decide(
                group.detections, given: all, makeID: AlarmNumbers(from: 900).make)
            let fromFetched = replay.decide(
                group.detections, given: replay.fetched(for: group.detections),
                makeID: AlarmNumbers(from: 900).make)

            #expect(fromAll == fromFetched)
            _ = replay.take(group)
        }
    }

    @Test(arguments: seeds)
    func `neither the order within a group nor that of the episodes decides anything`(
        seed: UInt64
    ) {
        var generator = SplitMix64(seed: seed)
        var replay = Replay()
        for group in RandomHistory(seed: seed).groups {
            replay.clear(now: group.takenAt)
            let given = replay.fetched(for: group.detections)
            let order = group.detections.indices.shuffled(using: &generator)

            let shuffled = replay.decide(
                order.map { group.detections[$0] }, given: given.shuffled(using: &generator),
                makeID: AlarmNumbers(from: 900).make)
            let straight = replay.decide(
                group.detections, given: given, makeID: AlarmNumbers(from: 900).make)

            #expect(shuffled.changes == straight.changes)
            #expect(shuffled.outcomes == order.map { straight.outcomes[$0] })
            _ = replay.take(group)
        }
    }

    @Test(arguments: seeds)
    func `deciding a group again, as after a lost transaction, comes to the same`(seed: UInt64) {
        var replay = Replay()
        for group in RandomHistory(seed: seed).groups {
            replay.clear(now: group.takenAt)
            let given = replay.fetched(for: group.detections)

            let first = replay.decide(
                group.detections, given: given, makeID: AlarmNumbers(from: 900).make)
            let second = replay.decide(
                group.detections, given: given, makeID: AlarmNumbers(from: 900).make)

            #expect(first == second)
            _ = replay.take(group)
        }
    }

    @Test(arguments: seeds)
    func `after each group at most one episode is active`(seed: UInt64) {
        var replay = Replay()
        for group in RandomHistory(seed: seed).groups {
            _ = replay.take(group)

            #expect(replay.episodes.values.count { $0.condition == .active } <= 1)
        }
    }

    @Test(arguments: seeds)
    func `a timely detection belongs to an alarm that rang, a late one raises none`(seed: UInt64) {
        var replay = Replay()
        let lateAfter = replay.correlator.rule.lateAfter
        for group in RandomHistory(seed: seed).groups {
            let decision = replay.take(group)

            var timelyJoined: Set<AlarmID> = []
            for (detection, outcome) in zip(group.detections, decision.outcomes) {
                guard case .joined(let alarm) = outcome, detection.age <= lateAfter else {
                    continue
                }
                timelyJoined.insert(alarm)
                #expect(replay.episodes[alarm]?.late == false)
            }
            for change in decision.changes where change.events.first == .raised {
                #expect(timelyJoined.contains(change.after.id))
            }
        }
    }

    @Test(arguments: seeds)
    func `an alarm that stays active takes each timely detection from its start on`(seed: UInt64) {
        var replay = Replay()
        let rule = replay.correlator.rule
        for group in RandomHistory(seed: seed).groups {
            replay.clear(now: group.takenAt)
            let active = replay.episodes.values.first { $0.condition == .active }
            let decision = replay.take(group)
            guard let active, replay.episodes[active.id]?.condition == .active else { continue }

            for (detection, outcome) in zip(group.detections, decision.outcomes) {
                guard case .joined(let alarm) = outcome, detection.age <= rule.lateAfter,
                    detection.effectiveAt >= active.start
                else { continue }
                #expect(alarm == active.id)
            }
        }
    }

    @Test(arguments: seeds)
    func `a timely detection belongs to an active alarm, unless an episode starts after it`(
        seed: UInt64
    ) {
        var replay = Replay()
        let lateAfter = replay.correlator.rule.lateAfter
        for group in RandomHistory(seed: seed).groups {
            replay.clear(now: group.takenAt)
            for detection in group.detections {
                let latest = replay.latest
                let decision = replay.take([detection])
                guard case .joined(let alarm) = decision.outcomes.first,
                    detection.age <= lateAfter, latest?.start ?? .earliest <= detection.effectiveAt
                else { continue }
                #expect(replay.episodes[alarm]?.condition == .active)
            }
        }
    }

    @Test(arguments: seeds)
    func `counts add up`(seed: UInt64) {
        var replay = Replay()
        var joined: [AlarmID: Int] = [:]
        for group in RandomHistory(seed: seed).groups {
            let decision = replay.take(group)
            for case .joined(let alarm) in decision.outcomes { joined[alarm, default: 0] += 1 }

            for change in decision.changes {
                let told = change.events.map { event in
                    switch event {
                    case .raised, .lateBorn: 1
                    case .extended(let count): count
                    case .cleared: 0
                    }
                }
                let added = change.after.detectionCount - (change.before?.detectionCount ?? 0)
                #expect(told.reduce(0, +) == added)
            }
        }

        #expect(replay.episodes.mapValues(\.detectionCount) == joined)
    }

    @Test(arguments: seeds)
    func `each change says what happened to its episode`(seed: UInt64) {
        var replay = Replay()
        for group in RandomHistory(seed: seed).groups {
            for change in replay.take(group).changes {
                let (before, after, events) = (change.before, change.after, change.events)

                #expect(before != after)
                #expect((before == nil) == (events.first == .raised || events.first == .lateBorn))
                #expect(events.dropFirst().allSatisfy { $0 != .raised && $0 != .lateBorn })
                #expect(after.late == (before?.late ?? (events.first == .lateBorn)))
                #expect(after.raisedAt == before?.raisedAt ?? after.raisedAt)
                #expect(after.start <= after.raisedAt && after.raisedAt <= after.last)
                #expect(after.clearedAt == nil || after.clearedAt == after.last + .seconds(30))
                #expect(before?.clearedAt == nil || after.clearedAt != nil)
                let wasActive = before.map { $0.condition == .active } ?? !after.late
                let isCleared = after.condition == .cleared
                #expect(events.count { $0 == .cleared } == (wasActive && isCleared ? 1 : 0))
            }
        }
    }

    @Test(arguments: seeds)
    func `where groups are parted plays no part for what arrives in order`(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        var second = 0
        let stream = (1...200).map { number in
            second += Int.random(in: 0...45, using: &generator)
            return detection(number, at: second)
        }
        var parted = Replay()
        var rest = stream[...]
        while let last = rest.prefix(Int.random(in: 1...20, using: &generator)).last {
            let group = rest.prefix { $0.occurredAt <= last.occurredAt }
            rest = rest.dropFirst(group.count)
            _ = parted.take(RandomHistory.Group(takenAt: at(0), detections: Array(group)))
        }

        var whole = Replay()
        _ = whole.take(RandomHistory.Group(takenAt: at(0), detections: stream))

        #expect(parted.episodes == whole.episodes)
    }
}

@Suite struct `Whatever is delivered under a rule that wants several detections` {
    private static let cases = (1...60).flatMap { seed in
        [(2, 5), (2, 60), (3, 10), (4, 120)].map { count, seconds in
            Case(seed: UInt64(seed), count: count, seconds: seconds)
        }
    }

    struct Case: CustomTestStringConvertible {
        let seed: UInt64
        let count: Int
        let seconds: Int

        var rule: CorrelationRule {
            CorrelationRule(detectionsMin: count, detectionsWindow: .seconds(seconds))
        }
        var testDescription: String { "\(count) in \(seconds) s, seed \(seed)" }
    }

    @Test(arguments: cases)
    func `the correlator decides as the plain reference does`(_ example: Case) {
        var replay = Replay(rule: example.rule)
        var reference = ReferenceCorrelator(rule: example.rule)
        for group in RandomHistory(seed: example.seed).groups {
            let decision = replay.take(group)
            reference.clear(now: group.takenAt)
            let expected = reference.take(group.detections)

            #expect(decision.outcomes == group.detections.map { expected[$0.id] })
            #expect(
                replay.episodes.values.sorted { $0.id < $1.id }
                    == reference.episodes.sorted { $0.id < $1.id })
            #expect(Set(replay.waiting) == Set(reference.waiting))
            #expect(replay.episodes.values.count { $0.condition == .active } <= 1)
        }
    }

    @Test(arguments: cases)
    func `each detection is counted once, or waits`(_ example: Case) {
        var replay = Replay(rule: example.rule)
        var counted = 0
        for group in RandomHistory(seed: example.seed).groups {
            let decision = replay.take(group)
            for outcome in decision.outcomes {
                if case .joined = outcome { counted += 1 }
            }
            counted += decision.changes.map(\.preceding.count).reduce(0, +)

            for change in decision.changes where change.before == nil {
                #expect(change.after.detectionCount >= example.count)
                #expect(change.after.start <= change.after.raisedAt)
                #expect(change.after.raisedAt <= change.after.last)
            }
        }

        #expect(replay.episodes.values.map(\.detectionCount).reduce(0, +) == counted)
    }

    @Test(arguments: cases)
    func `neither order nor where groups are parted decides anything`(_ example: Case) {
        var generator = SplitMix64(seed: example.seed)
        var second = 0
        let stream = (1...200).map { number in
            second += Int.random(in: 0...45, using: &generator)
            return detection(number, at: second)
        }
        var parted = Replay(rule: example.rule)
        var rest = stream[...]
        while let last = rest.prefix(Int.random(in: 1...20, using: &generator)).last {
            let group = rest.prefix { $0.occurredAt <= last.occurredAt }
            rest = rest.dropFirst(group.count)
            _ = parted.take(group.shuffled(using: &generator))
            parted.waiting.shuffle(using: &generator)
        }

        var whole = Replay(rule: example.rule)
        _ = whole.take(stream)

        #expect(parted.episodes == whole.episodes)
        #expect(Set(parted.waiting) == Set(whole.waiting))
    }
}

@Suite struct `A rule that has changed` {
    @Test func `lets an active alarm go on by the longer quiet time it was raised under`() {
        let running = Episode(
            id: alarm(1), raisedAt: at(0), start: at(0), last: at(0), clearedAt: nil,
            detectionCount: 1, maxConfidence: 0.9, late: false, quiet: .seconds(300))
        let correlator = Correlator(rule: CorrelationRule(quietLongest: .seconds(300)))

        let within = correlator.decide([detection(1, at: 100)], given: [running])
        let beyond = correlator.decide([detection(1, at: 301)], given: [running])

        #expect(within.outcomes == [.joined(alarm(1))])
        #expect(beyond.outcomes == [.joined(alarm(100))])
        #expect(beyond.changes.map(\.after.clearedAt) == [at(300), nil])
    }

    @Test func `ends an alarm of a shorter quiet time by its own`() {
        let running = Episode(
            id: alarm(1), raisedAt: at(0), start: at(0), last: at(0), clearedAt: nil,
            detectionCount: 1, maxConfidence: 0.9, late: false, quiet: .seconds(10))
        let correlator = Correlator(rule: CorrelationRule(quiet: .seconds(60)))

        let beyond = correlator.decide([detection(1, at: 61)], given: [running])

        #expect(beyond.outcomes == [.joined(alarm(100))])
        #expect(beyond.changes.map(\.after.clearedAt) == [at(10), nil])
        #expect(beyond.changes.map(\.after.quiet) == [.seconds(10), .seconds(60)])
    }

    /// Epochs of other rules over one store, as versions follow each other.
    @Test(arguments: UInt64(1)...40)
    func `never leaves two alarms active, nor an end that moves back`(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        var replay = Replay()
        for group in RandomHistory(seed: seed).groups {
            let quiet = Duration.seconds([5, 30, 300].randomElement(using: &generator) ?? 30)
            var next = Replay(
                rule: CorrelationRule(
                    quiet: quiet, detectionsMin: Int.random(in: 1...2, using: &generator),
                    quietLongest: .seconds(300)), episodes: Array(replay.episodes.values))
            next.waiting = replay.waiting
            let decision = next.take(group.detections)

            #expect(next.episodes.values.count { $0.condition == .active } <= 1)
            for change in decision.changes {
                if let end = change.before?.clearedAt, let now = change.after.clearedAt {
                    #expect(end <= now)
                }
            }
            // Each of them hands out its own numbers.
            replay.episodes = Dictionary(
                uniqueKeysWithValues: next.episodes.values.enumerated().map { number, episode in
                    let id = alarm(1_000 + number)
                    return (
                        id,
                        Episode(
                            id: id, raisedAt: episode.raisedAt, start: episode.start,
                            last: episode.last, clearedAt: episode.clearedAt,
                            detectionCount: episode.detectionCount,
                            maxConfidence: episode.maxConfidence, late: episode.late,
                            quiet: episode.quiet)
                    )
                })
            replay.waiting = next.waiting
        }
    }
}

@Suite struct `Whatever a key's store holds` {
    private static let seeds: ClosedRange<UInt64> = 1...20

    private func moments(seed: UInt64) -> [RandomMoment] {
        var generator = SplitMix64(seed: seed)
        return (0..<250).map { _ in RandomMoment(using: &generator) }
    }

    @Test(arguments: seeds)
    func `a group is decided as the plain reference does, from what is fetched`(seed: UInt64) {
        for moment in moments(seed: seed) {
            var replay = Replay(episodes: moment.episodes)
            var reference = ReferenceCorrelator(
                rule: replay.correlator.rule, episodes: moment.episodes)

            let decision = replay.take(moment.detections)
            let expected = reference.take(moment.detections)

            #expect(decision.outcomes == moment.detections.map { expected[$0.id] })
            #expect(
                replay.episodes.values.sorted { $0.id < $1.id }
                    == reference.episodes.sorted { $0.id < $1.id })
            #expect(replay.episodes.values.count { $0.condition == .active } <= 1)
        }
    }

    @Test func `of the search window, the active and the latest none can be spared`() {
        var needed: Set<String> = []
        for moment in moments(seed: 1) {
            let replay = Replay(episodes: moment.episodes)
            guard let window = replay.correlator.searchWindow(for: moment.detections) else {
                continue
            }
            let latest = replay.latest?.id
            let given = replay.fetched(for: moment.detections)
            let whole = replay.correlator.decide(moment.detections, given: given)
            for episode in given {
                let others = given.filter { $0 != episode }
                guard replay.correlator.decide(moment.detections, given: others) != whole else {
                    continue
                }
                switch (episode.isIn(window), episode.condition, episode.id == latest) {
                case (true, .cleared, false): needed.insert("window")
                case (false, .active, false): needed.insert("active")
                case (false, .cleared, true): needed.insert("latest")
                default: break
                }
            }
        }

        #expect(needed == ["window", "active", "latest"])
    }
}
