import ControlCentre
import PostgreSQL
import TestSupport
import Testing

@testable import Store

/// Figures of the alarm load. Mannheim is two hours ahead of UTC in summer, one in winter.
@Suite(.timeLimit(.minutes(5))) struct `Figures of the alarm load` {
    private let author = DemonstrationSite.observer(1)

    private func withSite(
        cameras: Int = 12,
        _ body: (TestDatabase, Instance, DemonstrationSite) async throws -> Void
    ) async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            try await body(
                database, instance, try await DemonstrationSite(in: instance, cameras: cameras))
        }
    }

    private func instant(_ text: String) throws -> Timestamp {
        try #require(Timestamp(rfc3339: text))
    }

    @discardableResult
    private func raise(
        at text: String, camera: Int = 0, pattern: BehaviourPattern = .hitting,
        mode: OperatingMode? = nil, receivedAt: String? = nil, _ site: DemonstrationSite,
        _ instance: Instance
    ) async throws -> AlarmID {
        let outcome = try await instance.submit(
            site.detection(
                camera: camera, pattern: pattern, mode: mode, at: try instant(text),
                receivedAt: try receivedAt.map { try instant($0) }))
        guard case .created(let alarm?) = outcome else { throw NotStored(outcome: "\(outcome)") }
        return alarm
    }

    private func apply(
        _ step: AlarmStep, to alarm: AlarmID, at instant: Timestamp, _ instance: Instance
    ) async throws {
        let result = try await instance.run { database in
            try await database.apply(step, to: alarm, only: nil, by: author, at: instant)
        }
        guard case .done = result else { throw NotStored(outcome: "\(result)") }
    }

    private func question(
        _ from: String = "2026-02-01", _ to: String = "2026-04-01", by groups: [Dimension] = []
    ) throws -> StatisticsQuestion {
        var question = StatisticsQuestion(
            metric: .alarmLoad, from: .date(try #require(LocalDate(from))),
            to: .date(try #require(LocalDate(to))))
        question.groups = groups
        return question
    }

    private func ask(_ question: StatisticsQuestion, _ instance: Instance) async throws
        -> StatisticsAnswer
    {
        let outcome = try await instance.run { database in
            try await database.answer(question, at: .now())
        }
        guard case .answer(let answer) = outcome else { throw NotStored(outcome: "\(outcome)") }
        return answer
    }

    private func rollUp(_ database: TestDatabase) async throws {
        try await database.query("SELECT extend_ledger_runs(settle_ledger())")
    }

    private func differences(_ instance: Instance) async throws -> [LedgerDifference] {
        try await instance.run { try await $0.ledgerDifferences() }
    }

    /// Such as `2026-02: annunciated 2 chattering 1`.
    private func cells(
        _ answer: StatisticsAnswer,
        _ measures: [Measure] = [.annunciated, .chattering, .stale, .topTenShare]
    ) -> [String] {
        answer.period.cells.map { cell in
            let figures = measures.compactMap { measure -> String? in
                guard let number = cell.tallies.number(of: measure), number != 0 else {
                    return nil
                }
                return "\(measure.rawValue) \(number)"
            }
            return "\(cell.keys.map { $0 ?? "none" }.joined(separator: " ")): "
                + figures.joined(separator: " ")
        }
    }

    // MARK: What rings

    @Test func `count what rings by its local month, summed up or not, and leave out the rest`()
        async throws
    {
        try await withSite { database, instance, site in
            // The last of February, by the clock of Mannheim, and the first of March.
            try await raise(at: "2026-02-28T22:59:59Z", camera: 0, site, instance)
            try await raise(at: "2026-02-28T23:00:00Z", camera: 1, site, instance)
            try await raise(
                at: "2026-03-02T12:00:00Z", camera: 1, pattern: .kicking, site, instance)
            try await raise(at: "2026-03-02T12:00:00Z", camera: 2, mode: .parallel, site, instance)
            try await raise(
                at: "2026-03-03T12:00:00Z", camera: 3, receivedAt: "2026-03-03T12:01:01Z", site,
                instance)

            for isSummedUp in [false, true] {
                if isSummedUp { try await rollUp(database) }
                let byMonth = try await ask(question(by: [.month]), instance)
                let byPattern = try await ask(question(by: [.pattern]), instance)

                #expect(
                    cells(byMonth) == [
                        "2026-02: annunciated 1.0 top_ten_share 1.0",
                        "2026-03: annunciated 2.0 top_ten_share 1.0",
                    ])
                #expect(
                    cells(byPattern, [.annunciated]) == [
                        "hitting: annunciated 2.0", "kicking: annunciated 1.0",
                    ])
                #expect(byMonth.period.total.tallies.number(of: .annunciated) == 3)
                #expect(byMonth.period.leftOut.operatingModes == ["parallel": .number(1)])
                #expect(byMonth.period.leftOut[.late] == .number(1))
            }
            #expect(try await differences(instance).isEmpty)
        }
    }

    @Test func `count an alarm again when it rings after its shelving, and once it is stale`()
        async throws
    {
        try await withSite { database, instance, site in
            let now = Timestamp.now()
            let alarm: AlarmID
            guard
                case .created(let raised?) = try await instance.submit(
                    site.detection(at: now))
            else { throw NotStored(outcome: "no alarm") }
            alarm = raised
            try await apply(
                .shelve(ShelvingID(.v7(at: now)), until: now + .seconds(600), reason: "Regen"),
                to: alarm, at: now, instance)
            try await apply(.unshelve(), to: alarm, at: now + .seconds(60), instance)
            try await database.queryAsRuntime(
                "SELECT mark_stale_alarms(clock_timestamp() + interval '25 hours')")

            let rows = try await database.query(
                """
                SELECT fact || ' ' || round(extract(epoch FROM happened_at - $1))
                FROM annunciation_ledger ORDER BY ordinal
                """, .time(now))

            let facts = try (0..<rows.rowCount).map { try rows.text($0, 0) }
            #expect(facts == ["annunciated 0", "annunciated 60", "stale 86460"])
            #expect(try await differences(instance).isEmpty)
        }
    }

    @Test func `tell the share of the ten sources that ring most`() async throws {
        try await withSite { database, instance, site in
            // Camera 0 rings three times, each of the other eleven once.
            for minute in [10, 20, 30] {
                try await raise(at: "2026-03-02T12:\(minute):00Z", camera: 0, site, instance)
            }
            for camera in 1..<12 {
                try await raise(at: "2026-03-02T12:40:00Z", camera: camera, site, instance)
            }
            let before = try await ask(question(), instance)
            try await rollUp(database)
            let after = try await ask(question(), instance)

            for answer in [before, after] {
                #expect(answer.period.total.tallies.number(of: .annunciated) == 14)
                #expect(answer.period.total.tallies.number(of: .topTenShare) == 12.0 / 14)
            }
        }
    }

    @Test func `are not recorded before the first alarm`() async throws {
        try await withSite { _, instance, site in
            let before = try await ask(question(by: [.month]), instance)
            try await raise(at: "2026-03-02T12:00:00Z", site, instance)
            let after = try await ask(question(by: [.month]), instance)

            #expect(before.period.cells.map(\.state) == [.notRecorded, .notRecorded])
            #expect(after.period.cells.map(\.state) == [.notRecorded, .partial])
        }
    }

    @Test func `differ from the journal where a row was tampered with`() async throws {
        try await withSite { database, instance, site in
            try await raise(at: "2026-03-02T12:00:00Z", site, instance)
            try await rollUp(database)
            try await database.query(
                "UPDATE annunciation_ledger SET happened_at = happened_at - interval '10 days'")

            let found = try await differences(instance)

            #expect(Set(found.map(\.kind)) == ["annunciation", "annunciation_cells"])
            #expect(found.filter { $0.kind == "annunciation" }.map(\.amount) == [-1, 1])
        }
    }
}
