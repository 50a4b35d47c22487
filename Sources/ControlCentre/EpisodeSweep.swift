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
    }

    /// The episodes of one kind that may still be joined.
    private struct Queue {
        /// The given ones, by start, of these by id.
        var given: ArraySlice<Int>
        /// Those brought forth, by start, since each starts at its instant; no two start together,
        /// as the next detection at that instant finds the first in reach.
        var newborn: ArraySlice<Int> = []

        /// The only ones that can start first.
        var heads: [Int] { [newborn.first, given.first].compactMap(\.self) }
    }

    private let quiet: Duration
    /// The given episodes by start and id, then those brought forth, in the order of their making.
    private var tracks: [Track]
    private var rung: Queue
    private var bornLate: Queue
    private var active: Int?
    /// The tracks with an event, in the order of their first.
    private var touched: [Int] = []

    init(over episodes: [Episode], quiet: Duration) {
        self.quiet = quiet
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
                before: track.before, after: track.episode, events: track.events)
        }
    }

    /// Takes the next detection, whose `instant` is not before the previous one's.
    ///
    /// - Returns: The alarm that it raised, opened late or extended.
    mutating func take(
        confidence: Double, at instant: Timestamp, late: Bool, makeID: () -> AlarmID
    ) -> AlarmID {
        clearActive(before: instant)
        rung = dropping(rung, before: instant)
        bornLate = dropping(bornLate, before: instant)
        if let index = late ? lateChoice(at: instant) : timelyChoice(at: instant) {
            extend(index, confidence: confidence, at: instant)
            return tracks[index].episode.id
        }
        let id = makeID()
        if late {
            openLate(id, confidence: confidence, at: instant)
        } else {
            raise(id, confidence: confidence, at: instant)
        }
        return id
    }

    // What is in reach

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
        tracks[index].episode.extend(confidence: confidence, at: instant, quiet: quiet)
        if case .extended(let count) = tracks[index].events.last {
            tracks[index].events[tracks[index].events.count - 1] = .extended(by: count + 1)
        } else {
            note(.extended(by: 1), of: index)
        }
    }

    private mutating func raise(_ id: AlarmID, confidence: Double, at instant: Timestamp) {
        let index = bringForth(
            Episode(
                id: id, raisedAt: instant, start: instant, last: instant, clearedAt: nil,
                detectionCount: 1, maxConfidence: confidence, late: false))
        rung.newborn.append(index)
        note(.raised, of: index)
        if anyStarts(moreThan: quiet, after: instant) { clear(index) } else { active = index }
    }

    private mutating func openLate(_ id: AlarmID, confidence: Double, at instant: Timestamp) {
        let index = bringForth(
            Episode(
                id: id, raisedAt: instant, start: instant, last: instant,
                clearedAt: instant + quiet, detectionCount: 1, maxConfidence: confidence,
                late: true))
        bornLate.newborn.append(index)
        note(.lateBorn, of: index)
    }

    private mutating func bringForth(_ episode: Episode) -> Int {
        tracks.append(Track(before: nil, episode: episode))
        return tracks.endIndex - 1
    }

    private mutating func clear(_ index: Int) {
        tracks[index].episode.clear(quiet: quiet)
        note(.cleared, of: index)
    }

    private mutating func note(_ event: EpisodeEvent, of index: Int) {
        if tracks[index].events.isEmpty { touched.append(index) }
        tracks[index].events.append(event)
    }
}
