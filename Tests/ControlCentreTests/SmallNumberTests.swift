import Testing

@testable import ControlCentre

@Suite struct `Small numbers` {
    /// An answer about the first ten months of 2023, of one category for each count.
    private func answer(
        _ counts: [Int64], same: [Int64]? = nil, full: [Int64]? = nil,
        metric: Metric = .incidents
    ) throws -> StatisticsAnswer {
        var question = StatisticsQuestion(
            metric: metric, from: .date(try #require(LocalDate("2023-01-01"))),
            to: .date(try #require(LocalDate("2023-11-01"))))
        question.groups = [.subcategory]
        var answer = StatisticsAnswer(
            question: question, position: 1, recordedAt: nil, knownAt: .epoch,
            timeZoneRelease: nil, period: part(counts.map { (0, $0) }, months: 636..<646),
            comparisons: [])
        if let same {
            answer.comparisons.append(
                (.previousSamePeriod, part(same.map { (0, $0) }, months: 624..<634)))
        }
        if let full {
            answer.comparisons.append(
                (.previousFullYear, part(full.map { (0, $0) }, months: 624..<636)))
        }
        return answer
    }

    /// - Parameters:
    ///   - cases: of each cell, how many of them have a known value, and how many not.
    ///   - months: since 1970, each taken for 30 days long.
    private func part(_ cases: [(known: Int64, missing: Int64)], months: Range<Int64>)
        -> StatisticsAnswer.Part
    {
        var total = Tallies()
        let cells = cases.enumerated().map { ordinal, cases in
            var tallies = Tallies()
            for value in 0..<cases.known { tallies.add(1, of: 60 * value, to: .cases) }
            tallies.add(cases.missing, of: nil, to: .cases)
            total.add(tallies)
            return StatisticsAnswer.Cell(
                keys: ["\(ordinal)"], state: .complete, tallies: tallies)
        }
        func instant(_ month: Int64) -> Timestamp { .epoch + .seconds(month * 2_592_000) }
        return StatisticsAnswer.Part(
            spans: [
                StatisticsAnswer.Span(
                    site: mannheim, timeZone: "Europe/Berlin", timeZoneFingerprint: "",
                    from: instant(months.lowerBound), to: instant(months.upperBound),
                    localFrom: "", localTo: "", recordedSince: .epoch, recordedUntil: nil,
                    automaticSince: nil)
            ], hasOtherLength: false, cells: cells,
            total: StatisticsAnswer.Cell(keys: [nil], state: .complete, tallies: total),
            leftOut: StatisticsAnswer.LeftOut(for: [.retracted]))
    }

    private var mannheim: SiteID { SiteID("mannheim") ?? { preconditionFailure("a slug") }() }

    private func suppressed(_ answer: StatisticsAnswer, below threshold: Int) throws
        -> StatisticsAnswer
    {
        try #require(SmallNumberSuppression(below: threshold).applied(to: answer))
    }

    /// The counts of the cells, and last of the total; nil: hidden.
    private func told(_ part: StatisticsAnswer.Part) -> [Int64?] {
        (part.cells + [part.total]).map {
            $0.state == .suppressed ? nil : $0.tallies[.cases].count
        }
    }

    @Test(.timeLimit(.minutes(2)))
    func `are hidden among as many figures as an answer can have`() throws {
        var counts = Array(repeating: Int64(1), count: StatisticsQuestion.cellsMax - 1)
        counts.append(1_000)

        let part = try suppressed(try answer(counts), below: 3).period

        // Each has one case, so only with the great one can a case be thought to be elsewhere.
        #expect(part.cells.allSatisfy { $0.state == .suppressed })
        #expect(part.total.state == .complete)
    }

    // MARK: By hand

    @Test(
        arguments: [
            // Nothing is small; none is no small number.
            ([7, 0, 5], [7, 0, 5, 12]),
            // 12 − 7 − 3 would tell the 2: the 3 goes too, not the 7.
            ([7, 2, 3], [7, nil, nil, 12]),
            // Two small ones keep each other hidden: 1 and 3, 2 and 2, 3 and 1 are all possible.
            ([9, 2, 2], [9, nil, nil, 13]),
            // Of two that have 2 together each is 1, so a third is needed.
            ([9, 1, 1], [nil, nil, nil, 11]),
            // A small total is hidden, and none of its parts is told.
            ([1, 0, 1], [nil, 0, nil, nil]),
            // There is nothing beside them but the total.
            ([1, 1, 1, 0], [nil, nil, nil, 0, nil]),
        ] as [([Int64], [Int64?])])
    func `are hidden with what would tell them`(counts: [Int64], expected: [Int64?]) throws {
        let suppressed = try suppressed(try answer(counts), below: 3)

        #expect(told(suppressed.period) == expected)
        #expect(
            suppressed.period.cells.allSatisfy {
                $0.state == .complete || $0.tallies == Tallies()
            })
    }

    @Test func `are hidden in each of two periods that overlap`() throws {
        // Nothing happened in November and December: the whole year tells the first ten months.
        let answer = try answer([5, 5, 5], same: [2, 4, 9], full: [2, 4, 9])

        let suppressed = try suppressed(answer, below: 3)

        #expect(told(suppressed.period) == [5, 5, 5, 15])
        #expect(told(suppressed.comparisons[0].part) == [nil, nil, 9, 15])
        #expect(told(suppressed.comparisons[1].part) == [nil, nil, 9, 15])
    }

    @Test func `of times are hidden with how many are missing`() throws {
        var answer = try answer([], metric: .arrivalTimes)
        // Two times would be told by their median and mean, though nine matters are no small number.
        answer.period = part([(2, 7), (30, 0), (20, 1)], months: 636..<646)

        let period = try suppressed(answer, below: 3).period

        #expect(told(period) == [nil, 30, nil, 60])
    }

    @Test func `that are left out are hidden`() throws {
        var answer = try answer([40, 50])
        answer.period.leftOut.add(2, ofMode: "training")
        answer.period.leftOut.add(3, ofMode: "parallel")
        answer.period.leftOut.add(1, for: .retracted)

        let leftOut = try suppressed(answer, below: 3).period.leftOut

        #expect(leftOut.operatingModes == ["training": .suppressed, "parallel": 3])
        #expect(leftOut[.retracted] == .suppressed)
    }

    @Test func `are not hidden where a comparison overlaps the period itself`() throws {
        var answer = try answer([5, 5], same: [5, 5])
        answer.comparisons[0].part.spans = answer.period.spans

        #expect(SmallNumberSuppression(below: 3).applied(to: answer) == nil)
    }

    // MARK: Against a reader who calculates

    @Test(
        arguments: [
            ([7, 2, 3], [7, 2, 3], [1]), ([9, 1, 1], [9, 1, 1], [1, 2]),
            // The year tells a category of which nothing happened in its last months.
            ([2, 4, 9], [2, 4, 9], [0, 1]),
        ] as [([Int64], [Int64], [Int])])
    func `are found out by a reader who calculates if nothing else is hidden`(
        counts: [Int64], ofYear: [Int64], hidden: [Int]
    ) throws {
        let answer = try answer([], same: counts, full: ofYear)
        var parts = answer.comparisons.map(\.part)
        for cell in hidden {
            parts[0].cells[cell].state = .suppressed
            parts[0].cells[cell].tallies = Tallies()
        }

        let reader = CalculatingReader(parts, isSamePeriod: false, bound: 10)

        #expect(reader.tells.count == hidden.count, "\(reader.tells)")
    }

    @Test(arguments: 1...12 as ClosedRange<UInt64>)
    func `cannot be computed from what is told, nor is more hidden than keeps them`(seed: UInt64)
        throws
    {
        var generator = SplitMix64(seed: seed)
        for _ in 0..<120 {
            let threshold = Int.random(in: 3...5, using: &generator)
            let size = Int.random(in: 1...6, using: &generator)
            func counts(upTo most: Int64) -> [Int64] {
                (0..<size).map { _ in
                    max(0, Int64.random(in: -2...most, using: &generator))
                }
            }
            let same = counts(upTo: 6)
            let isWholeYear = Int.random(in: 0..<3, using: &generator) == 0
            let rest = isWholeYear ? Array(repeating: 0, count: size) : counts(upTo: 3)
            var answer = try answer(
                counts(upTo: 8), same: same, full: zip(same, rest).map { $0 + $1 })
            if isWholeYear {
                answer.comparisons[0].part.spans = answer.comparisons[1].part.spans
            }

            let suppressed = try suppressed(answer, below: threshold)

            let named = "seed \(seed): \(answer.period), \(answer.comparisons), below \(threshold)"
            let single = CalculatingReader(
                [suppressed.period], isSamePeriod: false, bound: 10)
            #expect(single.tells.isEmpty, "\(single.tells) of \(named)")
            let pair = CalculatingReader(
                suppressed.comparisons.map(\.part), isSamePeriod: isWholeYear, bound: 10)
            #expect(pair.tells.isEmpty, "\(pair.tells) of \(named)")

            let small = answer.period.cells.filter {
                (1..<Int64(threshold)).contains($0.tallies[.cases].count)
            }
            let hidden = told(suppressed.period).filter { $0 == nil }
            let isTotalSmall = (1..<Int64(threshold)).contains(
                answer.period.total.tallies[.cases].count)
            #expect(hidden.count <= (small.isEmpty ? 0 : small.count + 1), "\(named)")
            #expect(!isTotalSmall || hidden.count == small.count + 1, "\(named)")
        }
    }

    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func `of times cannot be computed from how many are known and missing`(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        for _ in 0..<60 {
            var answer = try answer([], metric: .arrivalTimes)
            answer.period = part(
                (0..<Int.random(in: 1...5, using: &generator)).map { _ in
                    (
                        max(0, Int64.random(in: -2...7, using: &generator)),
                        max(0, Int64.random(in: -3...4, using: &generator))
                    )
                }, months: 636..<646)

            let part = try suppressed(answer, below: 3).period

            let reader = CalculatingReader(timesOf: part, bound: 8)
            // Whether any is missing at all may be known; what is hidden has a case.
            #expect(reader.tells.isEmpty, "\(reader.tells) of seed \(seed): \(answer.period)")
        }
    }
}

/// Who knows all that is printed of some periods, and tries each number for what is hidden.
private struct CalculatingReader {
    /// Two numbers of one cell: in two periods, or how many are known and missing.
    private struct Pair: Hashable {
        var first: Int64
        var second: Int64

        static func + (left: Pair, right: Pair) -> Pair {
            Pair(first: left.first + right.first, second: left.second + right.second)
        }
    }

    /// What the reader can be sure of though it was hidden.
    private(set) var tells: [String] = []

    /// - Parameters:
    ///   - parts: one, or a period and one that it is a part of.
    ///   - isSamePeriod: the two are the same, and so are their numbers.
    ///   - bound: beyond which no number is tried where no total bounds it.
    init(_ parts: [StatisticsAnswer.Part], isSamePeriod: Bool, bound: Int64) {
        func choices(_ part: StatisticsAnswer.Part?, _ ordinal: Int) -> [Int64] {
            guard let cell = part?.cells[ordinal] else { return [0] }
            return cell.state == .suppressed
                ? Array(1...bound) : [cell.tallies[.cases].count]
        }
        let second = parts.count > 1 ? parts[1] : nil
        let candidates = parts[0].cells.indices.map { ordinal in
            choices(parts[0], ordinal).flatMap { first in
                choices(second, ordinal).compactMap { second in
                    if parts.count > 1, isSamePeriod ? first != second : first > second {
                        return nil as Pair?
                    }
                    return Pair(first: first, second: second)
                }
            }
        }
        func total(_ part: StatisticsAnswer.Part?) -> Int64? {
            guard let part else { return 0 }
            return part.total.state == .suppressed ? nil : part.total.tallies[.cases].count
        }
        let totals = (total(parts[0]), total(second))
        weigh(candidates, upTo: Pair(first: totals.0 ?? .max, second: totals.1 ?? .max)) { sum in
            (totals.0 ?? sum.first) == sum.first && (totals.1 ?? sum.second) == sum.second
                && (!isSamePeriod || sum.first == sum.second)
        }
        note(hidden: { ordinal in
            (
                parts[0].cells[ordinal].state == .suppressed,
                second?.cells[ordinal].state == .suppressed
            )
        })
        if totals.0 == nil, Set(sums.map(\.first)).count < 2 {
            tells.append("the first total")
        }
        if second != nil, totals.1 == nil, Set(sums.map(\.second)).count < 2 {
            tells.append("the second total")
        }
    }

    /// Who knows the totals of known and missing values, and wants those of the cells.
    init(timesOf part: StatisticsAnswer.Part, bound: Int64) {
        let candidates = part.cells.map { cell in
            guard cell.state == .suppressed else {
                return [
                    Pair(first: cell.tallies[.cases].known, second: cell.tallies[.cases].missing)
                ]
            }
            return (0...bound).flatMap { known in
                (0...bound).map { Pair(first: known, second: $0) }
            }.filter { $0.first + $0.second > 0 }
        }
        let cases = part.total.state == .suppressed ? nil : part.total.tallies[.cases]
        weigh(
            candidates,
            upTo: Pair(first: cases?.known ?? .max, second: cases?.missing ?? .max)
        ) { sum in
            cases.map { $0.known == sum.first && $0.missing == sum.second } ?? true
        }
        for ordinal in part.cells.indices where part.cells[ordinal].state == .suppressed {
            // None missing at all, or none known, is no small number.
            if Set(possible[ordinal].map { $0.first + $0.second }).count < 2 {
                tells.append("cell \(ordinal)")
            }
            let known = Set(possible[ordinal].map(\.first))
            if known.count < 2, known != [0] { tells.append("known of cell \(ordinal)") }
            let missing = Set(possible[ordinal].map(\.second))
            if missing.count < 2, missing != [0] { tells.append("missing of cell \(ordinal)") }
        }
    }

    /// What each cell may be, given all that is printed.
    private var possible: [Set<Pair>] = []
    private var sums: Set<Pair> = []

    /// - Parameter most: what a right sum is at most.
    private mutating func weigh(
        _ candidates: [[Pair]], upTo most: Pair, _ isRight: (Pair) -> Bool
    ) {
        let none: Set<Pair> = [Pair(first: 0, second: 0)]
        var before = [none]
        for own in candidates {
            let sums = before[before.count - 1].flatMap { sum in own.map { sum + $0 } }
            before.append(
                Set(sums.filter { $0.first <= most.first && $0.second <= most.second }))
        }
        sums = before[before.count - 1].filter(isRight)
        // From behind: which sums before a cell still lead to a right one.
        var right = sums
        possible = Array(repeating: [], count: candidates.count)
        for ordinal in candidates.indices.reversed() {
            var earlier: Set<Pair> = []
            for sum in before[ordinal] {
                for pair in candidates[ordinal] where right.contains(sum + pair) {
                    possible[ordinal].insert(pair)
                    earlier.insert(sum)
                }
            }
            right = earlier
        }
    }

    private mutating func note(hidden: (Int) -> (Bool, Bool)) {
        for ordinal in possible.indices {
            let (first, second) = hidden(ordinal)
            if first, Set(possible[ordinal].map(\.first)).count < 2 {
                tells.append("cell \(ordinal) of the first")
            }
            if second, Set(possible[ordinal].map(\.second)).count < 2 {
                tells.append("cell \(ordinal) of the second")
            }
        }
    }
}
