/// One pass over a key's episodes by detections whose instants never go back.
///
/// Since the instants ascend, an episode that ended more than `quiet` before one of them is out of
/// reach for good. So each kind of episode, those that rang and those born late, is a queue sorted by
/// start, and the first that is not over is the only one of the queue that can be joined for starting
/// first. An episode that is joined before its start comes to start at that instant, before whatever
/// of its kind is still to start; that keeps the queue sorted, as only its first is joined so. The
/// active episode may be joined from further back, but only once it has started.
struct EpisodeSweep {
    private struct Track {
        let before: Episode?
        var episode: Episode
        var events: [EpisodeEvent] = []
        var preceding: [CorrelatedDetection] = []
    }

    /// A detection that is one of too few.
    private struct Waiting {
        let detection: CorrelatedDetection
        /// Its place in the group; nil if it is of an earlier one.
        let place: Int?
    }

    /// The episodes of one kind that may still be joined.
    private struct Queue {
        /// The given ones, by start, of these by id.
        var given: ArraySlice<Int>
        /// Those brought forth, by start. For one that counts detections which waited takes all of
        /// them that lie between its ends, and none before it can be of another's window that ends
        /// later; so the next starts after it, as does one that starts at its own instant: the next
        /// detection up to its end finds it in reach.
        var newborn: ArraySlice<Int> = []

        /// The only ones that can start first.
        var heads: [Int] { [newborn.first, given.first].compactMap(\.self) }
    }

    private let rule: CorrelationRule
    private var waiting: [Waiting]
    /// Detections of this group that had to wait, and the episode that counts them now.
    private(set) var awaited: [(place: Int, alarm: AlarmID)] = []
    /// The given episodes by start and id, then those brought forth, in the order of their making.
    private var tracks: [Track]
    private var rung: Queue
    private var bornLate: Queue
    private var active: Int?
    /// The tracks with an event, in the order of their first.
    private var touched: [Int] = []

    init(over episodes: [Episode], waiting: [CorrelatedDetection], rule: CorrelationRule) {
        self.rule = rule
        self.waiting = waiting.map { Waiting(detection: $0, place: nil) }
        let sorted = episodes.sorted { ($0.start, $0.id) < ($1.start, $1.id) }
        tracks = sorted.map { Track(before: $0, episode: $0) }
        rung = Queue(given: sorted.indices.filter { !sorted[$0].late }[...])
        bornLate = Queue(given: sorted.indices.filter { sorted[$0].late }[...])
        active = sorted.firstIndex { $0.condition == .active }
    }

    /// What the detections did, in the order in which episodes were first touched.
    var changes: [EpisodeChange] {
        touched.map { index in
            let track = tracks[index]
            return EpisodeChange(
                before: track.before, after: track.episode, events: track.events,
                preceding: track.preceding)
        }
    }

    /// Takes the next detection, whose instant is not before the previous one's.
    ///
    /// - Parameter place: its place in the group.
    /// - Returns: The alarm that it raised, opened late or extended; nil if it has to wait.
    mutating func take(
        _ detection: CorrelatedDetection, at place: Int, makeID: () -> AlarmID
    ) -> AlarmID? {
        let instant = detection.effectiveAt
        let late = detection.age > rule.lateAfter
        clearActive(before: instant)
        rung = dropping(rung, before: instant)
        bornLate = dropping(bornLate, before: instant)
        if let index = late ? lateChoice(at: instant) : timelyChoice(at: instant) {
            extend(index, confidence: detection.confidence, at: instant)
            return tracks[index].episode.id
        }
        let newcomer = Waiting(detection: detection, place: place)
        guard let members = members(with: newcomer, late: late) else {
            waiting.append(newcomer)
            return nil
        }
        let id = makeID()
        bringForth(id, of: members, at: instant, late: late)
        return id
    }

    // What is enough

    /// Those that the newcomer makes enough, by instant: of the windows that contain it, the one
    /// that ends first. Nil if they are too few.
    private func members(with newcomer: Waiting, late: Bool) -> [Waiting]? {
        guard rule.detectionsMin > 1 else { return [newcomer] }
        let instant = newcomer.detection.effectiveAt
        let near = (waiting.filter { !late || isLate($0) } + [newcomer])
            .sorted { $0.detection.precedes($1.detection) }
        for last in near.map(\.detection.effectiveAt)
        where last >= instant && last - rule.detectionsWindow <= instant {
            let members = near.filter {
                $0.detection.effectiveAt <= last
                    && $0.detection.effectiveAt >= last - rule.detectionsWindow
            }
            if members.count >= rule.detectionsMin { return members }
        }
        return nil
    }

