/// Hides the small numbers of an answer, and as many others as keep them from being computed.
///
/// A figure is small if it has cases, but fewer than the threshold. None is no small number: zero
/// must mean zero. What is hidden is hidden with all its measures, and says `suppressed`; the same
/// holds for the counts of what is left out. Hours of cameras and windows of positions are no
/// cases, and never small.
///
/// The reader is assumed to know the threshold, that whatever is hidden has at least one case, all
/// that is printed, that cells add up to their period's total, and which periods overlap. Of no
/// hidden figure can that reader tell the number. To that end a period's smallest cell that is not
/// small is hidden too, or its total if there is none: at most one more for each tally, where
/// periods overlap for each tally and set of them. Cells by outcome do not add up, as matters may
/// have several; what tells of those is another (`OutcomeFigures`).
public struct SmallNumberSuppression: Sendable {
    /// Numbers below 2 would be 1, so hiding them would tell them; above 100 hardly any number
    /// would be told.
    public static let thresholds = 3...100

    private let threshold: Int64

    /// - Precondition: `thresholds` has it.
    public init(below threshold: Int) {
        precondition(Self.thresholds.contains(threshold), "a threshold that hides nothing")
        self.threshold = Int64(threshold)
    }

    /// The answer without what must be hidden; nil where a comparison overlaps the period itself, or
    /// by outcome another comparison.
    ///
    /// Only a period of more than a year overlaps what it is compared with. Each of its figures would
    /// tell something of the other's, over as many years as it has.
    public func applied(to answer: StatisticsAnswer) -> StatisticsAnswer? {
        let compared = answer.comparisons.map(\.part)
        let isByOutcome = answer.question.groups.contains(.outcome)
        let areTied = compared.count == 2 && compared[0].overlaps(compared[1])
        guard !compared.contains(where: { $0.overlaps(answer.period) }), !isByOutcome || !areTied
        else { return nil }
        var suppressed = answer
        suppressed.period = hide(in: [answer.period], of: answer.question)[0]
        var parts: [StatisticsAnswer.Part]
        if areTied {
            parts = hide(in: compared, of: answer.question)
        } else {
            parts = compared.map { hide(in: [$0], of: answer.question)[0] }
        }
        for ordinal in parts.indices { suppressed.comparisons[ordinal].part = parts[ordinal] }
        return suppressed
    }

    /// - Parameter parts: one, or two that overlap.
    private func hide(in parts: [StatisticsAnswer.Part], of question: StatisticsQuestion)
        -> [StatisticsAnswer.Part]
    {
        if question.groups.contains(.outcome) {
            return parts.map { part in
                var figures = OutcomeFigures(of: part, question, threshold: threshold)
                figures.hide()
                return hide(figures.hiddenCells, withTotal: figures.isTotalHidden, of: part)
            }
        }
        var figures = TiedFigures(
            of: parts,
            // How many times are missing is no number of matters by itself.
            counts: MetricDefinition.current(of: question.metric).measures.filter {
                $0.countsCases && $0 != .missing
            }, threshold: threshold)
        figures.hide()
        return parts.enumerated().map { ordinal, part in
            hide(
                figures.hiddenCells(in: ordinal), withTotal: figures.isTotalHidden[ordinal],
                of: part)
        }
    }

    private func hide(_ cells: [Int], withTotal: Bool, of part: StatisticsAnswer.Part)
        -> StatisticsAnswer.Part
    {
        var part = part
        for cell in cells { part.cells[cell].suppress() }
        part.late = late(of: part, hiding: withTotal || !cells.isEmpty)
        if withTotal { part.total.suppress() }
        part.leftOut.suppress(below: threshold, withTotal: withTotal)
        return part
    }
}

extension SmallNumberSuppression {
    /// How many alarms were late, unless that tells of a few: these, the others, or a hidden cell's.
    ///
    /// - Parameter part: with its total.
    private func late(of part: StatisticsAnswer.Part, hiding hidesAny: Bool) -> CaseCount? {
        guard case .number(let late) = part.late, late > 0 else { return part.late }
        let verdicts: [FigureTally] = [.confirmed, .dismissed, .unjudged]
        let alarms = verdicts.reduce(0) { $0 + part.total.tallies[$1].count }
        let small = 1..<threshold
        let tells = hidesAny || small.contains(late) || small.contains(alarms - late)
        return tells ? .suppressed : part.late
    }
}

