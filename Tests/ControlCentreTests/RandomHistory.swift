import ControlCentre

/// Groups of detections of one key in the order of their transactions, as a bad network delivers
/// them: in bursts, out of order, minutes and days late, from clocks that are ahead. Some wait for
/// their transaction after they were received, so that others overtake them.
///
/// All instants fall on a grid of five seconds, so that intervals touch each other exactly and many
/// detections share an instant.
struct RandomHistory {
    struct Group {
        let takenAt: Timestamp
        let detections: [CorrelatedDetection]
    }

    let groups: [Group]

    init(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        var second = 0
        var number: UInt64 = 0
        groups = (0..<60).map { _ in
            second += 5 * Int.random(in: 0...16, using: &generator)
            let count = Int.random(in: 1...8, using: &generator)
            let detections = (0..<count).map { _ in
                number += 1
                let receipt = second - Self.waitInSeconds(using: &generator)
                let age = Self.ageInSeconds(using: &generator)
                return CorrelatedDetection(
                    // The number makes the id unique, the random half makes its order arbitrary.
                    id: DetectionID(UUID(high: generator.next(), low: number)),
                    occurredAt: at(receipt - age), receivedAt: at(receipt),
                    confidence: [0.3, 0.5, 0.7, 0.9].randomElement(using: &generator) ?? 0.9)
            }
            return Group(takenAt: at(second), detections: detections)
        }
    }

    private static func waitInSeconds(using generator: inout SplitMix64) -> Int {
        Int.random(in: 0..<5, using: &generator) == 0
            ? 5 * Int.random(in: 1...24, using: &generator) : 0
    }

    private static func ageInSeconds(using generator: inout SplitMix64) -> Int {
        let range =
            switch Int.random(in: 0..<20, using: &generator) {
            case 0: -60...(-1)
            case 1...3: 13...200
            case 4: 201...1_000
            case 5: 51_840...51_845
            default: 0...12
            }
        return 5 * Int.random(in: range, using: &generator)
    }
}
