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

    /// Between which the total lies.
    private struct Bounds {
        var least: Int64 = 0
        var most: Int64 = 0
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
        bounds = groups.reduce(into: Bounds()) { Self.add($1, of: cells, [], to: &$0) }
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
        let told = cells.indices.filter { !cells[$0].isHidden && cells[$0].count > 0 }
        if let smallest = told.min(by: { cells[$0].count < cells[$1].count }) {
            cells[smallest].isHidden = true
        } else if !isTotalHidden {
            isTotalHidden = true
        } else {
            return false
        }
        return true
    }

    // MARK: What else the numbers could be

    private static let steps: [Int64] = [1, -1]

    private func canDiffer(_ cell: Int) -> Bool {
        for amount in Self.steps {
            let change = Change(cell: cell, by: amount)
            guard isPossible(change) else { continue }
            if fits([change]) { return true }
            // One that may be any number makes up for most.
            for isSmall in [false, true] {
                for other in cells.indices
                where other != cell && cells[other].isHidden && cells[other].isSmall == isSmall {
                    let others = Self.steps.map { Change(cell: other, by: $0) }
                    if others.contains(where: { isPossible($0) && fits([change, $0]) }) {
                        return true
                    }
                }
            }
        }
        return false
    }

    private var canTotalDiffer: Bool {
        if Self.steps.contains(where: { fits([], ofTotal: $0) }) { return true }
        return hiddenCells.contains { cell in
            Self.steps.map { Change(cell: cell, by: $0) }.contains { change in
                isPossible(change) && Self.steps.contains { fits([change], ofTotal: $0) }
            }
        }
    }

    private func isPossible(_ change: Change) -> Bool {
        let count = cells[change.cell].count + change.by
        return count > 0 && !(cells[change.cell].isSmall && count >= threshold)
    }

    /// Whether the total lies within its bounds if cells are otherwise.
    private func fits(_ changes: [Change]) -> Bool {
        fits(changes, ofTotal: 0)
            || isTotalHidden && Self.steps.contains { fits(changes, ofTotal: $0) }
    }

    private func fits(_ changes: [Change], ofTotal amount: Int64) -> Bool {
        var changed = bounds
        for group in Set(changes.map { cells[$0.cell].group }) {
            var before = Bounds()
            Self.add(groups[group], of: cells, [], to: &before)
            changed.least -= before.least
            changed.most -= before.most
            Self.add(groups[group], of: cells, changes, to: &changed)
        }
        return max(1, changed.least) <= total + amount && total + amount <= changed.most
    }

    private static func add(
        _ group: [Int], of cells: [Cell], _ changes: [Change], to bounds: inout Bounds
    ) {
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
    }
}
