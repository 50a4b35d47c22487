/// The figures of one period by outcomes, of which a matter may have several, as someone sees them who
/// wants to compute what is hidden.
///
/// Such cells do not add up to the total. Of the matters that have the same keys beside the outcome
/// there are at least as many as have any one outcome, and at most as many as all outcomes together;
/// nothing else bounds them. So a hidden number is not known if another one, with all that is printed as
/// it is, keeps the total between those bounds: a number greater or less by one, alone or while another
/// hidden number is. That holds also against a reader who knows which cells are hidden for being small.
struct OutcomeFigures {
    private struct Cell {
        let count: Int64
        /// Its place in `groups`.
        let group: Int
        /// No other outcome stands beside it: `none`, or no value.
        let isAlone: Bool
        /// Each matter has one of those.
        let isAsked: Bool
        let isSmall: Bool
        var isHidden: Bool
    }

    /// The cells that have the same keys beside the outcome.
    private let groups: [[Int]]
    private var cells: [Cell]
    private let total: Int64
    private let threshold: Int64
    private let bounds: Bounds
    private(set) var isTotalHidden: Bool
    /// How many changes of a hidden cell, of those that are possible, move the bounds so. There are
    /// few ways, so that one cell need not be compared with all others.
    private var shifts: [Bounds: Int] = [:]
    /// The cells that have cases, the smallest last.
    private var told: [Int]

    /// Between which the total lies; or by how much something moves them.
    private struct Bounds: Hashable {
        var least: Int64 = 0
        var most: Int64 = 0

        static func + (left: Bounds, right: Bounds) -> Bounds {
            Bounds(least: left.least + right.least, most: left.most + right.most)
        }

        static func - (left: Bounds, right: Bounds) -> Bounds {
            Bounds(least: left.least - right.least, most: left.most - right.most)
        }
    }

    /// A number that might be another.
    private struct Change {
        let cell: Int
        let by: Int64
    }

    /// - Parameter part: of a question that is grouped by outcome.
    init(of part: StatisticsAnswer.Part, _ question: StatisticsQuestion, threshold: Int64) {
        guard let place = question.groups.firstIndex(of: .outcome) else {
            preconditionFailure("figures that are not by outcome")
        }
        self.threshold = threshold
        let small = 1..<threshold
        let asked = question.filter(.outcome)
        var groups: [[Int]] = []
        var placesByKeys: [[String?]: Int] = [:]
        var cells: [Cell] = []
        for (ordinal, cell) in part.cells.enumerated() {
            var others = cell.keys
            let outcome = others.remove(at: place)
            let group = placesByKeys[others] ?? groups.count
            if group == groups.count {
                placesByKeys[others] = group
                groups.append([])
            }
            groups[group].append(ordinal)
            let count = cell.tallies[.cases].count
            cells.append(
                Cell(
                    count: count, group: group,
                    isAlone: outcome == nil || outcome == IncidentOutcome.none.rawValue,
                    isAsked: asked.map { $0.contains { $0 == outcome } } ?? true,
                    isSmall: small.contains(count), isHidden: small.contains(count)))
        }
        self.groups = groups
        self.cells = cells
        total = part.total.tallies[.cases].count
        isTotalHidden = small.contains(total)
        bounds = groups.reduce(Bounds()) { $0 + Self.bounds(of: $1, in: cells, with: []) }
        told = cells.indices.filter { !cells[$0].isHidden && cells[$0].count > 0 }
            .sorted { (cells[$1].count, $1) < (cells[$0].count, $0) }
        for cell in hiddenCells { noteShifts(of: cell) }
    }

    /// The cells that must not be told.
    var hiddenCells: [Int] { cells.indices.filter { cells[$0].isHidden } }

    /// Hides one figure after the other until none can be computed.
    mutating func hide() {
        // What can be another number stays so, whatever else is hidden.
        for cell in hiddenCells {
            while !canDiffer(cell), hideAnother() {}
        }
        while isTotalHidden, !canTotalDiffer, hideAnother() {}
    }

    /// Hides the smallest figure that has cases, or at last the total; false: all are hidden.
    private mutating func hideAnother() -> Bool {
        if let smallest = told.popLast() {
            cells[smallest].isHidden = true
            noteShifts(of: smallest)
        } else if !isTotalHidden {
            isTotalHidden = true
        } else {
            return false
        }
        return true
    }

    // MARK: What else the numbers could be

    private static let steps: [Int64] = [1, -1]

    /// The ways in which a cell's number can be another.
    private func changes(of cell: Int) -> [Change] {
        Self.steps.map { Change(cell: cell, by: $0) }.filter { isPossible($0) }
    }

    private func isPossible(_ change: Change) -> Bool {
        let count = cells[change.cell].count + change.by
        return count > 0 && !(cells[change.cell].isSmall && count >= threshold)
    }

    private mutating func noteShifts(of cell: Int) {
        for change in changes(of: cell) { shifts[shift(by: [change]), default: 0] += 1 }
    }

    private func canDiffer(_ cell: Int) -> Bool {
        let group = groups[cells[cell].group].filter { cells[$0].isHidden }
        return changes(of: cell).contains { change in
            let shift = shift(by: [change])
            if fits(shift) { return true }
            // Of the others in its group together, of any other by what it does alone.
            var elsewhere = shifts
            for other in group {
                for added in changes(of: other) {
                    if other != cell, fits(self.shift(by: [change, added])) { return true }
                    elsewhere[self.shift(by: [added]), default: 0] -= 1
                }
            }
            return elsewhere.contains { $0.value > 0 && fits(shift + $0.key) }
        }
    }

    private var canTotalDiffer: Bool {
        Self.steps.contains { amount in
            fits(Bounds(), ofTotal: amount) || shifts.keys.contains { fits($0, ofTotal: amount) }
        }
    }

    /// Whether the total lies within its bounds if these are moved.
    private func fits(_ shift: Bounds) -> Bool {
        fits(shift, ofTotal: 0) || isTotalHidden && Self.steps.contains { fits(shift, ofTotal: $0) }
    }

    private func fits(_ shift: Bounds, ofTotal amount: Int64) -> Bool {
        let moved = bounds + shift
        return max(1, moved.least) <= total + amount && total + amount <= moved.most
    }

    /// - Parameter changes: of cells of one group.
    private func shift(by changes: [Change]) -> Bounds {
        let group = groups[cells[changes[0].cell].group]
        return Self.bounds(of: group, in: cells, with: changes)
            - Self.bounds(of: group, in: cells, with: [])
    }

    private static func bounds(of group: [Int], in cells: [Cell], with changes: [Change]) -> Bounds
    {
        var bounds = Bounds()
        var greatest: Int64 = 0
        for place in group {
            let cell = cells[place]
            let count = cell.count + changes.reduce(0) { $0 + ($1.cell == place ? $1.by : 0) }
            if cell.isAlone {
                bounds.least += count
            } else {
                greatest = max(greatest, count)
            }
            if cell.isAsked { bounds.most += count }
        }
        bounds.least += greatest
        return bounds
    }
}