    private func isLate(_ waiting: Waiting) -> Bool { waiting.detection.age > rule.lateAfter }

    // What is in reach

    /// How far an episode reaches; farther than by the rule only while one is active that was
    /// raised under a longer quiet time. So it never grows during a pass: an episode that has
    /// become active in it is of this rule.
    private var quiet: Duration {
        max(rule.quiet, active.map { tracks[$0].episode.quiet } ?? .zero)
    }

    private func isOver(_ index: Int, at instant: Timestamp) -> Bool {
        tracks[index].episode.last + quiet < instant
    }

    private func hasNeared(_ index: Int, at instant: Timestamp) -> Bool {
        tracks[index].episode.start - quiet <= instant
    }

    private func dropping(_ queue: Queue, before instant: Timestamp) -> Queue {
        var queue = queue
        queue.given = queue.given.drop { isOver($0, at: instant) }
        queue.newborn = queue.newborn.drop { isOver($0, at: instant) }
        return queue
    }

    /// Whether any episode starts more than `gap` after the instant that has been reached.
    ///
    /// Of a queue the last starts last. What is no longer in one has ended before the instant, and
    /// what has been brought forth has started.
    private func anyStarts(moreThan gap: Duration = .zero, after instant: Timestamp) -> Bool {
        [rung.given.last, bornLate.given.last].compactMap(\.self)
            .contains { tracks[$0].episode.start - gap > instant }
    }

    private func timelyChoice(at instant: Timestamp) -> Int? {
        // The active one is not over, else it would have been cleared.
        if let active, tracks[active].episode.start <= instant { return active }
        return anyStarts(after: instant) ? first(of: rung.heads, at: instant) : nil
    }

    private func lateChoice(at instant: Timestamp) -> Int? {
        first(of: rung.heads + bornLate.heads, at: instant)
    }

    private func first(of candidates: [Int], at instant: Timestamp) -> Int? {
        candidates
            .filter { hasNeared($0, at: instant) }
            .min {
                let (one, other) = (tracks[$0].episode, tracks[$1].episode)
                return (one.start, one.id) < (other.start, other.id)
            }
    }

    // What a detection does

    private mutating func clearActive(before instant: Timestamp) {
        guard let active, isOver(active, at: instant) else { return }
        clear(active)
        self.active = nil
    }

    private mutating func extend(_ index: Int, confidence: Double, at instant: Timestamp) {
        tracks[index].episode.extend(confidence: confidence, at: instant)
        if case .extended(let count) = tracks[index].events.last {
            tracks[index].events[tracks[index].events.count - 1] = .extended(by: count + 1)
        } else {
            note(.extended(by: 1), of: index)
        }
    }

    /// Raises an episode, or opens it late.
    private mutating func bringForth(
        _ id: AlarmID, of members: [Waiting], at instant: Timestamp, late: Bool
    ) {
        var episode = Episode(
            id: id, raisedAt: instant,
            start: members.map(\.detection.effectiveAt).min() ?? instant,
            last: members.map(\.detection.effectiveAt).max() ?? instant, clearedAt: nil,
            detectionCount: members.count,
            maxConfidence: members.map(\.detection.confidence).max() ?? 0, late: late,
            quiet: rule.quiet)
        if late { episode.clear() }
        let index = tracks.endIndex
        tracks.append(Track(before: nil, episode: episode))
        if members.count > 1 { settle(members, into: index) }
        if late {
            bornLate.newborn.append(index)
            note(.lateBorn, of: index)
        } else {
            rung.newborn.append(index)
            note(.raised, of: index)
            if anyStarts(moreThan: quiet, after: instant) { clear(index) } else { active = index }
        }
    }

    /// Lets the members wait no longer.
    private mutating func settle(_ members: [Waiting], into index: Int) {
        for member in members {
            if let place = member.place {
                awaited.append((place, tracks[index].episode.id))
            } else {
                tracks[index].preceding.append(member.detection)
            }
        }
        let settled = Set(members.map(\.detection))
        waiting.removeAll { settled.contains($0.detection) }
    }

    private mutating func clear(_ index: Int) {
        tracks[index].episode.clear()
        note(.cleared, of: index)
    }

    private mutating func note(_ event: EpisodeEvent, of index: Int) {
        if tracks[index].events.isEmpty { touched.append(index) }
        tracks[index].events.append(event)
    }
}
