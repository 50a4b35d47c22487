import ControlCentre

/// The rules of correlation once more, as plainly as they can be said: each detection is compared
/// with every episode that the key ever had.
struct ReferenceCorrelator {
    let rule: CorrelationRule
    private(set) var episodes: [Episode]
    /// What belongs to no episode.
    private(set) var waiting: [CorrelatedDetection] = []
    private let numbers = AlarmNumbers()

    init(rule: CorrelationRule, episodes: [Episode] = []) {
        self.rule = rule
        self.episodes = episodes
    }

    mutating func take(_ group: [CorrelatedDetection]) -> [DetectionID: DetectionOutcome] {
        var outcomes: [DetectionID: DetectionOutcome] = [:]
        var waiting = group
        while let next = waiting.min(by: { ($0.effectiveAt, $0.id) < ($1.effectiveAt, $1.id) }) {
            waiting.removeAll { $0 == next }
            outcomes[next.id] = take(next)
        }
        // What waited in the same group has come to belong to an alarm.
        for detection in group {
            if let alarm = members[detection] { outcomes[detection.id] = .joined(alarm) }
        }
        return outcomes
    }

    /// The episode that each detection that once waited belongs to.
    private(set) var members: [CorrelatedDetection: AlarmID] = [:]

    /// Of all windows of the rule's length that hold the detection, the one that ends first and
    /// holds enough.
    private func window(around detection: CorrelatedDetection, late: Bool) -> [CorrelatedDetection]?
    {
        let known =
            waiting.filter { !late || $0.receivedAt - $0.occurredAt > rule.lateAfter }
            + [detection]
        let instants = known.map { min($0.occurredAt, $0.receivedAt) }
        let own = min(detection.occurredAt, detection.receivedAt)
        for end in instants.sorted() where end >= own && end <= own + rule.detectionsWindow {
            let inside = known.filter {
                let instant = min($0.occurredAt, $0.receivedAt)
                return instant <= end && instant >= end - rule.detectionsWindow
            }
            if inside.count >= rule.detectionsMin { return inside }
        }
        return nil
    }

    /// What the clock does: an episode is over once its quiet time and the allowance have passed.
    mutating func clear(now: Timestamp) {
        episodes = episodes.map { episode in
            guard episode.clearedAt == nil else { return episode }
            return now > episode.last + rule.quiet + rule.arrivalAllowance
                ? copy(of: episode, clearedAt: episode.last + rule.quiet) : episode
        }
    }

    private mutating func take(_ detection: CorrelatedDetection) -> DetectionOutcome {
        let instant = min(detection.occurredAt, detection.receivedAt)
        let age = detection.receivedAt - detection.occurredAt
        if age > rule.retention { return .countedOnly }
        if detection.confidence < rule.confidenceMin { return .belowThreshold }

        let late = age > rule.lateAfter
        let near =
            episodes.indices
            .filter {
                episodes[$0].start - rule.quiet <= instant
                    && instant <= episodes[$0].last + rule.quiet
            }
            .sorted {
                (episodes[$0].start, episodes[$0].id) < (episodes[$1].start, episodes[$1].id)
            }
        let rung = near.filter { !episodes[$0].late }
        let ongoing = rung.first { episodes[$0].clearedAt == nil && episodes[$0].start <= instant }
        let isPast = episodes.contains { $0.start > instant }
        let joined = late ? near.first : ongoing ?? (isPast ? rung.first : nil)
        let id: AlarmID
        if let joined {
            let old = episodes[joined]
            id = old.id
            let last = max(old.last, instant)
            episodes[joined] = Episode(
                id: id, raisedAt: old.raisedAt, start: min(old.start, instant), last: last,
                clearedAt: old.clearedAt == nil ? nil : last + rule.quiet,
                detectionCount: old.detectionCount + 1,
                maxConfidence: max(old.maxConfidence, detection.confidence), late: old.late)
        } else if let together = window(around: detection, late: late) {
            id = numbers.make()
            let passed = episodes.contains { $0.start > instant + rule.quiet }
            let instants = together.map { min($0.occurredAt, $0.receivedAt) }
            let last = instants.max() ?? instant
            episodes.append(
                Episode(
                    id: id, raisedAt: instant, start: instants.min() ?? instant, last: last,
                    clearedAt: late || passed ? last + rule.quiet : nil,
                    detectionCount: together.count,
                    maxConfidence: together.map(\.confidence).max() ?? 0, late: late))
            for member in together { members[member] = id }
            waiting.removeAll { together.contains($0) }
        } else {
            waiting.append(detection)
            clearActive(before: instant)
            return .waiting
        }

        clearActive(before: instant)
        return .joined(id)
    }

    private mutating func clearActive(before instant: Timestamp) {
        episodes = episodes.map { episode in
            episode.clearedAt == nil && episode.last + rule.quiet < instant
                ? copy(of: episode, clearedAt: episode.last + rule.quiet) : episode
        }
    }

    private func copy(of episode: Episode, clearedAt: Timestamp) -> Episode {
        Episode(
            id: episode.id, raisedAt: episode.raisedAt, start: episode.start, last: episode.last,
            clearedAt: clearedAt, detectionCount: episode.detectionCount,
            maxConfidence: episode.maxConfidence, late: episode.late)
    }
}
