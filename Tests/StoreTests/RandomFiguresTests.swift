import ControlCentre
import PostgreSQL
import TestSupport
import Testing

@testable import Store

/// Random histories through the database's own functions, and each figure against a recount of what
/// these answered.
@Suite struct `Figures of random histories` {
    private static let steps = 700
    /// Of each about a third brings a parcel of detections, or some verdicts.
    private static let analysisSteps = 350

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
                    try await database.rollUpLedger()
                }
            }
            #expect(history.matters.matters.count > 100)
            #expect(history.matters.dispatches.count > 60)
            for step in RandomMatters.Step.allCases {
                let (taken, refused) = history.outcomes[step] ?? (0, 0)
                #expect(taken >= 5 && taken > refused, "\(step): \(taken) taken, \(refused) not")
            }

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
                let answer = try await instance.answer(question)
                #expect(answer.position == position)
                #expect(answer.knownAt == question.asOf ?? answer.knownAt)
                let differences = try matters.recount(for: question, knownAt: answer.knownAt)
                    .differences(from: answer)
                #expect(differences == [], "seed \(seed), \(question) at \(position)")
            }
            try await instance.expectAgreement("seed \(seed)")
            // Sixteen runs at least, so that some of the positions lie inside a longer one.
            #expect(try await database.number("SELECT max(level) FROM ledger_runs") > 0)
        }
    }

    @Test(arguments: [7, 8] as [UInt64])
    func `of the analysis are what a recount finds, now and at each earlier position`(
        seed: UInt64
    ) async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            var generator = SplitMix64(seed: seed)
            var history = try await RandomAnalysis(
                in: instance, database, by: DemonstrationSite.observer(1, as: .shiftSupervisor))
            var known: [(position: Int64, standing: RecordedAnalysis.Standing)] = []
            for step in 0..<Self.analysisSteps {
                try await history.step(step, &generator)
                let head = try await instance.run { try await $0.journalHead() }
                known.append((head.position, history.standing))
            }
            #expect(history.analysis.takenCount > 2_000)
            #expect(history.analysis.refusedCount > 200)
            #expect(history.analysis.judgedCount > 200)
            #expect(history.enoughCount > 0)
            for step in RandomAnalysis.Step.allCases {
                let (taken, refused) = history.outcomes[step] ?? (0, 0)
                #expect(taken > 0 && taken > refused, "\(step): \(taken) taken, \(refused) not")
            }

            for (round, asked) in try analysisQuestions(&generator).enumerated() {
                var question = asked
                let place =
                    round.isMultiple(of: 4)
                    ? known.count - 1 : Int.random(in: 0..<known.count, using: &generator)
                let (position, standing) = known[place]
                if place < known.count - 1 || round.isMultiple(of: 8) {
                    question.asOf = try await history.recordedAt(position)
                }
                let answer = try await instance.answer(question)
                #expect(answer.position == position)
                #expect(answer.knownAt == question.asOf ?? answer.knownAt)
                let differences = try history.analysis.recount(
                    for: question, standing, at: position, knownAt: answer.knownAt
                ).differences(from: answer)
                #expect(differences == [], "seed \(seed), \(question) at \(position)")
            }
            try await instance.expectAgreement("seed \(seed)")
        }
    }

    /// Each metric of the analysis by each of its dimensions, and by some of them with filters.
    private func analysisQuestions(_ generator: inout SplitMix64) throws -> [StatisticsQuestion] {
        let periods = [
            ("2025-10-01", "2026-05-01"), ("2025-12-01", "2027-01-01"),
            ("2025-10-26", "2025-10-27"), ("2026-03-29", "2026-03-30"),
            ("2025-12-31", "2026-03-29"), ("2026-03-28", "2026-04-02"),
            try BerlinCalendar.month(of: .now()),
        ]
        let filters: [(dimension: Dimension, values: [String])] = [
            (.monitored, ["true"]), (.pattern, ["hitting", "kicking"]), (.model, ["v2"]),
            (.rule, ["1", "2"]), (.operatingMode, ["production", "training"]),
            (.dismissalReason, ["play", "crowd"]), (.late, ["false"]),
        ]
        var questions: [StatisticsQuestion] = []
        for metric in [Metric.alarmFunnel, .detectionQuality] {
            let definition = MetricDefinition.current(of: metric)
            let several = (0..<14).map { _ in
                definition.groups.shuffled(using: &generator).prefix(
                    Int.random(in: 0...3, using: &generator))
            }
            for groups in definition.groups.map({ [$0][...] }) + several {
                let period = periods.randomElement(using: &generator) ?? periods[0]
                var question = try StatisticsQuestion(metric, from: period.0, to: period.1)
                for group in groups
                where !group.isCalendar || !question.groups.contains(where: \.isCalendar) {
                    question.groups.append(group)
                }
                question.site =
                    [nil, nil, SiteID("mannheim"), SiteID("hamburg")]
                    .randomElement(using: &generator) ?? nil
                question.filters = filters.filter { filter in
                    definition.filters.contains(filter.dimension)
                        && Int.random(in: 0..<8, using: &generator) == 0
                }
                question.comparisons = PeriodComparison.allCases
                questions.append(question)
            }
        }
        return questions
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

            try await instance.expectAgreement()
        }
    }

    private func randomQuestion(_ generator: inout SplitMix64) throws -> StatisticsQuestion {
        let metric = RecordedMatters.metrics.randomElement(using: &generator) ?? .incidents
        let periods = [
            ("2025-10-01", "2026-05-01"), ("2025-10-26", "2025-10-27"),
            ("2026-03-29", "2026-03-30"), ("2025-12-31", "2026-03-29"),
            ("2025-12-29", "2026-01-05"), ("2025-12-01", "2026-12-01"),
            ("2026-01-01", "2026-12-01"),
            // Of today a part lies ahead.
            try BerlinCalendar.month(of: .now()),
        ]
        let period = periods.randomElement(using: &generator) ?? periods[0]
        var question = try StatisticsQuestion(metric, from: period.0, to: period.1)
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
