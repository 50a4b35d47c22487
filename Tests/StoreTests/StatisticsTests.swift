import ControlCentre
import JSON
import PostgreSQL
import TestSupport
import Testing

@testable import Store

@Suite struct `Figures` {
    private let author = DemonstrationSite.observer(1, as: .shiftSupervisor)

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

    // MARK: As-of

    /// Retracts an incident in a transaction that has taken its number, and stays open.
    private static func openRetraction(of incident: IncidentID) -> [Statement] {
        [
            Statement("BEGIN"), Statement("SELECT nextval('changes')"),
            Statement(
                "UPDATE incidents SET retracted_at = now(), assess_after = NULL WHERE id = $1",
                .uuid(incident)),
        ]
    }

    @Test func `of two changes that commit against their order are known in that of the commits`()
        async throws
    {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance)
            let occurred = try instant("2026-03-10T12:00:00Z")
            let first = try await record(at: occurred, of: site, in: instance)
            let year = try StatisticsQuestion(
                .incidents, from: "2026-01-01", to: "2026-11-01")

            // The session takes its number first and commits last.
            try await database.session { connection, _ in
                _ = try await connection.execute(Self.openRetraction(of: first))
                _ = try await record(at: occurred, of: site, in: instance)
                _ = try await record(at: occurred, of: site, in: instance)
                var between = year
                between.asOf = try await instance.answer(year).recordedAt
                let before = try await instance.answer(between)
                _ = try await connection.execute([
                    Database.appendPosition, Statement("COMMIT"),
                ])
                let after = try await instance.answer(between)
                let now = try await instance.answer(year)

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
                let settled = try await instance.answer(between)
                #expect(settled.period.total.tallies.number(of: .count) == 3)
            }
        }
    }

    @Test func `are told though a matter is said to be of the first year`() async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance)
            _ = try await record(
                at: try instant("2026-03-10T12:00:00Z"), of: site, in: instance)
            // Such dates were taken once.
            try await database.query(
                "UPDATE incident_ledger SET occurred_in = '0001-01-01T00:00:00Z'")

            let answer = try await instance.answer(
                try StatisticsQuestion(.incidents, from: "2026-01-01", to: "2026-11-01"))
            let since = try await instance.run { try await $0.recordedSince(only: nil) }

            #expect(answer.period.total.tallies.number(of: .count) == 0)
            #expect(answer.period.spans.first?.recordedSince == .epoch)
            #expect(since[.incidents]?.first?.since == .epoch)
        }
    }

    @Test(arguments: [false, true])
    func `of a site begin with its first matter that is neither corrected nor retracted`(
        isRetracted: Bool
    ) async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance)
            _ = try await record(
                at: try instant("2026-03-10T12:00:00Z"), of: site, in: instance)
            let typo = try await record(
                at: try instant("2002-03-11T12:00:00Z"), of: site, in: instance)
            var before = try StatisticsQuestion(.incidents, from: "2010-01-01", to: "2011-01-01")
            before.asOf = try await database.query("SELECT max(recorded_at) FROM positions")
                .time(0, 0)
            var now = before
            now.asOf = nil

            let wrong = try await instance.answer(now)
            try await instance.run { database in
                if isRetracted {
                    _ = try await database.retractIncident(
                        typo, only: nil, reason: "Irrtum", by: author, at: .now())
                } else {
                    var change = IncidentChange()
                    change.occurredAt = try instant("2026-03-11T12:00:00Z")
                    _ = try await database.changeIncident(
                        typo, only: nil, if: .any, to: change, reason: "Jahr", by: author,
                        at: .now())
                }
            }
            let corrected = try await instance.answer(now)
            try await database.rollUpLedger()
            let summedUp = try await instance.answer(now)
            let earlier = try await instance.answer(before)

            let inMarch = try instant("2026-03-09T23:00:00Z")
            #expect(wrong.period.total.state == .complete)
            #expect(corrected.period.total.state == .notRecorded)
            #expect(corrected.period.spans.first?.recordedSince == inMarch)
            #expect(summedUp.period.spans.first?.recordedSince == inMarch)
            #expect(earlier.period.total.state == .complete)
        }
    }

    @Test func `as of an instant at which a change was under way wait for it`() async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance)
            let first = try await record(
                at: try instant("2026-03-10T12:00:00Z"), of: site, in: instance)
            let year = try StatisticsQuestion(.incidents, from: "2026-01-01", to: "2026-11-01")

            try await database.session { connection, _ in
                let taken = try await connection.execute(
                    Self.openRetraction(of: first) + [
                        Database.appendPosition,
                        Statement("SELECT max(recorded_at) FROM positions"),
                    ])
                // It has its position, and nobody sees that yet.
                var asOf = year
                asOf.asOf = try taken[taken.count - 1].time(0, 0)
                let question = asOf
                let asked = try await connection.blocking { try await instance.answer(question) }
                _ = try await connection.execute(Statement("COMMIT"))
                let answer = try await asked.value
                let later = try await instance.answer(question)

                #expect(answer.period.total.tallies.number(of: .count) == 0)
                #expect(answer.period.leftOut[.retracted] == 1)
                #expect(answer.position == later.position)
                #expect(later.period.leftOut[.retracted] == 1)
            }
        }
    }

    @Test func `as of an instant to come are none, also if it comes while others are waited for`()
        async throws
    {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance)
            let first = try await record(
                at: try instant("2026-03-10T12:00:00Z"), of: site, in: instance)
            let year = try StatisticsQuestion(.incidents, from: "2026-01-01", to: "2026-11-01")

            // As far ahead as it takes until the question has been asked before.
            for milliseconds in [100, 1_000, 10_000] {
                let isAskedBefore = try await database.session { connection, _ in
                    _ = try await connection.execute(
                        Self.openRetraction(of: first) + [Database.appendPosition])
                    let instant = Timestamp.now() + .milliseconds(milliseconds)
                    var asOf = year
                    asOf.asOf = instant
                    let question = asOf
                    let asked = try await connection.blocking {
                        try await instance.run { try await $0.answer(question, at: .now()) }
                    }
                    let ahead = try await database.query(
                        """
                        SELECT greatest(0, extract(epoch FROM $1 - clock_timestamp())::float8 + 0.001)
                        """, .time(instant)
                    ).double(0, 0)
                    let isAskedBefore = ahead > 0.001
                    try await database.query("SELECT pg_sleep($1)", .double(ahead))
                    _ = try await connection.execute(Statement("ROLLBACK"))
                    if case .asOfInFuture(let now) = try await asked.value {
                        #expect(now < instant)
                    } else {
                        #expect(!isAskedBefore)
                    }
                    return isAskedBefore
                }
                if isAskedBefore { return }
            }
            Issue.record("no question was asked in time")
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
            let year = try StatisticsQuestion(
                .incidents, from: "2026-01-01", to: "2026-11-01")

            try await database.session { connection, _ in
                // Its rows are older than the run, its position comes behind it.
                _ = try await connection.execute(Self.openRetraction(of: first))
                _ = try await record(at: occurred, of: site, in: instance)
                try await database.rollUpLedger()
                let before = try await instance.answer(year)
                _ = try await connection.execute([
                    Database.appendPosition, Statement("COMMIT"),
                ])
                var asOf = year
                asOf.asOf = before.recordedAt

                #expect(before.period.total.tallies.number(of: .count) == 2)
                for _ in 0..<2 {
                    let now = try await instance.answer(year)
                    let known = try await instance.answer(asOf)
                    #expect(now.period.total.tallies.number(of: .count) == 1)
                    #expect(now.period.leftOut[.retracted] == 1)
                    #expect(known.period.total.tallies.number(of: .count) == 2)
                    #expect(known.period.leftOut[.retracted] == 0)
                    // The same once a run covers that change too.
                    try await database.rollUpLedger()
                }
            }
        }
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
            try await database.rollUpLedger()
            try await instance.expectAgreement()

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
            var question = try StatisticsQuestion(
                .incidents, from: "2026-01-01", to: "2026-11-01", by: [.month])
            question.comparisons = [.previousSamePeriod, .previousFullYear]

            let answer = try await instance.answer(question)

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

    @Test func `lie in the hour that the clocks show, also where they show it twice or never`()
        async throws
    {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance)
            // 01:45 and twice 02:30, then 03:00 in October; 01:30 and 03:30 in March.
            for time in [
                "2025-10-25T23:45:00Z", "2025-10-26T00:30:00Z", "2025-10-26T01:30:00Z",
                "2025-10-26T02:00:00Z", "2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z",
            ] {
                _ = try await record(at: try instant(time), of: site, in: instance)
            }

            let autumn = try await instance.answer(
                StatisticsQuestion(
                    .incidents, from: "2025-10-26", to: "2025-10-27", by: [.hourOfDay])
            ).period
            let spring = try await instance.answer(
                StatisticsQuestion(
                    .incidents, from: "2026-03-29", to: "2026-03-30", by: [.hourOfDay])
            ).period

            #expect(autumn.cells.count == 24)
            #expect(autumn.cells.prefix(5).map { $0.tallies[.cases].count } == [0, 1, 2, 1, 0])
            #expect(spring.cells.prefix(5).map { $0.tallies[.cases].count } == [0, 1, 0, 1, 0])
            for part in [autumn, spring] {
                let sum = part.cells.reduce(0) { $0 + $1.tallies[.cases].count }
                #expect(sum == part.total.tallies[.cases].count)
            }
        }
    }

    @Test func `by ISO week, day, weekday and hour add up to the same total across a new year`()
        async throws
    {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance)
            // Sunday 27, Monday 28, and Thursday 31 December 2020; Friday 1, Sunday 3 and Monday 4
            // January 2021: by local clocks, an hour later.
            for time in [
                "2020-12-27T22:45:00Z", "2020-12-27T23:00:00Z", "2020-12-31T22:59:00Z",
                "2020-12-31T23:00:00Z", "2021-01-03T22:59:00Z", "2021-01-04T12:00:00Z",
            ] {
                _ = try await record(at: try instant(time), of: site, in: instance)
            }
            var question = try StatisticsQuestion(
                .incidents, from: "2020-12-25", to: "2021-01-06", by: [.week])

            let weeks = try await instance.answer(question).period

            // The year 2020 had 53 weeks; the last ended on 3 January.
            #expect(weeks.cells.map { $0.keys[0] } == ["2020-W52", "2020-W53", "2021-W01"])
            #expect(weeks.cells.map { $0.tallies[.cases].count } == [1, 4, 1])
            for groups in [[.day], [.weekday], [.hourOfDay], [.month], [.week, .weekday]]
                as [[Dimension]]
            {
                question.groups = groups
                let part = try await instance.answer(question).period
                #expect(part.cells.reduce(0) { $0 + $1.tallies[.cases].count } == 6, "\(groups)")
                #expect(part.total.tallies[.cases].count == 6)
            }
            question.groups = [.weekday]
            #expect(
                try await numbers(instance.answer(question).period)
                    == ["mon": 2, "tue": 0, "wed": 0, "thu": 1, "fri": 1, "sat": 0, "sun": 2])
        }
    }

    @Test(arguments: [
        // February 2024 has a day more than that of 2023.
        ("2024-02-01", "2024-03-01", "2023-02-01 00:00:00", "2023-03-01 00:00:00", true),
        // The day before 1 March.
        ("2024-02-29", "2024-03-01", "2023-02-28 00:00:00", "2023-03-01 00:00:00", false),
        // Of 2024 these are two days.
        ("2025-02-28", "2025-03-01", "2024-02-28 00:00:00", "2024-03-01 00:00:00", true),
        ("2025-01-01", "2025-11-01", "2024-01-01 00:00:00", "2024-11-01 00:00:00", true),
        ("2023-01-01", "2023-11-01", "2022-01-01 00:00:00", "2022-11-01 00:00:00", false),
    ])
    func `of the year before are flagged where that was longer or shorter`(
        from: String, to: String, localFrom: String, localTo: String, hasOtherLength: Bool
    ) async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance)
            _ = try await record(at: try instant("2023-02-28T12:00:00Z"), of: site, in: instance)
            _ = try await record(at: try instant("2024-02-29T12:00:00Z"), of: site, in: instance)
            var question = try StatisticsQuestion(
                .incidents, from: from, to: to)
            question.comparisons = [.previousSamePeriod]

            let same = try await instance.answer(question).comparisons[0].part

            #expect([same.spans[0].localFrom, same.spans[0].localTo] == [localFrom, localTo])
            #expect(same.hasOtherLength == hasOtherLength)
            #expect(same.total.tallies[.cases].count == (localFrom.hasPrefix("2022") ? 0 : 1))
        }
    }

    @Test func `of no value stand in a row of their own, so that rows add up to the total`()
        async throws
    {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance)
            let id = try await record(
                at: try instant("2026-02-10T12:00:00Z"), of: site, in: instance)
            try await instance.run { database in
                for precinct in ["Innenstadt", nil, nil] {
                    var new = NewIntervention(incident: id, immediate: true)
                    new.precinct = precinct
                    new.dispatchedAt = try instant("2026-02-10T12:05:00Z")
                    guard
                        case .done = try await database.createIntervention(
                            new, only: nil, by: author, at: .now())
                    else { throw NotStored(outcome: "\(new)") }
                }
            }

            let part = try await instance.answer(
                StatisticsQuestion(
                    .interventions, from: "2026-02-10", to: "2026-02-11", by: [.precinct])
            ).period

            #expect(numbers(part) == ["Innenstadt": 1, nil: 2])
            #expect(part.total.tallies[.cases].count == 3)
        }
    }

    @Test func `are not zero where nothing was recorded`() async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance)
            _ = try await record(at: try instant("2026-02-10T12:00:00Z"), of: site, in: instance)
            var question = try StatisticsQuestion(
                .incidents, from: "2026-01-01", to: "2026-05-01", by: [.month])

            let states = try await instance.answer(question).period.cells.map(\.state)
            question.filters = [(.source, ["automatic"])]
            let automatic = try await instance.answer(question)

            #expect(states == [.notRecorded, .partial, .complete, .complete])
            #expect(automatic.period.total.state == .notRecorded)

            // The first alarm begins what is recognised automatically.
            _ = try await instance.submit(site.detection(at: .now()))
            let later = try await instance.answer(question)
            #expect(later.period.total.state == .notRecorded)
            question.asOf = automatic.recordedAt
            #expect(try await instance.answer(question).period.total.state == .notRecorded)
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
            var question = try StatisticsQuestion(
                .incidents, from: "2026-02-10", to: "2026-02-11", by: [.site])

            let both = try await instance.answer(question)
            question.site = mannheim.id
            let one = try await instance.answer(question)

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

            let answer = try await instance.answer(
                StatisticsQuestion(
                    .incidents, from: "2026-02-10", to: "2026-02-11", by: [.monitored, .category]))

            let counted = answer.period.cells.filter { $0.tallies[.cases].missing > 0 }
            #expect(counted.map(\.keys) == [["true", "hazard_prevention"]])
        }
    }

    @Test func `that the journal does not bear out are found`() async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance)
            _ = try await record(at: try instant("2026-02-10T12:00:00Z"), of: site, in: instance)
            try await instance.expectAgreement()

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
            try await instance.expectAgreement()

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
            let question = try StatisticsQuestion(
                .incidents, from: "2000-01-01", to: "2100-01-01", by: [.day, .category])

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
