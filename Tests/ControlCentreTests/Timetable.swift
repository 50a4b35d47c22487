import ControlCentre

/// Seconds after noon stand for instants, and numbers for ids, so that a test reads as a timetable.
let noon = Timestamp.epoch + .seconds(1_795_521_600)

func at(_ seconds: Int) -> Timestamp { noon + .seconds(seconds) }

func alarm(_ number: Int) -> AlarmID { AlarmID(UUID(high: 0, low: UInt64(number))) }

/// A detection at that second, received the same second unless said otherwise.
func detection(
    _ number: Int, at second: Int, receivedAt receipt: Int? = nil, confidence: Double = 0.9
) -> CorrelatedDetection {
    CorrelatedDetection(
        id: DetectionID(UUID(high: 0, low: UInt64(number))), occurredAt: at(second),
        receivedAt: at(receipt ?? second), confidence: confidence)
}

/// An episode between two seconds, active unless it has an end.
func episode(
    _ number: Int, from start: Int, to last: Int, clearedAt end: Int? = nil, count: Int = 1,
    late: Bool = false
) -> Episode {
    Episode(
        id: alarm(number), raisedAt: at(start), start: at(start), last: at(last),
        clearedAt: end.map(at), detectionCount: count, maxConfidence: 0.6, late: late)
}

/// Hands out the alarms from `first` on.
final class AlarmNumbers {
    private var next: Int

    init(from first: Int = 100) { next = first }

    func make() -> AlarmID {
        defer { next += 1 }
        return alarm(next)
    }
}

extension Correlator {
    /// Decides with alarms numbered from 100 on.
    func decide(
        _ detections: [CorrelatedDetection], given episodes: [Episode] = []
    ) -> CorrelationDecision {
        let numbers = AlarmNumbers()
        return decide(detections: detections, episodes: episodes, makeID: numbers.make)
    }
}
