import ControlCentre
import PostgreSQL
import TestSupport
import Testing

@testable import Store

/// Random histories of cameras, nodes and orders, and the figures of coverage and cameras against a
/// recount that looks at each camera every 100 seconds.
@Suite struct `Coverage of random histories` {
    /// Nine days from a Friday or Thursday on, in which the clocks change and another month begins.
    private static let days: Int64 = 9

    @Test(
        arguments: [
            (1, "2026-10-24"), (2, "2026-10-24"), (3, "2026-03-27"), (4, "2026-03-27"),
        ] as [(UInt64, String)])
    func `is what a recount finds, now and at each earlier position`(seed: UInt64, first: String)
        async throws
    {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            var generator = SplitMix64(seed: seed)
            let day = try BerlinCalendar.number(first)
            let begin = try BerlinCalendar.midnight(day)
            var history = try await RandomWatching(in: instance, database, from: begin)
            var known: [(position: Int64, watching: RecordedWatching)] = []
            var isOver = false
            while !isOver {
                isOver = try await history.step(
                    database, until: Self.days * 86_400, &generator)
                guard isOver || Int.random(in: 0..<5, using: &generator) == 0 else { continue }
                let position = try await history.record(instance, database)
                known.append((position, history.recorded))
                if Int.random(in: 0..<4, using: &generator) == 0 {
                    try await database.rollUpLedger()
                }
            }
            #expect(try await database.number("SELECT max(level) FROM ledger_runs") > 0)
            #expect(
                try await database.number(
                    "SELECT count(*) FROM camera_day_ledger WHERE amount < 0") > 20)

