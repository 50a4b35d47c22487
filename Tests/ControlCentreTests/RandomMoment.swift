import ControlCentre

/// What a key's store may hold, and a group that comes upon it: any episodes of which at most one is
/// active, whether or not a history leads there.
///
/// All instants fall on a grid of five seconds, as in ``RandomHistory``, within a few minutes. Ids
/// are below or above those of the alarms that ``AlarmNumbers`` hands out.
struct RandomMoment {
    let episodes: [Episode]
    let detections: [CorrelatedDetection]

    init(using generator: inout SplitMix64) {
        let count = Int.random(in: 0...5, using: &generator)
        let active = Int.random(in: 0...5, using: &generator)
        let numbers = [1, 2, 3, 201, 202].shuffled(using: &generator)
        episodes = (0..<count).map { index in
            let start = 5 * Int.random(in: -24...24, using: &generator)
            let last = start + 5 * Int.random(in: 0...12, using: &generator)
            return episode(
                numbers[index], from: start, to: last, clearedAt: index == active ? nil : last + 30,
                late: index != active && Bool.random(using: &generator))
        }
        detections = (0..<Int.random(in: 1...24, using: &generator)).map { number in
            let second = 5 * Int.random(in: -30...30, using: &generator)
            return detection(
                number, at: second, receivedAt: second + (Bool.random(using: &generator) ? 60 : 61))
        }
    }
}
