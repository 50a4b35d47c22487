import ControlCentre
import Embedded
import PostgreSQL
import TestSupport
import Testing

@testable import Store

/// What was recorded and summed up under earlier migrations.
@Suite struct `A database of an earlier version` {
    private func migrate(_ database: TestDatabase, _ migrations: [EmbeddedFile]) async throws {
        let loop = try database.makeLoop()
        try await loop.carryOut { loop in
            let connection = try await PostgreSQLConnection.connect(
                to: database.ownerConnectionInfo, on: loop)
            defer { connection.close() }
            _ = try await Migrator(migrations: migrations).migrate(connection)
        }
    }

    /// Three days of a site, of which three hours have heartbeats.
    private func watch(
        _ site: DemonstrationSite, in instance: Instance, _ database: TestDatabase
    ) async throws {
        let hour: Int64 = 3_600
        let now = Timestamp.now().microsecondsSinceEpoch / 1_000_000 / hour * hour
        let begin = Timestamp.epoch + .seconds(now - 72 * hour)
        try await database.query("UPDATE cameras SET installed_at = '2020-01-01Z'")
        try await database.query(
            "UPDATE coverage_progress SET since = $1, recorded_until = $1", .time(begin))
        let node = try await ReportingNode(of: site, in: instance, from: begin)
        for second in stride(from: 0, through: 10_800, by: ReportingNode.seconds) {
            try await node.beat(second)
        }
        try await database.query(
            "SELECT advance_coverage($1)", .time(begin + .seconds(72 * hour)))
        while try await database.query("SELECT record_coverage()").bool(0, 0) {}
    }

    private func questions() throws -> [StatisticsQuestion] {
        var questions: [StatisticsQuestion] = []
        for metric in RecordedMatters.metrics {
            for groups: [Dimension] in [[.month], [.category, .monitored], [.area, .day]] {
                questions.append(
                    try StatisticsQuestion(
                        metric, from: "2025-10-01", to: "2026-05-01", by: groups))
            }
        }
        return questions
    }

    @Test func `answers as before from what it has summed up, and goes on from there`()
        async throws
    {
        try await TestDatabase.with(isMigrated: false) { database in
            // The last with runs of sixteen, and before coverage and what rang were summed up.
            try await migrate(
                database, EmbeddedFile.migrations.filter { $0.name < "0015" })
            let earlier = try await Instance(on: database)
            var generator = SplitMix64(seed: 1)
            var history = try await RandomMatters(
                in: earlier, by: DemonstrationSite.observer(1, as: .shiftSupervisor))
            try await watch(history.sites[0], in: earlier, database)
            let now = Timestamp.now()
            for camera in 0..<2 {
                _ = try await earlier.submit(history.sites[0].detection(camera: camera, at: now))
            }
            let name = history.sites[0].id.description
            history.matters.firstAlarms[name] = now
            var known: [(position: Int64, matters: RecordedMatters)] = []
            func go(on steps: Int, in instance: Instance) async throws {
                for step in 1...steps {
                    try await history.step(in: instance, database, &generator)
                    let head = try await instance.run { try await $0.journalHead() }
                    known.append((head.position, history.matters))
                    if step.isMultiple(of: 8) { try await database.rollUpLedger() }
                }
            }
            try await go(on: 160, in: earlier)
            #expect(try await database.number("SELECT max(level) FROM ledger_runs") == 1)
            #expect(try await database.number("SELECT count(*) FROM coverage_ledger") > 0)
            let rung = try await database.number(
                "SELECT count(*) FROM alarms WHERE annunciated_at IS NOT NULL")
            #expect(rung > 0)

            try await migrate(database, EmbeddedFile.migrations)

            let instance = try await Instance(on: database)
            try await instance.expectAgreement("migrated")
            let carried = try await database.number(
                "SELECT count(*) FROM annunciation_ledger WHERE fact = 'annunciated'")
            #expect(carried == rung)
            #expect(try await database.number("SELECT count(*) FROM camera_day_ledger") > 0)
            let summed = try await database.number(
                """
                SELECT sum(amount)::bigint FROM annunciation_cells
                WHERE cube = 'base' AND tally = 'annunciated'
                    AND run IN (
                        SELECT unnest(c.runs) FROM ledger_chain(
                            (SELECT max(position) FROM positions)) c)
                """)
            #expect(summed == rung)

            try await go(on: 60, in: instance)
            try await instance.expectAgreement("gone on")
            for question in try questions() {
                for number in 0..<6 {
                    let (position, matters) =
                        number == 0
                        ? known[known.count - 1]
                        : known[Int.random(in: 0..<known.count, using: &generator)]
                    var asked = question
                    asked.asOf = try await database.query(
                        "SELECT recorded_at FROM positions WHERE position = $1", .int64(position)
                    ).time(0, 0)
                    let answer = try await instance.answer(asked)
                    let differences = try matters.recount(for: asked, knownAt: answer.knownAt)
                        .differences(from: answer)
                    #expect(differences == [], "\(question) at \(position)")
                }
            }
        }
    }
}
