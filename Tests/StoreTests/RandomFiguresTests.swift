import ControlCentre
import PostgreSQL
import TestSupport
import Testing

@testable import Store

/// Random histories through the database's own functions, and each figure against a recount of what
/// these answered.
@Suite struct `Figures of random histories` {
    private static let steps = 700

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `are what a recount finds, now and at each earlier position`(seed: UInt64) async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            var generator = SplitMix64(seed: seed)
            var history = try await RandomMatters(
                in: instance, by: DemonstrationSite.observer(1, as: .shiftSupervisor))
            var known: [(position: Int64, matters: RecordedMatters)] = []
            for step in 0..<Self.steps {
                try await history.step(in: instance, database, &generator)
                let head = try await instance.run { try await $0.journalHead() }
                known.append((head.position, history.matters))
                // Not of the last steps, whose rows stay without positions of their own.
                if step < Self.steps - 20, Int.random(in: 0..<12, using: &generator) == 0 {
                    try await database.query("SELECT extend_ledger_runs(settle_ledger())")
                }
            }
            #expect(history.matters.matters.count > 100)
            #expect(history.matters.dispatches.count > 60)

            for round in 0..<80 {
                var question = try randomQuestion(&generator)
                let (position, matters) =
                    round < 20
                    ? known[known.count - 1]
                    : known[Int.random(in: 0..<known.count, using: &generator)]
                if round >= 10 {
                    question.asOf = try await database.query(
                        "SELECT recorded_at FROM positions WHERE position = $1", .int64(position)
                    ).time(0, 0)
                }
                let asked = question
                let outcome = try await instance.run { database in
                    try await database.answer(asked, at: .now())
                }
                guard case .answer(let answer) = outcome else {
                    throw NotStored(outcome: "\(outcome)")
                }
                #expect(answer.position == position)
                let named = "seed \(seed), \(question) at \(position)"
                check(answer.period, of: answer, matters.count(question), named)
                for (comparison, part) in answer.comparisons {
                    var other = question
                    other.from = .date(try #require(LocalDate(day(part.spans[0].localFrom))))
                    other.to = .date(try #require(LocalDate(day(part.spans[0].localTo))))
                    check(part, of: answer, matters.count(other), "\(comparison) of \(named)")
                }
            }
            let differences = try await instance.run { try await $0.ledgerDifferences() }
            #expect(differences.isEmpty, "seed \(seed)")
            // Sixteen runs at least, so that some of the positions lie inside a longer one.
            #expect(try await database.number("SELECT max(level) FROM ledger_runs") > 0)
        }
    }

    @Test(arguments: [5, 6] as [UInt64])
    func `agree with the journal when several write at once`(seed: UInt64) async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database, loops: 1)
            var generator = SplitMix64(seed: seed)
            var history = try await RandomMatters(
                in: instance, by: DemonstrationSite.observer(1, as: .shiftSupervisor))
            for _ in 0..<60 { try await history.step(in: instance, database, &generator) }
            let begun = history

            // Each knows the matters of the beginning and its own.
            try await withThrowingTaskGroup(of: Void.self) { writers in
                for writer in 1...4 {
                    writers.addTask {
                        let own = try await Instance(on: database)
                        var generator = SplitMix64(seed: seed * 100 + UInt64(writer))
                        var history = begun.continued(by: writer)
                        for _ in 0..<60 {
                            try await history.step(in: own, database, &generator)
                        }
                    }
                }
                try await writers.waitForAll()
            }

            let differences = try await instance.run { try await $0.ledgerDifferences() }
            #expect(differences.isEmpty, "seed \(seed): \(differences)")
        }
    }

    private func day(_ local: String) -> String { String(local.prefix(10)) }

    private func check(
        _ part: StatisticsAnswer.Part, of answer: StatisticsAnswer,
        _ expected: RecordedMatters.Expected, _ named: String
    ) {
        check(part.total, expected.values[nil] ?? [], "\(named), total")
        for cell in part.cells {
            check(cell, expected.values[cell.keys] ?? [], "\(named), \(cell.keys)")
        }
        let keys = Set(part.cells.map(\.keys))
        #expect(
            expected.values.keys.allSatisfy { $0.map { keys.contains($0) } ?? true }, "\(named)")
        if !answer.question.groups.isEmpty, !answer.question.groups.contains(.outcome) {
            let sum = part.cells.reduce(0) { $0 + $1.tallies[.cases].count }
            #expect(sum == part.total.tallies[.cases].count, "\(named)")
        }
        for mode in OperatingMode.allCases.map(\.rawValue) {
            #expect(
                (part.leftOut.operatingModes[mode] ?? 0)
                    == .number(expected.otherModes[mode] ?? 0), "\(named), \(mode)")
        }
        #expect(part.leftOut[.retracted] == .number(expected.retracted), "\(named)")
        #expect((part.leftOut[.cancelled] ?? 0) == .number(expected.cancelled), "\(named)")
    }

    private func check(_ cell: StatisticsAnswer.Cell, _ values: [Int64?], _ named: String) {
        let known = values.compactMap { $0 }.sorted()
        let cases = cell.tallies[.cases]
        #expect(cases.count == Int64(values.count), "\(named)")
        #expect(cases.known == Int64(known.count), "\(named)")
        guard !known.isEmpty else { return }
        let place = 0.9 * Double(known.count - 1)
        let lower = Double(known[Int(place.rounded(.down))])
        let upper = Double(known[Int(place.rounded(.up))])
        let expected = lower + (place - place.rounded(.down)) * (upper - lower)
        #expect(cases.percentile(0.9) == expected, "\(named)")
        #expect(cases.mean == Double(known.reduce(0, +)) / Double(known.count), "\(named)")
    }

    private func randomQuestion(_ generator: inout SplitMix64) throws -> StatisticsQuestion {
        let metric = RecordedMatters.metrics.randomElement(using: &generator) ?? .incidents
        let periods = [
            ("2025-10-01", "2026-05-01"), ("2025-10-26", "2025-10-27"),
            ("2026-03-29", "2026-03-30"), ("2025-12-31", "2026-03-29"),
            ("2025-12-29", "2026-01-05"), ("2025-12-01", "2026-12-01"),
            ("2026-01-01", "2026-12-01"),
        ]
        let period = periods.randomElement(using: &generator) ?? periods[0]
        var question = StatisticsQuestion(
            metric: metric, from: .date(try #require(LocalDate(period.0))),
            to: .date(try #require(LocalDate(period.1))))
        question.site =
            [nil, SiteID("mannheim"), SiteID("hamburg")]
            .randomElement(using: &generator) ?? nil
        for group in MetricDefinition.current(of: metric).groups.shuffled(using: &generator)
            .prefix(Int.random(in: 0...3, using: &generator))
        {
            guard !group.isCalendar || !question.groups.contains(where: \.isCalendar) else {
                continue
            }
            question.groups.append(group)
        }
        let filters: [(dimension: Dimension, values: [String])] = [
            (.category, ["criminal_offence", "hazard_prevention"]), (.monitored, ["true"]),
            (.source, ["automatic", "reported"]), (.pattern, ["hitting"]),
            (.operatingMode, ["production", "training"]),
        ]
        question.filters = filters.filter { _ in Int.random(in: 0..<6, using: &generator) == 0 }
        question.comparisons = PeriodComparison.allCases
        if metric == .arrivalTimes, Bool.random(using: &generator) { question.clock = .dispatch }
        return question
    }
}
