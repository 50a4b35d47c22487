/// One pass over a key's episodes by detections whose instants never go back.
///
/// Since the instants ascend, an episode that ended more than `quiet` before one of them is out of
/// reach for good. So the episode to join is found by moving a mark along the list of episodes,
/// sorted by start: the first in reach of the past is the only candidate, for every later one starts
/// later still.
struct EpisodeSweep {
    private struct Track {
        let before: Episode?
        var episode: Episode
        var events: [EpisodeEvent] = []
    }

    private let quiet: Duration
    /// The given episodes by start and id, then those brought forth, in the order of their making.
    private var tracks: [Track]
    private let givenCount: Int
    /// The first of the given episodes that is still in reach.
    private var mark = 0
    /// The last episode brought forth, while in reach. It starts before any that ``mark`` may show.
    private var newborn: Int?
    /// The active episodes: at most one, unless more were given.
    private var active: [Int]
    /// The tracks with an event, in the order of their first.
    private var touched: [Int] = []

    init(over episodes: [Episode], quiet: Duration) {
        self.quiet = quiet
        tracks =
            episodes
            .sorted { ($0.start, $0.id) < ($1.start, $1.id) }
            .map { Track(before: $0, episode: $0) }
        givenCount = tracks.count
        active = tracks.indices.filter { [tracks] in tracks[$0].episode.condition == .active }
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
        if let index = reachable(at: instant) {
            extend(index, confidence: confidence, at: instant)
            return tracks[index].episode.id
        }
        let id = makeID()
        bringForth(id, confidence: confidence, at: instant, late: late)
        return id
    }

    private func isOver(_ index: Int, at instant: Timestamp) -> Bool {
        tracks[index].episode.last + quiet < instant
    }

    private mutating func clearActive(before instant: Timestamp) {
        for position in active.indices.reversed() where isOver(active[position], at: instant) {
            clear(active.remove(at: position))
        }
    }

    private mutating func reachable(at instant: Timestamp) -> Int? {
        if let newborn, !isOver(newborn, at: instant) { return newborn }
        newborn = nil
        while mark < givenCount, isOver(mark, at: instant) { mark += 1 }
        guard mark < givenCount, tracks[mark].episode.start - quiet <= instant else { return nil }
        return mark
    }

    private mutating func extend(_ index: Int, confidence: Double, at instant: Timestamp) {
        tracks[index].episode.extend(confidence: confidence, at: instant, quiet: quiet)
        if case .extended(let count) = tracks[index].events.last {
            tracks[index].events[tracks[index].events.count - 1] = .extended(by: count + 1)
        } else {
            note(.extended(by: 1), of: index)
        }
    }

    private mutating func bringForth(
        _ id: AlarmID, confidence: Double, at instant: Timestamp, late: Bool
    ) {
        let index = tracks.count
        tracks.append(
            Track(
                before: nil,
                episode: Episode(
                    id: id, raisedAt: instant, start: instant, last: instant,
                    clearedAt: late ? instant + quiet : nil, detectionCount: 1,
                    maxConfidence: confidence, late: late)))
        newborn = index
        guard !late else { return note(.lateBorn, of: index) }
        note(.raised, of: index)
        // The marked episode did not take the detection, so it starts more than `quiet` after it.
        if mark < givenCount { clear(index) } else { active.append(index) }
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
