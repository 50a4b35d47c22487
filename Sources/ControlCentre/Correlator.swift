/// Turns detections into episodes: a pure function of a rule.
///
/// Each call decides one group of one ``CorrelationKey``. The detections are taken in the order of
/// the instants at which they count, whatever the order in which they are given:
///
/// - One that is older than the retention period, or below the confidence threshold, touches
///   nothing.
/// - One within `quiet` of an episode's interval (ends included) joins it; of several, the one that
///   starts first. It widens the interval. A cleared episode stays cleared, and its end moves
///   along, so a detection that joins an alarm born late does not ring either. Episodes never
///   merge. Whether an observer has closed the alarm plays no part.
/// - Any other raises an episode, or, if it is late, opens one that is born cleared.
/// - An active episode is cleared when a detection comes more than `quiet` after it, and at once
///   when it is raised although another episode starts more than `quiet` after it.
///
/// So at most one episode of a key is active, and it is the one that starts last: whatever raises an
/// episode lies more than `quiet` from every other, which clears the active one if it is earlier and
/// the new one if any is later; and no joining changes the order of two starts, since a detection
/// that joins the later of two lies after the earlier one.
public struct Correlator: Sendable {
    /// The rule that is applied.
    public let rule: CorrelationRule

    /// A correlator that applies `rule`.
    public init(rule: CorrelationRule) { self.rule = rule }

    /// From `quiet` before the first to `quiet` after the last detection that may touch an episode;
    /// nil if none may, so that no episode need be fetched.
    ///
    /// ``decide(detections:episodes:makeID:)`` needs, of the key's episodes,
    ///
    /// - each whose `last` is at or after the window's lower bound and whose `start` is at or before
    ///   its upper bound,
    /// - and the one that starts last, which is also the only one that can be active.
    ///
    /// That is enough. Any other episode ends more than `quiet` before every detection or starts more
    /// than `quiet` after every one. So none joins it first, hence none at all: its interval stays
    /// as it is, however far joining widens the intervals of others. What remains is that a later
    /// episode clears one just raised; for that its existence suffices, and the one that starts last
    /// bears witness to it.
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
        return (first - rule.quiet)...(last + rule.quiet)
    }

    /// Decides one group of one key.
    ///
    /// Takes O(n log n + m log m) time for n detections and m episodes: both are sorted, then swept
    /// once.
    ///
    /// - Parameters:
    ///   - detections: The group's new detections of the key, in any order. A resent one is not new;
    ///     it would count again.
    ///   - episodes: Of the key's episodes those that ``searchWindow(for:)`` asks for, in any order;
    ///     more do no harm.
    ///   - makeID: Called once for each episode that is raised or opened, in the order of their
    ///     instants.
    public func decide(
        detections: [CorrelatedDetection], episodes: [Episode], makeID: () -> AlarmID
    ) -> CorrelationDecision {
        var sweep = EpisodeSweep(over: episodes, quiet: rule.quiet)
        var outcomes = [DetectionOutcome](repeating: .countedOnly, count: detections.count)
        for index in detections.indices.sorted(by: { detections[$0].precedes(detections[$1]) }) {
            let detection = detections[index]
            outcomes[index] =
                outcomeWithoutEpisode(of: detection)
                ?? .joined(
                    sweep.take(
                        confidence: detection.confidence, at: detection.effectiveAt,
                        late: detection.age > rule.lateAfter, makeID: makeID))
        }
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
    fileprivate func precedes(_ other: CorrelatedDetection) -> Bool {
        (effectiveAt, id, occurredAt) < (other.effectiveAt, other.id, other.occurredAt)
    }
}
