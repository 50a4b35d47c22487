import ControlCentre
import JSON
import PostgreSQL
import TestSupport
import Testing

@testable import Store

@Suite struct `Figures` {
    private let author = DemonstrationSite.observer(1, as: .shiftSupervisor)

    private func question(
        _ metric: Metric, _ from: String, _ to: String, by groups: [Dimension] = []
    ) throws -> StatisticsQuestion {
        var question = StatisticsQuestion(
            metric: metric, from: .date(try #require(LocalDate(from))),
            to: .date(try #require(LocalDate(to))))
        question.groups = groups
        return question
    }

    private func answer(_ question: StatisticsQuestion, _ instance: Instance) async throws
        -> StatisticsAnswer
    {
        let outcome = try await instance.run { database in
            try await database.answer(question, at: .now())
        }
        guard case .answer(let answer) = outcome else { throw NotStored(outcome: "\(outcome)") }
        return answer
    }

    private func instant(_ text: String) throws -> Timestamp {
        try #require(Timestamp(rfc3339: text))
    }

    private func record(
        at instant: Timestamp, _ category: ControlCentre.Category = .criminalOffence,
        of site: DemonstrationSite, in instance: Instance
    ) async throws -> IncidentID {
        var new = NewIncident(category: category)
        new.site = site.id
        new.area = site.area
        new.occurredAt = instant
        let wanted = new
        return try await instance.run { database in
            try await database.createIncident(wanted, by: author, at: .now()).stored().id()
        }
    }

    private func numbers(_ part: StatisticsAnswer.Part) -> [String?: Double?] {
        Dictionary(
            uniqueKeysWithValues: part.cells.map {
                ($0.keys[0], $0.tallies.number(of: .count))
            }
        )
    }

    // MARK: Random histories

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `are what a recount finds, at each earlier position`(seed: UInt64) async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance)
            var generator = SplitMix64(seed: seed)
            var history = RandomMatters(site: site, author: author)
            var known: [(position: Int64, matters: RecordedMatters)] = []
            for _ in 0..<120 {
                try await history.step(in: instance, &generator)
                let head = try await instance.run { try await $0.journalHead() }
                known.append((head.position, history.matters))
                if Int.random(in: 0..<3, using: &generator) == 0 { try await rollUp(database) }
            }
            #expect(history.matters.matters.count > 20)
            #expect(history.matters.dispatches.count > 10)

            for round in 0..<40 {
                var question = try randomQuestion(&generator)
                let (position, matters) =
                    round < 8
                    ? known[known.count - 1]
                    : known[Int.random(in: 0..<known.count, using: &generator)]
                if round >= 4 {
                    question.asOf = try await database.query(
                        "SELECT recorded_at FROM positions WHERE position = $1", .int64(position)
                    ).time(0, 0)
                }
                let answer = try await answer(question, instance)

                #expect(answer.position == position)
                let expected = matters.count(question)
                let named = "\(question.metric) by \(question.groups) at \(position)"
                check(answer.period.total, expected[nil] ?? [], "\(named), total")
                for cell in answer.period.cells {
                    check(cell, expected[cell.keys] ?? [], "\(named), \(cell.keys)")
                }
                let keys = Set(answer.period.cells.map(\.keys))
                #expect(
                    expected.keys.allSatisfy { $0.map { keys.contains($0) } ?? true }, "\(named)")
                if question.from == .date(try #require(LocalDate("2026-01-01"))) {
                    var year = question
                    year.from = .date(try #require(LocalDate("2025-01-01")))
                    year.to = .date(try #require(LocalDate("2025-12-01")))
                    let same = matters.count(year)[nil] ?? []
                    check(answer.comparisons[0].part.total, same, "\(named), same period")
                    year.to = question.from
                    let whole = matters.count(year)
                    let part = answer.comparisons[1].part
                    check(part.total, whole[nil] ?? [], "\(named), year before")
                    for cell in part.cells {
                        check(cell, whole[cell.keys] ?? [], "\(named), before, \(cell.keys)")
                    }
                }
                if !question.groups.isEmpty, !question.groups.contains(.outcome) {
                    let sum = answer.period.cells.compactMap { $0.tallies.number(of: .count) }
                        .reduce(0, +)
                    #expect(sum == answer.period.total.tallies.number(of: .count))
                }
            }
            let differences = try await instance.run { try await $0.ledgerDifferences() }
            #expect(differences.isEmpty)
            // Sixteen runs at least, so that some of the positions lie inside a longer one.
            #expect(try await database.number("SELECT max(level) FROM ledger_runs") > 0)
        }
    }

    private func check(_ cell: StatisticsAnswer.Cell, _ values: [Int64?], _ named: String) {
        let known = values.compactMap { $0 }.sorted()
        #expect(cell.tallies.number(of: .count) == Double(values.count), "\(named)")
        #expect(cell.tallies[.cases].known == Int64(known.count), "\(named)")
        guard !known.isEmpty else { return }
        let place = 0.9 * Double(known.count - 1)
        let lower = Double(known[Int(place.rounded(.down))])
        let upper = Double(known[Int(place.rounded(.up))])
        let expected = lower + (place - place.rounded(.down)) * (upper - lower)
        #expect(cell.tallies[.cases].percentile(0.9) == expected, "\(named)")
        #expect(
            cell.tallies[.cases].mean == Double(known.reduce(0, +)) / Double(known.count),
            "\(named)")
    }

