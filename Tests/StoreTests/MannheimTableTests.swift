import ControlCentre
import Imports
import TestSupport
import Testing

@testable import Store

/// The figures that the ministry gave for Mannheim, from a history with as many matters, and with
/// what must not count besides them.
@Suite struct `The table of Mannheim` {
    private let author = DemonstrationSite.observer(1, as: .shiftSupervisor)

    /// Matters of one year, spread over its first days.
    private struct Year {
        let number: Int
        let days: Int
        /// How many matters of each category were intervened in at once.
        let immediate: [(category: String, count: Int)]
        let others: Int
    }

    private static let monthLengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

    /// Local, as the observers' table has it.
    private static func date(_ year: Int, day: Int) -> String {
        var (month, rest) = (0, day)
        while rest >= monthLengths[month] {
            rest -= monthLengths[month]
            month += 1
        }
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(year)-\(two(month + 1))-\(two(rest + 1))"
    }

    private static func lines(of year: Year) -> [String] {
        var categories = year.immediate.flatMap {
            Array(repeating: ($0.category, true), count: $0.count)
        }
        categories += Array(repeating: ("hazard_prevention", false), count: year.others)
        var lines: [String] = []
        for (number, (category, isImmediate)) in categories.enumerated() {
            let date = date(year.number, day: number * year.days / categories.count)
            let key = "\(year.number)-\(number)"
            lines.append("incident,E-\(key),\(category),\(date)T12:00:00,production,,,,,")
            if isImmediate {
                // Minutes from one to five; a second unit comes after half an hour.
                lines.append(
                    "intervention,I-\(key),,,,E-\(key),true,\(date)T12:00:30,\(date)T12:0\(1 + number % 5):00,"
                )
                if number.isMultiple(of: 3) {
                    lines.append(
                        "intervention,J-\(key),,,,E-\(key),true,\(date)T12:10:00,\(date)T12:30:00,")
                }
            } else if number.isMultiple(of: 10) {
                // Called off, and later on sent without haste: none of it was immediate.
                lines.append(
                    "intervention,I-\(key),,,,E-\(key),true,\(date)T12:01:00,,\(date)T12:02:00")
                lines.append("intervention,J-\(key),,,,E-\(key),false,\(date)T13:00:00,,")
            }
        }
        return lines
    }

    private static let years = [
        Year(
            number: 2022, days: 365,
            immediate: [
                ("criminal_offence", 230), ("administrative_offence", 30),
                ("hazard_prevention", 155),
            ], others: 271),
        Year(
            number: 2023, days: 304,
            immediate: [
                ("criminal_offence", 185), ("administrative_offence", 22),
                ("hazard_prevention", 127),
            ], others: 218),
    ]

    private static var history: String {
        let head =
            "kind,key,category,occurred_at,operating_mode,incident,immediate,dispatched_at,arrived_at,cancelled_at"
        let besides = [
            // After the reporting period, by a second, and staged.
            "incident,E-later,criminal_offence,2023-11-01T00:00:00,production,,,,,",
            "incident,E-staged,criminal_offence,2023-05-01T12:00:00,training,,,,,",
        ]
        return ([head] + years.flatMap(lines) + besides).joined(separator: "\n") + "\n"
    }

    private func ask(
        _ metric: Metric, by groups: [Dimension] = [], asOf: Timestamp? = nil, _ instance: Instance
    ) async throws -> StatisticsAnswer {
        var question = try StatisticsQuestion(
            metric, from: "2023-01-01", to: "2023-11-01", by: groups)
        question.comparisons = [.previousFullYear]
        question.asOf = asOf
        return try await instance.answer(question)
    }

    private func count(_ cell: StatisticsAnswer.Cell) -> Double? {
        cell.state == .complete ? cell.tallies.number(of: .count) : nil
    }

