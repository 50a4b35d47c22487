/// Turns detections into episodes: a pure function of a rule.
///
/// Each call decides one group of one ``CorrelationKey``. The detections are taken in the order of
/// the instants at which they count, whatever the order in which they are given:
///
/// - One that is older than the retention period, or below the confidence threshold, touches
///   nothing.
/// - A timely one joins no episode that was born late, for that one never rang. If the active one has
///   started and is within `quiet` (ends included), it joins that.
/// - Otherwise it joins, of the episodes that rang and within `quiet` of whose interval it lies, the
///   one that starts first, of these the one with the least id; but only if some episode of the key,
///   of whatever kind, starts after it, so that it belongs to the past. If none does, it is happening
///   now and has to ring. If it joins none, it raises an episode.
/// - A late one joins any episode within `quiet`, of several the one that starts first, of these the
///   one with the least id. If there is none, it opens one that is born cleared.
/// - Where the rule wants several detections within a window, one that joins none and is one of too
///   few waits. The first that makes them enough, those after it included, raises or opens the
///   episode, which counts them all; ``Episode/raisedAt`` is this one's instant. A late one opens an
///   episode with late ones only, so that it takes no detection from an alarm that has yet to ring.
/// - Joining widens the interval. A cleared episode stays cleared, and its end moves along. Episodes
///   never merge, although one may be raised within `quiet` of a cleared one. Whether an observer has
///   closed the alarm plays no part.
/// - An active episode is cleared when a detection, timely or late, comes more than `quiet` after it,
///   and at once when it is raised although another episode starts more than `quiet` after it.
///
/// So each timely detection belongs to an alarm that rang, and one after which nothing starts to an
/// active one: no cleared episode starves an alarm over which late detections have stretched it, nor
/// hides what goes on after a backlog.
///
/// A new version of the rule holds for what is decided from then on; but each episode ends by the
/// quiet time that it was raised under, and while one is active that was raised under a longer one,
/// `quiet` is that one's for all the key.
///
/// At most one episode of a key is active. For one becomes active only when a timely detection raises
/// it, and none is raised while the active one is in reach: if that has started, it is joined; if
/// not, it starts after the detection, so that it is joined or one that starts before it. Out of
/// reach, it lies more than `quiet` before the detection, which clears it, or more than `quiet`
/// after, which clears the new one. The active one need not start last: one born late may start soon
/// after it.
public struct Correlator: Sendable {
    /// The rule that is applied.
    public let rule: CorrelationRule

    /// A correlator that applies `rule`.
    public init(rule: CorrelationRule) { self.rule = rule }

    /// From the longest `quiet` before the first to as much after the last detection that may
    /// touch an episode; nil if none may, so that no episode need be fetched.
    ///
    /// ``decide(detections:episodes:makeID:)`` needs, of the key's episodes,
    ///
    /// - each whose `last` is at or after the window's lower bound and whose `start` is at or before
    ///   its upper bound,
    /// - the active one, if any, since a detection may clear it from afar,
    /// - and the one that starts last; of several that start together, any.
    ///
    /// That is enough. Any other episode is cleared already, and it ends more than `quiet` before
    /// every detection or starts more than `quiet` after every one. So none joins it first, hence
    /// none at all: it stays as it is, however far joining widens the intervals of others. What
    /// remains is that it starts after a detection, which lets that one join a cleared episode, or
    /// more than `quiet` after, which has the one that is raised cleared at once. Then it starts
    /// beyond the window's upper bound, the one that starts last does so too, is out of reach
    /// likewise, and bears the same witness.
    public func searchWindow(
        for detections: [CorrelatedDetection]
    ) -> ClosedRange<Timestamp>? {
        var first: Timestamp?
        var last: Timestamp?
        for detection in detections where outcomeWithoutEpisode(of: detection) == nil {
            let instant = detection.effectiveAt
            first = min(first ?? instant, instant)
            last = max(last ?? instant, instant)
        }
        guard let first, let last else { return nil }
        let quiet = max(rule.quiet, rule.quietLongest)
        return (first - quiet)...(last + quiet)
    }

    /// Where detections may wait that one of these makes enough; nil if one alone is enough.
    public func waitingWindow(
        for detections: [CorrelatedDetection]
    ) -> ClosedRange<Timestamp>? {
        guard rule.detectionsMin > 1 else { return nil }
        let instants = detections.filter { outcomeWithoutEpisode(of: $0) == nil }.map(\.effectiveAt)
        guard let first = instants.min(), let last = instants.max() else { return nil }
        return (first - rule.detectionsWindow)...(last + rule.detectionsWindow)
    }

    /// Decides one group of one key.
    ///
    /// Takes O(n log n + m log m) time for n detections and m episodes: both are sorted, then swept
    /// once.
    ///
    /// - Parameters:
    ///   - detections: The group's new detections of the key, in any order. A resent one is not new;
    ///     it would count again.
    ///   - waiting: Those of earlier groups within ``waitingWindow(for:)`` that belong to no episode,
    ///     in any order; more of them do no harm.
    ///   - episodes: Of the key's episodes those that ``searchWindow(for:)`` asks for, in any order;
    ///     more of them do no harm. At most one is active.
    ///   - makeID: Called once for each episode that is raised or opened, in the order of their
    ///     instants.
    public func decide(
        detections: [CorrelatedDetection], waiting: [CorrelatedDetection] = [],
        episodes: [Episode], makeID: () -> AlarmID
    ) -> CorrelationDecision {
        var sweep = EpisodeSweep(
            over: episodes, waiting: waiting.filter { outcomeWithoutEpisode(of: $0) == nil },
            rule: rule)
        var outcomes = [DetectionOutcome](repeating: .countedOnly, count: detections.count)
        for index in detections.indices.sorted(by: { detections[$0].precedes(detections[$1]) }) {
            let detection = detections[index]
            if let outcome = outcomeWithoutEpisode(of: detection) {
                outcomes[index] = outcome
            } else if let alarm = sweep.take(detection, at: index, makeID: makeID) {
                outcomes[index] = .joined(alarm)
            } else {
                outcomes[index] = .waiting
            }
        }
        for (index, alarm) in sweep.awaited { outcomes[index] = .joined(alarm) }
        return CorrelationDecision(outcomes: outcomes, changes: sweep.changes)
    }

    /// What becomes of a detection that may touch no episode; nil for any other.
    private func outcomeWithoutEpisode(of detection: CorrelatedDetection) -> DetectionOutcome? {
        if detection.age > rule.retention { return .countedOnly }
        if detection.confidence < rule.confidenceMin { return .belowThreshold }
        return nil
    }
}

extension CorrelatedDetection {
    /// The order in which detections are taken: total over all that a site can store, so that the
    /// order of arrival within a group decides nothing.
    func precedes(_ other: CorrelatedDetection) -> Bool {
        (effectiveAt, id, occurredAt) < (other.effectiveAt, other.id, other.occurredAt)
    }
}