    private func randomQuestion(_ generator: inout SplitMix64) throws -> StatisticsQuestion {
        let metrics: [Metric] = [
            .incidents, .incidentsWithImmediateIntervention, .interventions, .arrivalTimes,
        ]
        let metric = metrics.randomElement(using: &generator) ?? .incidents
        let periods = [
            ("2025-10-01", "2026-05-01"), ("2025-10-26", "2025-10-27"),
            ("2026-03-29", "2026-03-30"),
            ("2025-12-31", "2026-03-29"), ("2026-01-01", "2026-12-01"),
        ]
        let period = periods.randomElement(using: &generator) ?? periods[0]
        var question = try question(metric, period.0, period.1)
        let own = MetricDefinition.current(of: metric).groups.filter {
            ![.week, .subcategory, .pattern].contains($0)
        }
        for group in own.shuffled(using: &generator).prefix(
            Int.random(in: 0...2, using: &generator))
        {
            guard !group.isCalendar || !question.groups.contains(where: \.isCalendar) else {
                continue
            }
            question.groups.append(group)
        }
        if Bool.random(using: &generator) {
            question.filters.append((.category, ["criminal_offence", "hazard_prevention"]))
        }
        if metric == .arrivalTimes, Bool.random(using: &generator) { question.clock = .dispatch }
        question.comparisons = [.previousSamePeriod, .previousFullYear]
        return question
    }

    // MARK: As-of

    @Test func `of two changes that commit against their order are known in that of the commits`()
        async throws
    {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance)
            let occurred = try instant("2026-03-10T12:00:00Z")
            let first = try await record(at: occurred, of: site, in: instance)
            let year = try question(.incidents, "2026-01-01", "2026-11-01")

