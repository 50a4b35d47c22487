import Testing

@testable import ControlCentre

/// Matters by what they led to; each has no outcome, one, or several.
@Suite struct `Small numbers by outcome` {
    private static let places = ["criminal_offence", "hazard_prevention"]
    private static let outcomes: [String?] = ["arrest", "proceedings", "warning", "none", nil]

    /// What one matter can be: a place, and its outcomes as ordinals of `outcomes`.
    private struct Matter: Hashable {
        var place: Int
        var outcomes: [Int]
    }

    /// Matters of one place have three outcomes to choose from, of two places two.
    private static func kinds(places: Int) -> [Matter] {
        let shared =
            places == 1
            ? [[0], [1], [2], [0, 1], [0, 2], [1, 2], [0, 1, 2]] : [[0], [1], [0, 1]]
        return (0..<places).flatMap { place in
            (shared + [[3], [4]]).map { Matter(place: place, outcomes: $0) }
        }
    }

    /// The answer about some matters, and about the same of another period.
    private func answer(_ matters: [Matter], places: Int, filter: [String]? = nil) throws
        -> StatisticsAnswer
    {
        var question = StatisticsQuestion(
            metric: .incidents, from: .date(try #require(LocalDate("2023-01-01"))),
            to: .date(try #require(LocalDate("2023-11-01"))))
        question.groups = [.category, .outcome]
        if let filter { question.filters = [(.outcome, filter)] }
        func tallies(_ count: Int) -> Tallies {
            var tallies = Tallies()
            tallies.add(Int64(count), of: nil, to: .cases)
            return tallies
        }
        let cells = (0..<places).flatMap { place in
            Self.outcomes.indices.map { outcome in
                let count = matters.count { $0.place == place && $0.outcomes.contains(outcome) }
                return StatisticsAnswer.Cell(
                    keys: [Self.places[place], Self.outcomes[outcome]], state: .complete,
                    tallies: tallies(count))
            }
        }
        let part = StatisticsAnswer.Part(
            spans: [], hasOtherLength: false, cells: cells,
            total: StatisticsAnswer.Cell(
                keys: [nil, nil], state: .complete, tallies: tallies(matters.count)),
            leftOut: StatisticsAnswer.LeftOut(for: [.retracted]))
        return StatisticsAnswer(
            question: question, position: 1, recordedAt: nil, knownAt: .epoch,
            timeZoneRelease: nil, period: part, comparisons: [])
    }

    private func suppressed(_ answer: StatisticsAnswer, below threshold: Int) throws
        -> StatisticsAnswer.Part
    {
        try #require(SmallNumberSuppression(below: threshold).applied(to: answer)).period
    }

    /// The counts of the cells, and last of the total; nil: hidden.
    private func told(_ part: StatisticsAnswer.Part) -> [Int64?] {
        (part.cells + [part.total]).map {
            $0.state == .suppressed ? nil : $0.tallies[.cases].count
        }
    }

    @Test(
        arguments: [
            // Nine matters led to proceedings and two of them to arrests too: one would do as well.
            ([[0, 1]: 2, [1]: 7], [nil, 9, 0, 0, 0, 9]),
            // The others are three fewer than all, and no more can be hidden for being small.
            ([[0]: 3, [1]: 6], [nil, nil, 0, 0, 0, 9]),
            // As are those that led to nothing.
            ([[3]: 3, [1]: 6], [0, nil, 0, nil, 0, 9]),
            // A small total is hidden with all that it has.
            ([[0, 1]: 2, [4]: 1], [nil, nil, 0, 0, nil, nil]),
            // Nothing is small.
            ([[0]: 4, [1, 2]: 5], [4, 5, 5, 0, 0, 9]),
        ] as [([[Int]: Int], [Int64?])])
    func `are hidden with what would tell them`(
        matters: [[Int]: Int], expected: [Int64?]
    ) throws {
        let all = matters.flatMap { outcomes, count in
            Array(repeating: Matter(place: 0, outcomes: outcomes), count: count)
        }

        let part = try suppressed(try answer(all, places: 1), below: 4)

        #expect(told(part) == expected)
    }

    @Test func `are not hidden where two comparisons overlap`() throws {
        var answer = try answer(
            Array(repeating: Matter(place: 0, outcomes: [0]), count: 9), places: 1)
        let span = StatisticsAnswer.Span(
            site: try #require(SiteID("mannheim")), timeZone: "Europe/Berlin",
            timeZoneFingerprint: "", from: .epoch, to: .epoch + .seconds(86_400), localFrom: "",
            localTo: "", recordedSince: .epoch, recordedUntil: nil, automaticSince: nil)
        var other = answer.period
        other.spans = [span]
        answer.comparisons = [(.previousSamePeriod, other), (.previousFullYear, other)]

        #expect(SmallNumberSuppression(below: 3).applied(to: answer) == nil)
    }

    @Test(.timeLimit(.minutes(2)))
    func `are hidden among as many figures as an answer can have`() throws {
        // Each matter has one outcome, so of a place's small numbers none can be less without another
        // being more: only the one that is not small can be.
        var answer = try answer([], places: 0)
        let outcomes = IncidentOutcome.allCases.prefix(4)
        let places = StatisticsQuestion.cellsMax / outcomes.count
        var total: Int64 = 0
        for place in 0..<places {
            for (number, outcome) in outcomes.enumerated() {
                let isLast = place == places - 1 && number == outcomes.count - 1
                let count: Int64 = isLast ? 1_000 : 2
                var tallies = Tallies()
                tallies.add(count, of: nil, to: .cases)
                answer.period.cells.append(
                    StatisticsAnswer.Cell(
                        keys: ["\(place)", outcome.rawValue], state: .complete, tallies: tallies))
                total += count
            }
        }
        answer.period.total.tallies.add(total, of: nil, to: .cases)

        let part = try suppressed(answer, below: 3)

        #expect(part.cells.count == StatisticsQuestion.cellsMax)
        #expect(part.cells.allSatisfy { $0.state == .suppressed })
        #expect(part.total.state == .complete)
    }

    // MARK: Against a reader who calculates

    /// For numbers of matters from 0 on, all that the cells can count.
    private static func possible(upTo most: Int, places: Int, asked: Set<Int>) -> [Set<[Int]>] {
        let width = outcomes.count
        let kinds = kinds(places: places).filter { !asked.isDisjoint(with: $0.outcomes) }
        var possible: [Set<[Int]>] = [[Array(repeating: 0, count: width * places)]]
        for _ in 0..<most {
            var next: Set<[Int]> = []
            for counts in possible[possible.count - 1] {
                for kind in kinds {
                    var more = counts
                    for outcome in kind.outcomes { more[kind.place * width + outcome] += 1 }
                    next.insert(more)
                }
            }
            possible.append(next)
        }
        return possible
    }

    /// What a reader is sure of though it is hidden, who knows the threshold and which cells are small.
    private func computed(
        _ part: StatisticsAnswer.Part, of answer: StatisticsAnswer, below threshold: Int,
        among possible: [Set<[Int]>]
    ) -> [String] {
        let counts = answer.period.cells.map { Int($0.tallies[.cases].count) }
        let total = Int(answer.period.total.tallies[.cases].count)
        func mayBe(_ number: Int, _ real: Int, isHidden: Bool) -> Bool {
            guard isHidden else { return number == real }
            return number > 0 && (real >= threshold || number < threshold)
        }
        let isTotalHidden = part.total.state == .suppressed
        var values: [Set<Int>] = Array(repeating: [], count: counts.count)
        var totals: Set<Int> = []
        for (number, worlds) in possible.enumerated()
        where isTotalHidden ? number > 0 : number == total {
            for world in worlds
            where world.indices.allSatisfy({
                mayBe(world[$0], counts[$0], isHidden: part.cells[$0].state == .suppressed)
            }) {
                totals.insert(number)
                for ordinal in world.indices { values[ordinal].insert(world[ordinal]) }
            }
        }
        var computed = counts.indices.filter {
            part.cells[$0].state == .suppressed && values[$0].count < 2
        }.map { "cell \($0)" }
        if isTotalHidden, totals.count < 2 { computed.append("the total") }
        return computed
    }

    @Test func `are found out by a reader who calculates if nothing else is hidden`() throws {
        let matters =
            Array(repeating: Matter(place: 0, outcomes: [0]), count: 2)
            + Array(repeating: Matter(place: 0, outcomes: [1]), count: 4)
        let answer = try answer(matters, places: 1)
        var part = answer.period
        part.cells[0].state = .suppressed

        let possible = Self.possible(upTo: 6, places: 1, asked: Set(Self.outcomes.indices))

        #expect(computed(part, of: answer, below: 3, among: possible) == ["cell 0"])
    }

    @Test(
        arguments: [
            (1, 6, nil), (2, 4, nil), (1, 6, ["arrest"]),
            (1, 5, ["proceedings", "warning", "none"]),
        ] as [(Int, Int, [String]?)])
    func `cannot be computed from what is told`(places: Int, most: Int, filter: [String]?) throws {
        let asked = Set(
            Self.outcomes.indices.filter { ordinal in
                filter.map { $0.contains { $0 == Self.outcomes[ordinal] } } ?? true
            })
        let kinds = Self.kinds(places: places).filter { !asked.isDisjoint(with: $0.outcomes) }
        let possible = Self.possible(upTo: most + 1, places: places, asked: asked)
        for seed: UInt64 in 1...25 {
            var generator = SplitMix64(seed: seed)
            let matters = (0..<Int.random(in: 1...most, using: &generator)).map { _ in
                kinds[Int.random(in: 0..<kinds.count, using: &generator)]
            }
            let answer = try answer(matters, places: places, filter: filter)
            let threshold = Int.random(in: 3...4, using: &generator)

            let part = try suppressed(answer, below: threshold)

            let computed = computed(part, of: answer, below: threshold, among: possible)
            #expect(computed.isEmpty, "\(computed) of seed \(seed): \(told(answer.period))")
            let small = 1..<Int64(threshold)
            for (cell, hidden) in zip(answer.period.cells, part.cells)
            where small.contains(cell.tallies[.cases].count) {
                #expect(hidden.state == .suppressed, "seed \(seed): \(told(answer.period))")
            }
            if part.total.state == .suppressed, matters.count >= threshold {
                // Only where no cell is left to hide.
                #expect(told(part).allSatisfy { $0 == nil || $0 == 0 }, "seed \(seed)")
            }
        }
    }
}
