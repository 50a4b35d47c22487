import ControlCentre

@testable import Store

/// Detections of a few keys as a bad network delivers them: out of order, minutes and days late,
/// from clocks that are ahead, some of them repeatedly, in parcels of any size.
struct RandomDelivery {
    /// In the order in which they are handed in.
    let parcels: [[IncomingDetection]]

    /// - Parameter grid: the distance between instants at which things may happen. A coarse one
    ///   makes intervals touch each other exactly; a fine one lets no two instants be the same.
    init(of site: DemonstrationSite, count: Int, grid: Duration, seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        // Around now, so that clearing by the clock finds some of it due.
        let start = Timestamp.now() - .seconds(900)
        func instant(_ seconds: ClosedRange<Double>) -> Duration {
            let steps = (seconds.lowerBound / grid.seconds)...(seconds.upperBound / grid.seconds)
            return grid * Int(Double.random(in: steps, using: &generator))
        }
        var sent = (0..<count).map { number in
            let receipt = start + instant(0...1_200)
            let age =
                switch Int.random(in: 0..<20, using: &generator) {
                case 0: instant(-300...(-1))
                case 1...4: instant(65...1_000)
                case 5: instant(259_200...259_230)
                default: instant(0...60)
                }
            return site.detection(
                // The number makes the id unique, the random half makes its order arbitrary.
                DetectionID(UUID(high: generator.next(), low: UInt64(number))),
                camera: Int.random(in: 0..<site.cameras.count, using: &generator),
                pattern: Bool.random(using: &generator) ? .hitting : .kicking,
                mode: Int.random(in: 0..<4, using: &generator) == 0 ? .parallel : .production,
                model: ["v1", "v2"].randomElement(using: &generator),
                confidence: [0.3, 0.5, 0.7, 0.9].randomElement(using: &generator) ?? 0.9,
                at: receipt - age, receivedAt: receipt)
        }
        // Nodes deliver roughly in the order of receipt.
        sent.sort { $0.receivedAt < $1.receivedAt }
        for index in sent.indices {
            let other = index + Int.random(in: 0...20, using: &generator)
            if other < sent.count { sent.swapAt(index, other) }
        }
        for _ in 0..<count / 5 {
            let index = Int.random(in: 0..<sent.count, using: &generator)
            sent.insert(sent[index], at: Int.random(in: index...sent.count, using: &generator))
        }
        var parcels: [[IncomingDetection]] = []
        var rest = sent[...]
        while !rest.isEmpty {
            let size = Int.random(in: 1...12, using: &generator)
            parcels.append(Array(rest.prefix(size)))
            rest = rest.dropFirst(size)
        }
        self.parcels = parcels
    }
}

extension Duration {
    fileprivate var seconds: Double {
        Double(components.seconds) + Double(components.attoseconds) / 1e18
    }
}