extension StatisticsAnswer.Part {
    fileprivate func overlaps(_ other: StatisticsAnswer.Part) -> Bool {
        spans.contains { span in
            other.spans.contains {
                $0.site == span.site && $0.from < span.to && span.from < $0.to
            }
        }
    }
}

extension StatisticsAnswer.Cell {
    fileprivate mutating func suppress() {
        state = .suppressed
        detectionState = detectionState.map { _ in .suppressed }
        positionState = positionState.map { _ in .suppressed }
        tallies = Tallies()
    }
}

/// The figures of one period, or of two that overlap, so that a number of one bounds the other's.
///
/// Whether a hidden figure could be computed is decided by moving a single case: where a case can
/// be thought to lie in one hidden cell as well as in another, so that all that is printed stays
/// as it is, neither cell is known.
private struct TiedFigures {
    /// The cells of the same keys, hidden together wherever they have cases.
    private struct Strand {
        /// Its cell in each part; nil: the part has none.
        var cells: [Int?]
        /// By part and tally.
        var counts: [Int64]
        var isSmall: Bool
        var isHidden = false
    }

    /// Where a case of a hidden strand may lie: in all of these parts, and in no other.
    private struct Place {
        var strand: Int
        /// One bit for each.
        var parts: UInt8
        /// Whether one can be taken away and the strand's cells have cases still.
        var canGive: Bool
        /// Whether its parts are all in which the strand has cases.
        var isWhole: Bool
    }

    private let partCount: Int
    private var strands: [Strand] = []
    /// By part and tally.
    private var totals: [Int64] = []
    private(set) var isTotalHidden: [Bool]

    /// Of which there is any case.
    private let tallies: [FigureTally]

    /// - Parameter counts: the measures that must not be small; none of what counts no cases.
    init(of parts: [StatisticsAnswer.Part], counts: [Measure], threshold: Int64) {
        partCount = parts.count
        let tallies = FigureTally.allCases.filter { tally in
            tally.subject.tellsOfPersons
                && parts.contains { $0.total.tallies[tally].count > 0 }
        }
        self.tallies = tallies
        func isSmall(_ cell: StatisticsAnswer.Cell) -> Bool {
            let small = 1..<Double(threshold)
            let isSmallCount = counts.contains { measure in
                cell.tallies.number(of: measure).map { small.contains($0) } ?? false
            }
            return isSmallCount
                || tallies.contains { small.contains(Double(cell.tallies[$0].count)) }
        }
        isTotalHidden = parts.map { isSmall($0.total) }
        var strandsByKeys: [[String?]: Int] = [:]
        for (part, figures) in parts.enumerated() {
            totals += tallies.map { figures.total.tallies[$0].count }
            for (ordinal, cell) in figures.cells.enumerated() {
                let place = strandsByKeys[cell.keys] ?? strands.count
                if place == strands.count {
                    strandsByKeys[cell.keys] = place
                    strands.append(
                        Strand(
                            cells: Array(repeating: nil, count: partCount),
                            counts: Array(repeating: 0, count: partCount * tallies.count),
                            isSmall: false))
                }
                strands[place].cells[part] = ordinal
                for (tally, name) in tallies.enumerated() {
                    strands[place].counts[part * tallies.count + tally] =
                        cell.tallies[name].count
                }
                if isSmall(cell) { strands[place].isSmall = true }
            }
        }
    }

    /// By part.
    private func totals(of tally: Int) -> [Int64] {
        (0..<partCount).map { totals[$0 * tallies.count + tally] }
    }

    private func count(_ strand: Int, _ part: Int, _ tally: Int) -> Int64 {
        strands[strand].counts[part * tallies.count + tally]
    }

    private func hasCases(_ strand: Int, _ part: Int) -> Bool {
        tallies.indices.contains { count(strand, part, $0) > 0 }
    }

    func hiddenCells(in part: Int) -> [Int] {
        strands.indices.compactMap { strand in
            strands[strand].isHidden && hasCases(strand, part) ? strands[strand].cells[part] : nil
        }
    }

