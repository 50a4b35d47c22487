import ControlCentre
import EventLoop
import TestSupport
import Testing

@testable import Store

@Suite struct `Detections delivered in whatever order to several instances` {
    private static let seeds: ClosedRange<UInt64> = 1...6

    @Test(arguments: seeds)
    func `leave the episodes that the correlator gives for the same groups`(
        seed: UInt64
    ) async throws {
        try await TestDatabase.with { database in
            var instances: [Instance] = []
            for _ in 0..<3 { instances.append(try await Instance(on: database)) }
            let site = try await DemonstrationSite(in: instances[0], cameras: 2)
            let delivery = RandomDelivery(
                of: site, count: 240, grid: .seconds(5), seed: seed)

            try await deliver(delivery, to: instances, clearing: seed.isMultiple(of: 2))

            let distinct = Set(delivery.parcels.joined().map(\.id))
            try await expectWhole(database, detections: distinct.count)
            try expectReplay(of: try await StoredHistory(of: database))
        }
    }

    /// Hands each parcel to one instance, three at a time, while others clear by the clock.
    private func deliver(
        _ delivery: RandomDelivery, to instances: [Instance], clearing: Bool
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (number, instance) in instances.enumerated() {
                group.addTask {
                    // Two parcels under way, so that what waits for the lane becomes one group.
                    try await withThrowingTaskGroup(of: Void.self) { waiting in
                        var count = 0
                        for index in delivery.parcels.indices where index % 3 == number {
                            if count >= 2 { try await waiting.next() }
                            count += 1
                            waiting.addTask {
                                _ = try await instance.submit(delivery.parcels[index])
                            }
                            if clearing, index % 5 == 0 {
                                _ = try await instance.run { database in
                                    try await database.clearDueAlarms()
                                }
                            }
                        }
                        try await waiting.waitForAll()
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    private func expectReplay(of history: StoredHistory) throws {
        let correlator = Correlator(rule: CorrelationRule())
        var episodes: [CorrelationKey: [AlarmID: Episode]] = [:]
        for change in history.changes {
            switch change {
            case .clearing(let ids):
                for id in ids {
                    let key = try #require(history.alarms[id]).key
                    let episode = try #require(episodes[key]?[id])
                    #expect(episode.condition == .active)
                    episodes[key]?[id] = episode.cleared(quiet: correlator.rule.quiet)
                }
            case .detections(let groups):
                for (key, group) in groups {
                    let known = episodes[key] ?? [:]
                    var brought = bringsForth(group, beside: known, of: history)[...]
                    let decision = correlator.decide(
                        detections: group.detections, episodes: Array(known.values),
                        makeID: { brought.popFirst() ?? AlarmID(UUID(high: 0, low: 0)) })
                    #expect(decision.outcomes.map(\.alarm) == group.alarms)
                    for change in decision.changes {
                        episodes[key, default: [:]][change.after.id] = change.after
                    }
                    #expect(
                        (episodes[key] ?? [:]).values.count { $0.condition == .active } <= 1)
                }
            }
        }
        let replayed = episodes.flatMap { key, episodes in
            episodes.values.map { StoredHistory.Alarm(key: key, episode: $0) }
        }
        #expect(Set(replayed) == Set(history.alarms.values))
        #expect(!replayed.isEmpty)
    }

    /// The ids of the alarms that a group brought forth, in the order of their making.
    private func bringsForth(
        _ group: StoredHistory.Group, beside known: [AlarmID: Episode], of history: StoredHistory
    ) -> [AlarmID] {
        Set(group.alarms.compactMap(\.self))
            .filter { known[$0] == nil }
            .compactMap { history.alarms[$0]?.episode }
            // Of the same instant the late one came first: after the other it would have joined.
            .sorted { ($0.raisedAt, $0.late ? 0 : 1) < ($1.raisedAt, $1.late ? 0 : 1) }
            .map(\.id)
    }

    @Test(arguments: seeds)
    func `come to the same in whatever order a group has them`(seed: UInt64) async throws {
        let straight = try await episodes(seed: seed, shuffled: false)
        let shuffled = try await episodes(seed: seed, shuffled: true)

        #expect(straight == shuffled)
        #expect(!straight.isEmpty)
    }

    /// What is left of an alarm when its id and its site's, which are random, are left out.
    private struct Trace: Hashable {
        let key: String
        let interval: [Duration?]
        let count: Int
        let late: Bool
    }

    private func episodes(seed: UInt64, shuffled: Bool) async throws -> Set<Trace> {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance)
            let delivery = RandomDelivery(
                of: site, count: 120, grid: .microseconds(1), seed: seed)
            var generator = SplitMix64(seed: seed)
            for parcel in delivery.parcels {
                _ = try await instance.submit(
                    shuffled ? parcel.shuffled(using: &generator) : parcel)
            }
            // Deliveries lie around now, wherever that is.
            let first = delivery.parcels.joined().map(\.receivedAt).min() ?? .epoch
            let history = try await StoredHistory(of: database)
            return Set(
                history.alarms.values.map { alarm in
                    let (key, episode) = (alarm.key, alarm.episode)
                    return Trace(
                        key: "\(key.pattern) \(key.mode) \(key.modelVersion ?? "")",
                        interval: [
                            episode.raisedAt - first, episode.start - first, episode.last - first,
                            episode.clearedAt.map { $0 - first },
                        ],
                        count: episode.detectionCount, late: episode.late)
                })
        }
    }
}

extension DetectionOutcome {
    fileprivate var alarm: AlarmID? {
        if case .joined(let alarm) = self { alarm } else { nil }
    }
}

extension Episode {
    /// The episode as clearing by the clock leaves it.
    fileprivate func cleared(quiet: Duration) -> Episode {
        Episode(
            id: id, raisedAt: raisedAt, start: start, last: last, clearedAt: last + quiet,
            detectionCount: detectionCount, maxConfidence: maxConfidence, late: late)
    }
}
