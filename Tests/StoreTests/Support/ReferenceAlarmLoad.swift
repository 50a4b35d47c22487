/// What observers' positions bore, counted second by second: slow, and as the standard says it.
///
/// Seconds are from a full hour on; what rings does so at a full second.
struct ReferenceAlarmLoad {
    struct Position {
        let name: String
        /// Half-open.
        let staffed: [Range<Int>]
        /// Which of the rings come from an area that it watches.
        var watches: (Ring) -> Bool = { _ in true }
    }

    struct Ring: Hashable {
        let second: Int
        var area = 0
    }

    struct Flood: Equatable, CustomStringConvertible {
        let position: String
        let start: Int
        /// Nil: it goes on.
        var end: Int?

        var description: String { "\(position) \(start)-\(end.map(String.init) ?? "")" }
    }

    private(set) var floods: [Flood] = []
    /// Such as `3600 windows 2`: so many windows of the hour at 3600 s had two alarms; `3600 floods`
    /// and `3600 flood_seconds`.
    private(set) var tallies: [String: Int] = [:]

    init(of rings: [Ring], at positions: [Position], until end: Int) {
        for position in positions {
            var heard = Array(repeating: 0, count: end)
            var isStaffed = Array(repeating: false, count: end)
            for second in position.staffed.flatMap({ Array($0) }) where (0..<end).contains(second) {
                isStaffed[second] = true
            }
            for ring in rings
            where ring.second < end && isStaffed[ring.second] && position.watches(ring) {
                heard[ring.second] += 1
            }
            for window in stride(from: 0, to: end, by: 600)
            where isStaffed[window..<window + 600].contains(true) {
                let alarms = heard[window..<window + 600].reduce(0, +)
                tallies["\(window / 3_600 * 3_600) windows \(alarms)", default: 0] += 1
            }
            follow(heard, isStaffed, at: position.name)
        }
    }

    private mutating func follow(_ heard: [Int], _ isStaffed: [Bool], at position: String) {
        var recent = 0
        // What rang before somebody came was not heard by them.
        var staffedSince = 0
        var running: Flood?
        for second in heard.indices {
            if isStaffed[second] {
                recent +=
                    heard[second] - (second - 600 >= staffedSince ? heard[second - 600] : 0)
            } else {
                recent = 0
                staffedSince = second + 1
            }
            if var flood = running, recent < 5 || !isStaffed[second] {
                flood.end = second
                floods.append(flood)
                running = nil
            }
            if running == nil, heard[second] > 0, recent > 10 {
                running = Flood(position: position, start: second)
                tallies["\(second / 3_600 * 3_600) floods", default: 0] += 1
            }
            if running != nil {
                tallies["\(second / 3_600 * 3_600) flood_seconds", default: 0] += 1
            }
        }
        if let running { floods.append(running) }
    }
}