    /// Hides what is small, and then one figure after the other until none can be computed.
    mutating func hide() {
        for strand in strands.indices { strands[strand].isHidden = strands[strand].isSmall }
        guard !strands.isEmpty else { return }
        while hideAnother() {}
    }

    /// Hides one more figure; false: none can be computed any more.
    private mutating func hideAnother() -> Bool {
        for tally in tallies.indices where totals(of: tally).contains(where: { $0 > 0 }) {
            let places = strands.indices.filter { strands[$0].isHidden }
                .flatMap { self.places(of: $0, tally) }
            let classes = Dictionary(grouping: places) { $0.parts & printedTotals }
            for (signature, members) in classes.sorted(by: { $0.key < $1.key })
            where signature != 0 && members.contains(where: \.isWhole) && !canMove(members) {
                hide(beside: signature, tally)
                return true
            }
            for (part, total) in totals(of: tally).enumerated()
            where total > 0 && isTotalHidden[part] && !canChangeTotal(of: part, classes) {
                hideMore(for: part, tally)
                return true
            }
        }
        return false
    }

    /// The parts whose totals are printed.
    private var printedTotals: UInt8 {
        (0..<partCount).reduce(0) { isTotalHidden[$1] ? $0 : $0 | 1 << $1 }
    }

    private func places(of strand: Int, _ tally: Int) -> [Place] {
        let counts = (0..<partCount).map { count(strand, $0, tally) }
        let parts = counts.indices.filter { counts[$0] > 0 }
        guard let least = parts.map({ counts[$0] }).min() else { return [] }
        var places = [
            Place(
                strand: strand, parts: parts.reduce(0) { $0 | 1 << $1 }, canGive: least >= 2,
                isWhole: true)
        ]
        // Of two counts the greater has a case that the other has not.
        if parts.count == 2, let greater = parts.first(where: { counts[$0] > least }) {
            places.append(
                Place(strand: strand, parts: 1 << greater, canGive: true, isWhole: false))
        }
        return places
    }

    /// Whether a case of one of these strands may as well lie in another of them.
    private func canMove(_ members: [Place]) -> Bool {
        members.contains { $0.strand != members[0].strand } && members.contains(where: \.canGive)
    }

    private func canChangeTotal(of part: Int, _ classes: [UInt8: [Place]]) -> Bool {
        classes.contains { signature, members in
            let inside = members.filter { $0.parts & 1 << part != 0 }
            let outside = members.filter { $0.parts & 1 << part == 0 }
            if signature == 0 { return !inside.isEmpty }
            return !inside.isEmpty && !outside.isEmpty && members.contains(where: \.canGive)
        }
    }

    /// Hides the smallest strand whose cases could be mistaken for those of the class, or a total.
    private mutating func hide(beside signature: UInt8, _ tally: Int) {
        let candidates = strands.indices.filter { strand in
            !strands[strand].isHidden
                && places(of: strand, tally).contains { $0.parts & printedTotals == signature }
        }
        if let smallest = candidates.min(by: { size($0) < size($1) }) {
            strands[smallest].isHidden = true
            return
        }
        let printed = (0..<partCount).filter { signature & 1 << $0 != 0 }
        guard let least = printed.min(by: { total($0) < total($1) }) else {
            preconditionFailure("a class without a printed total can move")
        }
        isTotalHidden[least] = true
    }

    /// Hides what would tell a total that is hidden already: a cell of it, or the other total.
    private mutating func hideMore(for part: Int, _ tally: Int) {
        let hasHidden = strands.indices.contains {
            strands[$0].isHidden && count($0, part, tally) > 0
        }
        let candidates = strands.indices.filter {
            !strands[$0].isHidden && count($0, part, tally) > 0
        }
        if !hasHidden, let smallest = candidates.min(by: { size($0) < size($1) }) {
            strands[smallest].isHidden = true
            return
        }
        guard let other = isTotalHidden.firstIndex(of: false) else {
            preconditionFailure("a total of hidden cells, beside no other, can change")
        }
        isTotalHidden[other] = true
    }

    private func size(_ strand: Int) -> Int64 { strands[strand].counts.reduce(0, +) }

    private func total(_ part: Int) -> Int64 {
        totals[part * tallies.count..<(part + 1) * tallies.count].reduce(0, +)
    }
}