            // The session takes its number first and commits last.
            try await database.session { connection, _ in
                _ = try await connection.execute([
                    Statement("BEGIN"), Statement("SELECT nextval('changes')"),
                    Statement(
                        "UPDATE incidents SET retracted_at = now(), assess_after = NULL WHERE id = $1",
                        .uuid(first)),
                ])
                _ = try await record(at: occurred, of: site, in: instance)
                _ = try await record(at: occurred, of: site, in: instance)
                var between = year
                between.asOf = try await answer(year, instance).recordedAt
                let before = try await answer(between, instance)
                _ = try await connection.execute([
                    Database.appendPosition, Statement("COMMIT"),
                ])
                let after = try await answer(between, instance)
                let now = try await answer(year, instance)

                #expect(before.period.total.tallies.number(of: .count) == 3)
                #expect(after.period.total.tallies.number(of: .count) == 3)
                #expect(before.position == after.position)
                #expect(now.period.total.tallies.number(of: .count) == 2)
                #expect(now.period.leftOut[.retracted] == 1)

                // Nor does it matter whether the rows know their positions by themselves.
                try await database.query("SELECT settle_ledger()")
                #expect(
                    try await database.number(
                        "SELECT count(*) FROM incident_ledger WHERE position IS NULL") == 0)
                let settled = try await answer(between, instance)
                #expect(settled.period.total.tallies.number(of: .count) == 3)
            }
        }
    }

    @Test func `are not known by the number of a change that is over`() async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance)
            _ = try await record(at: .now() - .seconds(60), of: site, in: instance)

            let error = await #expect(throws: PostgreSQLError.self) {
                try await database.session { connection, _ in
                    _ = try await connection.execute([
                        Statement("BEGIN"), Statement("SELECT nextval('changes')"),
                        Database.appendPosition, Statement("COMMIT"),
                    ])
                    _ = try await connection.execute(
                        Statement("UPDATE incidents SET category = 'hazard_prevention'"))
                }
            }

            #expect(error?.state == SQLState("P0001"))
        }
    }

    // MARK: Runs

    @Test func `know what commits after a run was made, and not before`() async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance)
            let occurred = try instant("2026-03-10T12:00:00Z")
            let first = try await record(at: occurred, of: site, in: instance)
            let year = try question(.incidents, "2026-01-01", "2026-11-01")

            try await database.session { connection, _ in
                // Its rows are older than the run, its position comes behind it.
                _ = try await connection.execute([
                    Statement("BEGIN"), Statement("SELECT nextval('changes')"),
                    Statement(
                        "UPDATE incidents SET retracted_at = now(), assess_after = NULL WHERE id = $1",
                        .uuid(first)),
                ])
                _ = try await record(at: occurred, of: site, in: instance)
                try await rollUp(database)
                let before = try await answer(year, instance)
                _ = try await connection.execute([
                    Database.appendPosition, Statement("COMMIT"),
                ])
                var asOf = year
                asOf.asOf = before.recordedAt

                #expect(before.period.total.tallies.number(of: .count) == 2)
                for _ in 0..<2 {
                    let now = try await answer(year, instance)
                    let known = try await answer(asOf, instance)
                    #expect(now.period.total.tallies.number(of: .count) == 1)
                    #expect(now.period.leftOut[.retracted] == 1)
                    #expect(known.period.total.tallies.number(of: .count) == 2)
                    #expect(known.period.leftOut[.retracted] == 0)
                    // The same once a run covers that change too.
                    try await rollUp(database)
                }
            }
        }
    }

    private func rollUp(_ database: TestDatabase) async throws {
        try await database.query("SELECT extend_ledger_runs(settle_ledger())")
    }

    @Test func `are summed up once there is enough, or what there is has become old`()
        async throws
    {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance)
            _ = try await record(at: .now() - .seconds(60), of: site, in: instance)
            func runs() async throws -> Int {
                try await instance.run { try await $0.rollUpLedger() }
                return try await database.number("SELECT count(*) FROM ledger_runs")
            }

            #expect(try await runs() == 0)
            try await database.query(
                "UPDATE positions SET recorded_at = recorded_at - interval '2 days'")
            #expect(try await runs() == 1)
            #expect(try await runs() == 1)
            #expect(
                try await database.number("SELECT to_position FROM ledger_runs")
                    == database.number("SELECT max(position) FROM positions"))
        }
    }

    private static let falsehoods = [
        "UPDATE incident_cells SET amount = amount + 1 WHERE cube = 'base'",
        "DELETE FROM incident_cells WHERE cube = 'recognition'",
        "UPDATE ledger_firsts SET at = at - interval '1 day'",
        "INSERT INTO incident_arrival_cells SELECT site, 'base', run, month, operating_mode, false, "
            + "NULL, NULL, NULL, NULL, 1, '' FROM incident_cells LIMIT 1",
    ]

    @Test(arguments: falsehoods)
    func `that are not the sum of the rows are found`(falsehood: String) async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance)
            _ = try await record(at: try instant("2026-02-10T12:00:00Z"), of: site, in: instance)
            try await rollUp(database)
            #expect(try await instance.run { try await $0.ledgerDifferences() }.isEmpty)

            try await database.query(falsehood)

            let differences = try await instance.run { try await $0.ledgerDifferences() }
            #expect(!differences.isEmpty)
            let last = try await instance.run { try await $0.journalHead() }.position
            #expect(differences.allSatisfy { $0.subject == "(0, \(last)]" })
        }
    }

    // MARK: Periods

    @Test func `stand beside the same days and the whole of the year before`() async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance)
            for time in [
                "2024-12-31T22:59:59Z", "2024-12-31T23:00:00Z", "2025-10-31T22:59:59Z",
                "2025-10-31T23:00:00Z", "2025-12-31T22:59:00Z", "2026-05-01T00:00:00Z",
            ] {
                _ = try await record(at: try instant(time), of: site, in: instance)
            }
            var question = try question(.incidents, "2026-01-01", "2026-11-01", by: [.month])
            question.comparisons = [.previousSamePeriod, .previousFullYear]

            let answer = try await answer(question, instance)

            #expect(answer.period.total.tallies.number(of: .count) == 1)
            #expect(answer.period.cells.count == 10)
            #expect(numbers(answer.period)["2026-05"] == 1)
            let (same, full) = (answer.comparisons[0].part, answer.comparisons[1].part)
            #expect(!same.hasOtherLength)
            #expect(full.hasOtherLength)
            #expect(same.total.tallies.number(of: .count) == 2)
            #expect(full.total.tallies.number(of: .count) == 4)
            #expect(numbers(full)["2025-01"] == 1)
            #expect(numbers(full)["2025-10"] == 1)
            #expect(numbers(full)["2025-11"] == 1)
            #expect(same.spans[0].from == (try instant("2024-12-31T23:00:00Z")))
            #expect(same.spans[0].localTo == "2025-11-01 00:00:00")
        }
    }

    @Test func `are not zero where nothing was recorded`() async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance)
            _ = try await record(at: try instant("2026-02-10T12:00:00Z"), of: site, in: instance)
            var question = try question(.incidents, "2026-01-01", "2026-05-01", by: [.month])

            let states = try await answer(question, instance).period.cells.map(\.state)
            question.filters = [(.source, ["automatic"])]
            let automatic = try await answer(question, instance)

            #expect(states == [.notRecorded, .partial, .complete, .complete])
            #expect(automatic.period.total.state == .notRecorded)

            // The first alarm begins what is recognised automatically.
            _ = try await instance.submit(site.detection(at: .now()))
            let later = try await answer(question, instance)
            #expect(later.period.total.state == .notRecorded)
            question.asOf = automatic.recordedAt
            #expect(try await answer(question, instance).period.total.state == .notRecorded)
        }
    }

    @Test func `of one site are nothing of another's`() async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let mannheim = try await DemonstrationSite(in: instance)
            let hamburg = try await DemonstrationSite(in: instance, named: "hamburg")
            let occurred = try instant("2026-02-10T12:00:00Z")
            _ = try await record(at: occurred, of: mannheim, in: instance)
            _ = try await record(at: occurred, of: hamburg, in: instance)
            _ = try await record(at: occurred, of: hamburg, in: instance)
            var question = try question(.incidents, "2026-02-10", "2026-02-11", by: [.site])

            let both = try await answer(question, instance)
            question.site = mannheim.id
            let one = try await answer(question, instance)

            #expect(numbers(both.period) == ["hamburg": 2, "mannheim": 1])
            #expect(numbers(one.period) == ["mannheim": 1])
            #expect(one.period.spans.map(\.site) == [mannheim.id])
        }
    }

    @Test func `stay when an area is monitored later`() async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance)
            let id = try await record(
                at: try instant("2026-02-10T12:00:00Z"), of: site, in: instance)
            try await instance.run { database in
                var unwatched = AreaChange()
                unwatched.monitored = false
                _ = try await database.changeArea(
                    site.area, only: nil, if: .any, to: unwatched, by: author, at: .now()
                ).stored()
            }
            var change = IncidentChange()
            change.category = .hazardPrevention
            let wanted = change
            _ = try await instance.run { database in
                try await database.changeIncident(
                    id, only: nil, if: .any, to: wanted, reason: "Nachgetragen", by: author,
                    at: .now()
                ).stored()
            }

            let answer = try await answer(
                question(.incidents, "2026-02-10", "2026-02-11", by: [.monitored, .category]),
                instance)

            let counted = answer.period.cells.filter { $0.tallies[.cases].missing > 0 }
            #expect(counted.map(\.keys) == [["true", "hazard_prevention"]])
        }
    }

    @Test func `that the journal does not bear out are found`() async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance)
            _ = try await record(at: try instant("2026-02-10T12:00:00Z"), of: site, in: instance)
            #expect(try await instance.run { try await $0.ledgerDifferences() }.isEmpty)

            try await database.query("UPDATE incident_ledger SET category = 'hazard_prevention'")

            let differences = try await instance.run { try await $0.ledgerDifferences() }
            #expect(differences.map(\.amount) == [-1, 1])
            #expect(differences.map { $0.fact.contains("criminal_offence") } == [true, false])
        }
    }

    /// What stands in the ledger otherwise than it was written, by whoever owns the table.
    private static let tamperings = [
        // Both rows of an earlier state, so that the sums of today stay as they are.
        "UPDATE incident_ledger SET monitored = false WHERE position = $1 OR amount < 0",
        "UPDATE incident_ledger SET category = 'hazard_prevention' WHERE position = $1 OR amount < 0",
        "UPDATE incident_ledger SET position = position - 1 WHERE position > $1",
        "UPDATE incident_ledger SET arrival_seconds = 1 WHERE position = $1 OR amount < 0",
        "DELETE FROM incident_ledger WHERE position = $1 OR amount < 0",
    ]

    @Test(arguments: tamperings)
    func `that the journal did not bear out at an earlier position are found`(tampering: String)
        async throws
    {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance)
            let id = try await record(
                at: try instant("2026-02-10T12:00:00Z"), of: site, in: instance)
            let first = try await instance.run { try await $0.journalHead() }.position
            try await instance.run { database in
                var unwatched = AreaChange()
                unwatched.monitored = false
                _ = try await database.changeArea(
                    site.area, only: nil, if: .any, to: unwatched, by: author, at: .now()
                ).stored()
                var elsewhere = IncidentChange()
                elsewhere.area = .some(nil)
                _ = try await database.changeIncident(
                    id, only: nil, if: .any, to: elsewhere, reason: "Anderswo", by: author,
                    at: .now()
                ).stored()
                try await database.rollUpLedger()
            }
            #expect(try await instance.run { try await $0.ledgerDifferences() }.isEmpty)

            try await database.query(tampering, .int64(first))

            let differences = try await instance.run { try await $0.ledgerDifferences() }
            #expect(!differences.isEmpty)
            #expect(differences.allSatisfy { $0.subject == id.description })
            #expect(differences.contains { ($0.position ?? 0) >= first })
        }
    }

    @Test func `that would have too many cells are refused`() async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            _ = try await DemonstrationSite(in: instance)
            // 36,525 days with three categories each.
            let question = try question(
                .incidents, "2000-01-01", "2100-01-01", by: [.day, .category])

            let outcome = try await instance.run { database in
                try await database.answer(question, at: .now())
            }

            guard case .tooManyCells = outcome else {
                Issue.record("\(outcome)")
                return
            }
        }
    }
}