            for round in 0..<8 {
                let (position, watching) =
                    round == 0
                    ? known[known.count - 1]
                    : known[Int.random(in: known.count / 4..<known.count, using: &generator)]
                let watches = try watching.watches()
                for _ in 0..<12 {
                    var question = try randomQuestion(around: day, watching, &generator)
                    if round > 0 {
                        question.asOf = try await database.query(
                            "SELECT recorded_at FROM positions WHERE position = $1",
                            .int64(position)
                        ).time(0, 0)
                    }
                    let answer = try await instance.answer(question)
                    let named = "seed \(seed), \(question) at \(position)"
                    #expect(answer.position == position, "\(named)")
                    try check(answer.period, of: question, watching, watches, named)
                }
            }
            try await instance.expectAgreement("seed \(seed)")
        }
    }

    private func check(
        _ part: StatisticsAnswer.Part, of question: StatisticsQuestion,
        _ watching: RecordedWatching, _ watches: [RecordedWatching.Watch: Int64], _ named: String
    ) throws {
        let span = part.spans[0]
        let from = (span.from - watching.begin).components.seconds
        let to = (span.to - watching.begin).components.seconds
        #expect(
            span.recordedUntil == watching.begin + .seconds(watching.recordedUntil), "\(named)")
        let state =
            to <= 0 || from >= watching.recordedUntil
            ? RecordingState.notRecorded
            : from >= 0 && to <= watching.recordedUntil ? .complete : .partial
        #expect(part.total.state == state, "\(named)")
        let days =
            try BerlinCalendar.place(of: span.from).day..<BerlinCalendar.place(of: span.to).day
        let isOfCameras = question.metric == .cameras
        let expected =
            isOfCameras
            ? try watches.cameras(question, on: days, of: watching.begin)
            : try watches.hours(question, from: from, to: to, of: watching.begin)
        for (cell, keys) in part.cells.map({ ($0, Optional($0.keys)) }) + [(part.total, nil)] {
            let tallies = expected.tallies[keys] ?? [:]
            for tally in isOfCameras
                ? [.installedCameras, .analysedCameras]
                : [.analysed, .offBySchedule, .offByOrder, .blind, .off, .unknown] as [FigureTally]
            {
                let counts = tallies[tally] ?? [:]
                #expect(
                    cell.tallies[tally].count == counts.values.reduce(0, +),
                    "\(named), \(tally) of \(keys.map { "\($0)" } ?? "total")")
                guard isOfCameras else { continue }
                #expect(
                    days.map { cell.tallies[tally].count(of: $0) } == days.map { counts[$0] ?? 0 },
                    "\(named), \(tally) by day of \(keys.map { "\($0)" } ?? "total")")
            }
            guard isOfCameras else { continue }
            try checkMeasures(cell, keys, tallies, of: question, on: days, watching, named)
        }
        let keys = Set(part.cells.map(\.keys))
        #expect(
            expected.tallies.keys.allSatisfy { $0.map { keys.contains($0) } ?? true }, "\(named)")
    }

    /// Of the days of a cell that are recorded whole.
    private func checkMeasures(
        _ cell: StatisticsAnswer.Cell, _ keys: [String?]?,
        _ tallies: [FigureTally: [Int64?: Int64]], of question: StatisticsQuestion,
        on days: Range<Int64>, _ watching: RecordedWatching, _ named: String
    ) throws {
        let whole = try days.filter { day in
            let begins = try BerlinCalendar.midnight(day)
            let ends = try BerlinCalendar.midnight(day + 1)
            let calendar = try BerlinCalendar.day(day)
            return begins >= watching.begin
                && ends <= watching.begin + .seconds(watching.recordedUntil)
                && zip(question.groups, keys ?? []).allSatisfy { group, key in
                    switch group {
                    case .weekday: key == calendar.weekday
                    case .month, .week, .day: key == calendar[group]
                    default: true
                    }
                }
        }
        let installed = whole.map { tallies[.installedCameras]?[$0] ?? 0 }
        let analysed = whole.map { tallies[.analysedCameras]?[$0] ?? 0 }
        let expected: [(Measure, Int64?)] = [
            (.installedLast, installed.last), (.analysedLast, analysed.last),
            (.installedLowest, installed.min()), (.installedHighest, installed.max()),
            (.analysedLowest, analysed.min()), (.analysedHighest, analysed.max()),
            (.installedDays, installed.reduce(0, +)), (.analysedDays, analysed.reduce(0, +)),
        ]
        for (measure, number) in expected {
            #expect(
                cell.tallies.number(of: measure) == number.map(Double.init),
                "\(named), \(measure) of \(keys.map { "\($0)" } ?? "total")")
        }
        let mean =
            whole.isEmpty ? nil : Double(installed.reduce(0, +)) / Double(whole.count)
        #expect(cell.tallies.number(of: .installedMean) == mean, "\(named)")
    }

    private func randomQuestion(
        around day: Int64, _ watching: RecordedWatching, _ generator: inout SplitMix64
    ) throws -> StatisticsQuestion {
        let metric = Bool.random(using: &generator) ? Metric.coverage : .cameras
        let month = try BerlinCalendar.day(day).month
        let next = try BerlinCalendar.day(day + Self.days).month
        let first = try BerlinCalendar.number("\(month)-01")
        let second = try BerlinCalendar.number("\(next)-01")
        let random = day + Int64.random(in: -2...7, using: &generator)
        let periods = [
            (first, second), (first, second + 20), (first - 40, second + 40),
            (day, day + Self.days), (day + 1, day + 2),
            (random, random + Int64.random(in: 1...5, using: &generator)),
        ]
        let period = periods.randomElement(using: &generator) ?? periods[0]
        var question = StatisticsQuestion(
            metric: metric,
            from: .date(try #require(LocalDate(try BerlinCalendar.day(period.0).name))),
            to: .date(try #require(LocalDate(try BerlinCalendar.day(period.1).name))))
        if metric == .coverage, Int.random(in: 0..<4, using: &generator) == 0 {
            let hour = Int64.random(in: 0..<200, using: &generator)
            question.from = .instant(watching.begin + .seconds(hour * 3_600))
            question.to = .instant(
                watching.begin
                    + .seconds((hour + Int64.random(in: 1...30, using: &generator)) * 3_600))
        }
        let definition = MetricDefinition.current(of: metric)
        for group in definition.groups.shuffled(using: &generator)
            .prefix(Int.random(in: 0...3, using: &generator))
        where !group.isCalendar || !question.groups.contains(where: \.isCalendar) {
            question.groups.append(group)
        }
        let filters: [(dimension: Dimension, values: [String])] = [
            (.area, watching.areas.prefix(2).map(\.id.description)), (.monitored, ["true"]),
            (.camera, watching.cameras.prefix(3).map(\.id.description)), (.pattern, ["kicking"]),
            (.model, ["v2"]),
        ]
        question.filters = filters.filter {
            definition.filters.contains($0.dimension)
                && Int.random(in: 0..<6, using: &generator) == 0
        }
        return question
    }
}