    /// The eight figures in the order of the table.
    private func table(asOf: Timestamp? = nil, _ instance: Instance) async throws -> [Double?] {
        let matters = try await ask(.incidents, by: [.immediate], asOf: asOf, instance)
        let immediate = try await ask(
            .incidentsWithImmediateIntervention, by: [.category], asOf: asOf, instance)
        func part(_ answer: StatisticsAnswer, _ key: String) -> Double? {
            answer.period.cells.first { $0.keys == [key] }.flatMap { count($0) }
        }
        return [
            count(matters.period.total), count(matters.comparisons[0].part.total),
            count(immediate.period.total), count(immediate.comparisons[0].part.total),
            part(immediate, "criminal_offence"), part(immediate, "administrative_offence"),
            part(immediate, "hazard_prevention"), part(matters, "false"),
        ]
    }

    @Test func `comes out as it was given to parliament, and stays when it is corrected`()
        async throws
    {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance)
            let outcome = try await instance.run { database in
                try await database.importHistory(
                    HistoryFile(HistoryFile.Bytes(Array(Self.history.utf8)), format: .csv),
                    into: site.id, ImportOptions(), by: author, at: .now())
            }
            guard case .done(let report) = outcome else { throw NotStored(outcome: "\(outcome)") }
            #expect(report.faults == [])
            let given: [Double?] = [552, 686, 334, 415, 185, 22, 127, 218]

            #expect(try await table(instance) == given)
            // The import is one change of many rows, and of a run as it was before.
            try await database.rollUpLedger()
            #expect(try await table(instance) == given)

            let times = try await ask(.arrivalTimes, instance)
            // 334 first arrivals: 67 each after 1 to 4 minutes, 66 after 5. Without arrival are
            // those sent later: every tenth of the numbers 334 to 551.
            let distribution = times.period.total.tallies[.cases]
            #expect(distribution.known == 334)
            #expect(distribution.missing == 22)
            #expect(distribution.percentile(0.5) == 180)
            #expect(distribution.percentile(0.9) == 300)
            #expect(distribution.mean == 60_000.0 / 334)

            let comparison = try await ask(.incidents, instance).comparisons[0].part
            #expect(comparison.hasOtherLength)
            let stand = try #require(try await ask(.incidents, instance).recordedAt)
            #expect(
                try await ask(.incidents, instance).period.leftOut.operatingModes == ["training": 1]
            )

            try await correct(database, instance)
            // One of the offences was none, and one was entered twice.
            #expect(try await table(instance) == [551, 686, 333, 415, 183, 23, 127, 218])
            #expect(try await table(asOf: stand, instance) == given)
            try await instance.expectAgreement()
        }
    }

    private func correct(_ database: TestDatabase, _ instance: Instance) async throws {
        let offences = try await database.query(
            """
            SELECT id FROM incidents
            WHERE category = 'criminal_offence' AND immediate_count > 0
                AND occurred_at BETWEEN '2023-03-01' AND '2023-04-01'
            ORDER BY occurred_at, id LIMIT 2
            """)
        let (first, second): (IncidentID, IncidentID) = (
            try offences.id(0, 0), try offences.id(1, 0)
        )
        var change = IncidentChange()
        change.category = .administrativeOffence
        let wanted = change
        try await instance.run { database in
            _ = try await database.changeIncident(
                first, only: nil, if: .any, to: wanted, reason: "Keine Straftat", by: author,
                at: .now()
            ).stored()
            _ = try await database.retractIncident(
                second, only: nil, reason: "Doppelt erfasst", by: author, at: .now()
            ).stored()
        }
    }

    @Test func `has no zeros for what was not recognised automatically before there were alarms`()
        async throws
    {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            _ = try await DemonstrationSite(in: instance)
            var question = StatisticsQuestion(
                metric: .incidents, from: .date(try #require(LocalDate("2018-12-01"))),
                to: .date(try #require(LocalDate("2023-11-01"))))
            question.groups = [.month]
            question.filters = [(.source, ["automatic"])]

            let answer = try await instance.answer(question)

            #expect(answer.period.cells.count == 59)
            #expect(answer.period.cells.allSatisfy { $0.state == .notRecorded })
            #expect(answer.period.total.state == .notRecorded)
        }
    }
}