/// What happens to incidents and interventions, at random, with most of it around the changes of
/// clocks and the ends of months.
private struct RandomMatters {
    let site: DemonstrationSite
    let author: Author
    var matters = RecordedMatters()

    // 2025-10-26, 2025-12-31, 2026-02-28 and 2026-03-29, in UTC.
    private static let days: [Int64] = [1_761_436_800, 1_767_139_200, 1_772_236_800, 1_774_742_400]

    private func instant(_ generator: inout SplitMix64) -> Timestamp {
        let day = Self.days.randomElement(using: &generator) ?? Self.days[0]
        let offset = Int64.random(in: -12_000...12_000, using: &generator)
        return Timestamp.epoch + .seconds(day + offset)
    }

    private func outcomes(_ generator: inout SplitMix64) -> [IncidentOutcome] {
        [[], [.arrest], [.arrest, .proceedings], [.warning]].randomElement(using: &generator) ?? []
    }

    mutating func step(in instance: Instance, _ generator: inout SplitMix64) async throws {
        let incident = matters.matters.keys.sorted().randomElement(using: &generator)
            .flatMap { IncidentID($0) }
        let dispatch = matters.dispatches.keys.sorted().randomElement(using: &generator)
            .flatMap { InterventionID($0) }
        switch (Int.random(in: 0..<20, using: &generator), incident, dispatch) {
        case (0..<7, _, _), (_, nil, _): try await create(in: instance, &generator)
        case (7..<10, let incident?, _): try await correct(incident, in: instance, &generator)
        case (10, let incident?, _):
            let (author, retracted) = (author, incident)
            let result = try await instance.run { database in
                try await database.retractIncident(
                    retracted, only: nil, reason: "Doppelt", by: author, at: .now())
            }
            if case .done(let stored) = result { try matters.takeIncident(stored.document) }
        case (11..<15, let incident?, _): try await send(to: incident, in: instance, &generator)
        case (_, _, let dispatch?): try await work(on: dispatch, in: instance, &generator)
        default: try await create(in: instance, &generator)
        }
    }

    private mutating func create(in instance: Instance, _ generator: inout SplitMix64) async throws
    {
        var new = NewIncident(
            category: ControlCentre.Category.allCases.randomElement(using: &generator)
                ?? .criminalOffence)
        new.site = site.id
        new.occurredAt = instant(&generator)
        new.area = Bool.random(using: &generator) ? site.area : nil
        new.operatingMode = Int.random(in: 0..<5, using: &generator) == 0 ? .training : .production
        new.outcomes = outcomes(&generator)
        let (wanted, author) = (new, author)
        let stored = try await instance.run { database in
            try await database.createIncident(wanted, by: author, at: .now()).stored()
        }
        try matters.takeIncident(stored.document)
    }

    private mutating func correct(
        _ id: IncidentID, in instance: Instance, _ generator: inout SplitMix64
    ) async throws {
        var change = IncidentChange()
        switch Int.random(in: 0..<5, using: &generator) {
        case 0: change.category = .administrativeOffence
        case 1: change.occurredAt = instant(&generator)
        case 2: change.area = Bool.random(using: &generator) ? .some(site.area) : .some(nil)
        case 3: change.operatingMode = Bool.random(using: &generator) ? .production : .exercise
        default: change.outcomes = outcomes(&generator)
        }
        let (wanted, author) = (change, author)
        let result = try await instance.run { database in
            try await database.changeIncident(
                id, only: nil, if: .any, to: wanted, reason: "Nachgetragen", by: author, at: .now())
        }
        if case .done(let stored) = result { try matters.takeIncident(stored.document) }
    }

    private mutating func send(
        to incident: IncidentID, in instance: Instance, _ generator: inout SplitMix64
    ) async throws {
        guard let matter = matters.matters[incident.description] else { return }
        var new = NewIntervention(
            incident: incident, immediate: Bool.random(using: &generator))
        new.dispatchedAt =
            matter.recognisedAt + .seconds(Int.random(in: 0...4_000, using: &generator))
        new.precinct = ["Innenstadt", "Neckarstadt", nil].randomElement(using: &generator) ?? nil
        let (wanted, author) = (new, author)
        let result = try await instance.run { database in
            try await database.createIntervention(wanted, only: nil, by: author, at: .now())
        }
        if case .done(let stored) = result { try matters.takeIntervention(stored.document) }
    }

    private mutating func work(
        on id: InterventionID, in instance: Instance, _ generator: inout SplitMix64
    ) async throws {
        guard let dispatch = matters.dispatches[id.description] else { return }
        let step: InterventionStep =
            switch Int.random(in: 0..<4, using: &generator) {
            case 0: .cancel
            case 1: .complete
            default:
                .arrive(
                    Intervention.Arrival(
                        at: dispatch.dispatchedAt
                            + .milliseconds(Int.random(in: 0...900_000, using: &generator)),
                        source: .keyed), isExplained: false)
            }
        let author = author
        let result = try await instance.run { database in
            try await database.apply(
                step, reason: nil, to: id, only: nil, by: author, at: .now())
        }
        if case .done(let stored) = result { try matters.takeIntervention(stored.document) }
    }
}
