import ControlCentre
import Embedded
import EventLoop
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
        try StatisticsQuestion(.alarmLoad, from: from, to: to, by: groups)
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
                if isSummedUp { try await database.rollUpLedger() }
                let byMonth = try await instance.answer(question(by: [.month]))
                let byPattern = try await instance.answer(question(by: [.pattern]))

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
            let before = try await instance.answer(question())
            try await database.rollUpLedger()
            let after = try await instance.answer(question())

            for answer in [before, after] {
                #expect(answer.period.total.tallies.number(of: .annunciated) == 14)
                #expect(answer.period.total.tallies.number(of: .topTenShare) == 12.0 / 14)
            }
        }
    }

    @Test func `are not recorded before the first alarm, nor after the last recorded hour`()
        async throws
    {
        try await withSite { database, instance, site in
            let before = try await instance.answer(question(by: [.month]))
            try await raise(at: "2026-03-02T12:00:00Z", site, instance)
            let raised = try await instance.answer(question(by: [.month]))
            try await record(at: "2026-03-31T12:02:00Z", database)
            let hour = try await instance.answer(question(by: [.month]))
            try await record(at: "2026-04-01T12:00:00Z", database)
            let march = try await instance.answer(question("2026-03-03", by: [.month]))

            #expect(before.period.cells.map(\.state) == [.notRecorded, .notRecorded])
            #expect(raised.period.cells.map(\.state) == [.notRecorded, .notRecorded])
            #expect(hour.period.cells.map(\.state) == [.notRecorded, .partial])
            #expect(march.period.cells.map(\.state) == [.complete])
            #expect(
                hour.period.spans[0].recordedUntil == (try instant("2026-03-31T12:00:00Z")))
        }
    }

    @Test func `differ from the journal where a row was tampered with`() async throws {
        try await withSite { database, instance, site in
            try await raise(at: "2026-03-02T12:00:00Z", site, instance)
            try await database.rollUpLedger()
            try await database.query(
                "UPDATE annunciation_ledger SET happened_at = happened_at - interval '10 days'")

            let found = try await differences(instance)

            #expect(Set(found.map(\.kind)) == ["annunciation", "annunciation_cells"])
            #expect(found.filter { $0.kind == "annunciation" }.map(\.amount) == [-1, 1])
        }
    }

    // MARK: What positions bore

    private func record(at text: String, _ database: TestDatabase) async throws {
        try await record(at: try instant(text), database)
    }

    private func record(at instant: Timestamp, _ database: TestDatabase) async throws {
        var isMoreDue = true
        while isMoreDue {
            isMoreDue = try await database.query("SELECT record_load($1)", .time(instant))
                .bool(0, 0)
        }
    }

    /// Lets alarms ring at seconds after an instant, as far as the ledger knows.
    private func ring(
        at seconds: [Int], after begin: Timestamp, in area: AreaID? = nil,
        _ site: DemonstrationSite, _ database: TestDatabase
    ) async throws {
        try await database.query(
            """
            WITH number AS (SELECT nextval('changes') AS change), rung AS (
                INSERT INTO annunciation_ledger (site, amount, change, alarm, fact, happened_at,
                    area, monitored, camera, pattern, source, chattering)
                SELECT $1, 1, n.change, gen_random_uuid(), 'annunciated', t.at, $2, true, $3,
                    'hitting', alarm_source($3, 'hitting'), false
                FROM number n CROSS JOIN unnest($4::timestamptz[]) t (at)
            )
            SELECT append_position(n.change) FROM number n
            """, .text(site.id), .uuid(area ?? site.area), .uuid(site.cameras[0]),
            .timestamps(
                microsecondsSinceUnixEpoch: seconds.map {
                    (begin + .seconds($0)).microsecondsSinceEpoch
                }))
    }

    private func enterPosition(
        _ name: String, from: Timestamp? = nil, to: Timestamp? = nil, areas: [AreaID]? = nil,
        staffed: String? = nil, _ site: DemonstrationSite, _ database: TestDatabase
    ) async throws {
        try await database.query(
            """
            INSERT INTO observer_position_periods (site, name, valid_from, valid_to, areas, staffed)
            VALUES ($1, $2, coalesce($3, '-infinity'::timestamptz), $4,
                CASE WHEN $5 THEN $6::uuid[] END, $7::json)
            """, .text(site.id), .text(name), .time(from), .time(to), .bool(areas != nil),
            .uuids((areas ?? []).map { PostgreSQLUUID($0.uuid) }), .text(staffed))
    }

    /// Lets floods have been followed up to an instant.
    private func followed(until instant: Timestamp, _ database: TestDatabase) async throws {
        try await database.query(
            "UPDATE flood_following SET followed_until = $1", .time(instant))
    }

    /// As `ReferenceAlarmLoad` has them.
    private func tallies(since begin: Timestamp, _ database: TestDatabase) async throws
        -> [String: Int]
    {
        let rows = try await database.query(
            """
            SELECT extract(epoch FROM watched_in - $1)::int || ' ' || tally
                || coalesce(' ' || value, ''), sum(amount)::bigint
            FROM load_ledger GROUP BY watched_in, tally, value HAVING sum(amount) <> 0
            """, .time(begin))
        var tallies: [String: Int] = [:]
        for row in 0..<rows.rowCount {
            tallies[try rows.text(row, 0)] = Int(try rows.int64(row, 1))
        }
        return tallies
    }

    private static let load: [Measure] = [
        .annunciated, .windows, .windowsAboveTen, .peakTenMinutes, .floods, .floodMinutes,
    ]

    @Test func `tell windows and a flood over midnight by month, day and hour`() async throws {
        try await withSite { database, instance, site in
            // Eleven alarms from 23:50:00 to 23:58:20, then one every two minutes until 00:10, by
            // the clock of Mannheim: the flood of 23:58:20 ends when the fifth last is ten minutes
            // old. 00:02 is of the next month.
            let begin = try instant("2026-10-31T22:00:00Z")
            var seconds = (0..<11).map { 3_000 + 50 * $0 }
            seconds += (1...6).map { 3_500 + 120 * $0 }
            for (number, second) in seconds.enumerated() {
                _ = try await instance.submit(
                    site.detection(camera: number % 12, at: begin + .seconds(second)))
            }
            try await record(at: "2026-11-02T00:00:00Z", database)
            let asked = try question("2026-10-31", "2026-11-02", by: [.month])

            for isSummedUp in [false, true] {
                if isSummedUp { try await database.rollUpLedger() }
                var question = asked
                let byMonth = try await instance.answer(question)
                question.groups = [.day]
                let byDay = try await instance.answer(question)
                question.groups = [.weekday, .hourOfDay]
                let byHour = try await instance.answer(question)

                // From the 11th, at 3500 s, until ten minutes after 3740 s: 100 s of October.
                let october =
                    "annunciated 11.0 windows 6.0 windows_above_ten 1.0 "
                    + "peak_ten_minutes 11.0 floods 1.0 flood_minutes \(100.0 / 60)"
                let november =
                    "annunciated 6.0 windows 144.0 peak_ten_minutes 5.0 "
                    + "flood_minutes \(740.0 / 60)"
                #expect(
                    cells(byMonth, Self.load) == ["2026-10: \(october)", "2026-11: \(november)"])
                #expect(
                    cells(byDay, Self.load) == [
                        "2026-10-31: \(october)", "2026-11-01: \(november)",
                    ])
                #expect(cells(byHour, Self.load).contains("sat 23: \(october)"))
                #expect(
                    byMonth.period.total.tallies.number(of: .meanPerTenMinutes) == 17.0 / 150)
                #expect(byMonth.period.total.tallies.number(of: .shareAboveTen) == 1.0 / 150)
            }
            #expect(try await differences(instance).isEmpty)
        }
    }

    @Test func `tell the two hours apart that the clocks show twice in October`() async throws {
        try await withSite { database, instance, site in
            for second in [0, 1_800, 3_600, 5_400, 7_200] {
                _ = try await instance.submit(
                    site.detection(
                        at: try instant("2026-10-24T23:30:00Z") + .seconds(second)))
            }
            try await record(at: "2026-10-26T00:00:00Z", database)
            var question = try question("2026-10-25", "2026-10-26", by: [.hourOfDay])

            let byHour = try await instance.answer(question)
            question.groups = [.day]
            let byDay = try await instance.answer(question)

            let measures: [Measure] = [.annunciated, .windows]
            #expect(
                cells(byHour, measures).prefix(4) == [
                    "00: ", "01: annunciated 1.0 windows 6.0", "02: annunciated 4.0 windows 12.0",
                    "03: windows 6.0",
                ])
            #expect(cells(byDay, measures) == ["2026-10-25: annunciated 5.0 windows 144.0"])
        }
    }

    @Test func `count what rings when a shelving ends, and correct the hour if it is known late`()
        async throws
    {
        try await withSite { database, instance, site in
            let now = Timestamp.now()
            guard case .created(let alarm?) = try await instance.submit(site.detection(at: now))
            else { throw NotStored(outcome: "no alarm") }
            try await apply(
                .shelve(
                    ShelvingID.make(at: now), until: now + .seconds(600), reason: "Regen"),
                to: alarm, at: now, instance)
            let later = now + .seconds(7_200)
            try await record(at: later, database)
            let before = try await database.number("SELECT max(position) FROM positions")
            try await apply(.unshelve(), to: alarm, at: now + .seconds(60), instance)
            try await record(at: later, database)

            let heard = """
                SELECT sum(value * amount)::bigint FROM load_ledger
                WHERE tally = 'windows' AND position <= $1
                """
            #expect(try await database.number(heard, .int64(Int64(before))) == 1)
            #expect(try await database.number(heard, .int64(.max)) == 2)
            #expect(try await differences(instance).isEmpty)
        }
    }

    @Test func `are of the positions that there were, with the areas and hours of the time`()
        async throws
    {
        try await withSite { database, instance, site in
            let begin = try instant("2026-10-05T10:00:00Z")
            _ = try await instance.submit(site.detection(at: begin))
            let other = AreaID.make(at: begin)
            // Until 12:00 UTC there was none. Then one of the other area, and one of all areas from
            // 15:00 on by the clock of Mannheim.
            let entered = begin + .seconds(7_200)
            try await enterPosition("other", from: entered, areas: [other], site, database)
            try await enterPosition(
                "evening", from: entered,
                staffed: #"[{"days": ["mon"], "from": "15:00", "to": "15:25"}]"#, site, database)
            // By halves of an hour from 10:15 on.
            let seconds = (0..<8).map { 900 + 1_800 * $0 }
            try await ring(at: seconds, after: begin, site, database)
            try await ring(at: seconds, after: begin, in: other, site, database)
            try await record(at: begin + .seconds(4 * 3_600 + 120), database)

            let found = try await tallies(since: begin, database)
            #expect(
                found == [
                    "0 windows 0": 3, "0 windows 1": 1, "0 windows 2": 2,
                    "3600 windows 0": 4, "3600 windows 2": 2,
                    // 12:15 and 12:45, of the other area only.
                    "7200 windows 0": 4, "7200 windows 1": 2,
                    // 13:15 at both, 13:45 at one; of the evening three windows.
                    "10800 windows 0": 6, "10800 windows 1": 2, "10800 windows 2": 1,
                ])

            // That the first was given up at 13:00 UTC becomes visible when the hour is recorded.
            try await database.query(
                "UPDATE observer_position_periods SET valid_to = $1 WHERE name = 'other'",
                .time(entered + .seconds(3_600)))
            try await record(at: begin + .seconds(4 * 3_600 + 120), database)

            let corrected = try await tallies(since: begin, database)
            let before = found.filter { !$0.key.hasPrefix("10800") }
            let evening = ["10800 windows 0": 2, "10800 windows 2": 1]
            #expect(corrected == before.merging(evening) { $1 })
            #expect(try await database.number("SELECT count(*) FROM load_due") == 0)
        }
    }

    private func migrate(_ database: TestDatabase, _ migrations: [EmbeddedFile]) async throws {
        let loop = try database.makeLoop()
        try await loop.carryOut { loop in
            let connection = try await PostgreSQLConnection.connect(
                to: database.ownerConnectionInfo, on: loop)
            defer { connection.close() }
            _ = try await Migrator(migrations: migrations).migrate(connection)
        }
    }

    @Test func `are carried over from what the journal says of the time before`() async throws {
        try await TestDatabase.with(isMigrated: false) { database in
            let before = EmbeddedFile.migrations.filter {
                $0.name < "0017_create_annunciation_ledger.sql"
            }
            try await migrate(database, before)
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance)
            let names = [["Nord"], ["Nord", "Süd"], ["Nord", "Süd"], ["Süd"]]
            for (number, names) in names.enumerated() {
                var change = SiteChange()
                change.name = "Mannheim \(number)"
                change.positions = names.map {
                    ObserverPosition(name: $0, areas: [site.area], staffed: nil)
                }
                let wanted = change
                _ = try await instance.run { database in
                    try await database.changeSite(
                        site.id, only: nil, if: .any, to: wanted, by: DemonstrationSite.author,
                        at: .now()
                    ).stored()
                }
            }
            let now = Timestamp.now()
            guard case .created(let alarm?) = try await instance.submit(site.detection(at: now))
            else { throw NotStored(outcome: "no alarm") }
            try await apply(
                .shelve(ShelvingID.make(at: now), until: now + .seconds(600), reason: "Regen"),
                to: alarm, at: now, instance)
            try await apply(.unshelve(), to: alarm, at: now + .seconds(60), instance)

            try await migrate(database, EmbeddedFile.migrations)
            try await record(at: now + .seconds(7_200), database)

            let rang = try await database.query(
                """
                SELECT round(extract(epoch FROM happened_at - $1))::bigint
                FROM annunciation_ledger ORDER BY happened_at
                """, .time(now))
            #expect(try (0..<rang.rowCount).map { try rang.int64($0, 0) } == [0, 60])
            let rows = try await database.query(
                """
                SELECT name || ' ' || cardinality(areas) || ' ' || (SELECT count(*)
                    FROM positions p JOIN journal j USING (change)
                    WHERE j.event LIKE 'site.%' AND p.recorded_at BETWEEN valid_from
                        AND coalesce(valid_to, 'infinity') - interval '1 microsecond')
                FROM observer_position_periods ORDER BY name, valid_from
                """)
            // With how many entries of the site each lasted.
            let periods = try (0..<rows.rowCount).map { try rows.text($0, 0) }
            #expect(periods == ["Nord 1 3", "Süd 1 3"])
            #expect(try await differences(instance).isEmpty)
        }
    }

    @Test func `keep what a position was when others are entered`() async throws {
        try await withSite { database, instance, site in
            let night = WeeklySchedule([
                WeeklySchedule.Hours(
                    days: [.mon], from: try #require(WeeklySchedule.Time("18:00")),
                    to: try #require(WeeklySchedule.Time("06:00")))
            ])
            func change(_ positions: [ObserverPosition]) async throws {
                var change = SiteChange()
                change.positions = positions
                let wanted = change
                _ = try await instance.run { database in
                    try await database.changeSite(
                        site.id, only: nil, if: .any, to: wanted, by: DemonstrationSite.author,
                        at: .now()
                    ).stored()
                }
            }
            let north = ObserverPosition(name: "Nord", areas: nil, staffed: nil)
            try await change([north])
            try await change([
                ObserverPosition(name: "Süd", areas: [site.area], staffed: nil), north,
            ])
            try await change([
                north, ObserverPosition(name: "Süd", areas: [site.area], staffed: night),
            ])
            try await change([ObserverPosition(name: "Süd", areas: nil, staffed: night)])

            let rows = try await database.query(
                """
                SELECT name || ' ' || coalesce(cardinality(areas)::text, 'all') || ' '
                    || coalesce(staffed #>> '{0,from}', 'always')
                    || CASE WHEN valid_to IS NULL THEN ' now' ELSE '' END
                FROM observer_position_periods ORDER BY name, valid_from
                """)
            let periods = try (0..<rows.rowCount).map { try rows.text($0, 0) }
            #expect(
                periods == [
                    "Nord all always", "Süd 1 always", "Süd 1 18:00", "Süd all 18:00 now",
                ])
            let gaps = try await database.number(
                """
                SELECT count(*) FROM observer_position_periods p
                WHERE valid_to IS NOT NULL AND NOT EXISTS (
                    SELECT FROM observer_position_periods n WHERE n.valid_from <= p.valid_to
                        AND coalesce(n.valid_to, 'infinity') > p.valid_to)
                """)
            #expect(gaps == 0)
            try await instance.expectAgreement()

            // Since when "Nord" was there, up to when, and how "Süd" was at first.
            for tampering in [
                "valid_from = valid_from - interval '1 day' WHERE name = 'Nord'",
                "valid_to = valid_to + interval '1 day' WHERE name = 'Nord'",
                "areas = NULL WHERE areas IS NOT NULL AND staffed IS NULL",
            ] {
                let earlier = try await differences(instance).count
                try await database.query("UPDATE observer_position_periods SET \(tampering)")
                let found = try await differences(instance)
                #expect(found.count > earlier, "\(tampering)")
                #expect(Set(found.map(\.kind)) == ["observer_position"])
                #expect(Set(found.map(\.amount)) == [-1, 1])
            }
        }
    }

    @Test func `begin with nothing heard when somebody comes to a position`() async throws {
        try await withSite { database, instance, site in
            let begin = try instant("2026-10-05T10:00:00Z")
            _ = try await instance.submit(site.detection(at: begin))
            // From 10:10 until 10:15, and again from 10:16 on.
            for (from, to) in [(600, 900), (960, 7_200)] {
                try await enterPosition(
                    "a", from: begin + .seconds(from), to: begin + .seconds(to), site, database)
            }
            // Ten alarms before, five after: more than ten in ten minutes, but nobody heard them.
            let before = (0..<10).map { 800 + 10 * $0 }
            let after = (0..<5).map { 960 + 10 * $0 }
            try await ring(at: before + after, after: begin, site, database)
            try await followed(until: begin, database)

            let told = try await database.number(
                "SELECT follow_floods($1)", .time(begin + .seconds(1_010)))
            try await record(at: begin + .seconds(7_320), database)
            let recorded = try await tallies(since: begin, database)
            // Six more are eleven of those who have come.
            try await ring(
                at: (0..<6).map { 1_010 + 10 * $0 }, after: begin, site, database)
            let toldLater = try await database.number(
                "SELECT follow_floods($1)", .time(begin + .seconds(1_070)))
            try await record(at: begin + .seconds(7_320), database)

            #expect(told == 0)
            #expect(recorded.keys.allSatisfy { !$0.contains("flood") })
            #expect(toldLater == 1)
            let found = try await tallies(since: begin, database)
            #expect(found["0 floods"] == 1)
            // From 1060 s on, until the fifth last is ten minutes old.
            #expect(found["0 flood_seconds"] == 1_020 + 600 - 1_060)
        }
    }

    @Test func `are found by their positions where they are not counted yet`() async throws {
        try await withSite { database, instance, site in
            let begin = try instant("2026-03-02T00:00:00Z")
            _ = try await instance.submit(site.detection(at: begin))
            let hundredThousand = (0..<100_000).map { 60 + 5 * $0 }
            try await ring(at: hundredThousand, after: begin, site, database)
            let end = begin + .seconds(6 * 86_400)
            try await record(at: end, database)
            try await database.rollUpLedger()
            try await database.query("VACUUM ANALYZE annunciation_ledger")
            // An hour before the end, of which the last is recorded; after all others.
            try await ring(at: [6 * 86_400 - 5_400], after: begin, site, database)

            let read = try await database.session { connection, _ in
                // As the server plans.
                _ = try await connection.execute(Database.setUp)
                let results = try await connection.execute([
                    Statement("BEGIN"),
                    Statement("SELECT record_load($1)", .time(end)),
                    Statement(
                        """
                        SELECT idx_tup_fetch, seq_tup_read FROM pg_stat_xact_user_tables
                        WHERE relname = 'annunciation_ledger'
                        """),
                    Statement("ROLLBACK"),
                ])
                return (try results[2].int64(0, 0), try results[2].int64(0, 1))
            }

            #expect(read.0 < 1_000)
            #expect(read.1 == 0)
        }
    }

    // MARK: At random

    private struct RandomLoad {
        let rings: [ReferenceAlarmLoad.Ring]
        let positions: [ReferenceAlarmLoad.Position]

        /// Bursts and lulls of some hours.
        init(seed: UInt64, hours: Int) {
            var random = SplitMix64(seed: seed)
            var rings = [ReferenceAlarmLoad.Ring(second: 0)]
            var second = 0
            while second < hours * 3_600 {
                let pace = [5, 30, 55, 75, 110, 150, 400].randomElement(using: &random) ?? 60
                for _ in 0..<Int.random(in: 3...25, using: &random) {
                    second += Int.random(in: 0...2 * pace, using: &random)
                    rings.append(
                        ReferenceAlarmLoad.Ring(
                            second: second, area: Int.random(in: 0...1, using: &random)))
                }
            }
            self.rings = rings.filter { $0.second < hours * 3_600 }
            let entered = Int.random(in: 1...hours * 1_800, using: &random)
            let changed = Int.random(in: entered + 1..<hours * 3_600, using: &random)
            let end = hours * 3_600
            // Of this one somebody is away for some minutes now and then.
            var shifts: [Range<Int>] = []
            var begin = entered
            while begin < end {
                let length = Int.random(in: 300...5_400, using: &random)
                shifts.append(begin..<min(end, begin + length))
                begin += length + Int.random(in: 1...900, using: &random)
            }
            positions = [
                ReferenceAlarmLoad.Position(name: "", staffed: [0..<entered]),
                ReferenceAlarmLoad.Position(name: "a", staffed: [entered..<end]) {
                    $0.second >= changed || $0.area == 0
                },
                ReferenceAlarmLoad.Position(name: "b", staffed: [entered..<changed]),
                ReferenceAlarmLoad.Position(name: "c", staffed: shifts),
            ]
        }
    }

    /// A site with that load, of which it knows nothing recorded yet.
    private func withLoad(
        seed: UInt64, hours: Int,
        _ body: (RandomLoad, Timestamp, TestDatabase, Instance, DemonstrationSite) async throws ->
            Void
    ) async throws {
        try await withSite { database, instance, site in
            let load = RandomLoad(seed: seed, hours: hours)
            let begin = try instant("2026-10-05T10:00:00Z")
            _ = try await instance.submit(site.detection(at: begin))
            let areas = [site.area, AreaID.make(at: begin)]
            for (number, area) in areas.enumerated() {
                let seconds = load.rings.dropFirst().filter { $0.area == number }.map(\.second)
                try await ring(at: seconds, after: begin, in: area, site, database)
            }
            let entered = begin + .seconds(load.positions[0].staffed[0].upperBound)
            let changed = begin + .seconds(load.positions[2].staffed[0].upperBound)
            try await enterPosition(
                "a", from: entered, to: changed, areas: [areas[0]], site, database)
            try await enterPosition("a", from: changed, site, database)
            try await enterPosition("b", from: entered, to: changed, site, database)
            for shift in load.positions[3].staffed {
                try await enterPosition(
                    "c", from: begin + .seconds(shift.lowerBound),
                    to: begin + .seconds(shift.upperBound), site, database)
            }
            try await body(load, begin, database, instance, site)
        }
    }

    @Test(arguments: 1...8)
    func `are what counting second by second finds, however many hours are recorded at once`(
        seed: Int
    ) async throws {
        let hours = 30
        try await withLoad(seed: UInt64(seed), hours: hours) { load, begin, database, _, site in
            let expected = ReferenceAlarmLoad(
                of: load.rings, at: load.positions, until: hours * 3_600)
            var random = SplitMix64(seed: UInt64(seed))
            var hour = 0
            while hour < hours {
                hour = min(hours, hour + Int.random(in: 1...9, using: &random))
                try await record(at: begin + .seconds(hour * 3_600 + 120), database)
            }

            #expect(expected.floods.count > 2)
            #expect(try await tallies(since: begin, database) == expected.tallies)

            // What is known late is recorded as if it had been there from the beginning.
            let late = (0..<40).map { _ in
                ReferenceAlarmLoad.Ring(second: Int.random(in: 1..<hours * 3_600, using: &random))
            }
            let known = try await database.number("SELECT max(position) FROM positions")
            try await ring(at: late.map(\.second), after: begin, site, database)
            try await record(at: begin + .seconds(hours * 3_600 + 120), database)

            let corrected = ReferenceAlarmLoad(
                of: load.rings + late, at: load.positions, until: hours * 3_600)
            #expect(corrected.tallies != expected.tallies)
            #expect(try await tallies(since: begin, database) == corrected.tallies)
            let earlier = try await database.number(
                """
                SELECT sum(amount)::bigint FROM load_ledger
                WHERE tally = 'flood_seconds' AND position <= $1
                """, .int64(Int64(known)))
            let seconds = expected.tallies.filter { $0.key.hasSuffix("flood_seconds") }.values
            #expect(earlier == seconds.reduce(0, +))
        }
    }

    @Test(arguments: 1...4)
    func `have the floods that were told live, to the second`(seed: Int) async throws {
        let hours = 3
        try await withLoad(seed: UInt64(seed), hours: hours) { load, begin, database, _, site in
            let expected = ReferenceAlarmLoad(
                of: load.rings, at: load.positions, until: hours * 3_600)
            try await followed(until: begin, database)
            try await database.session { connection, _ in
                var random = SplitMix64(seed: UInt64(seed))
                var second = 0
                while second < hours * 3_600 - 1 {
                    // Now and then nobody follows for a while.
                    let isAway = Int.random(in: 0..<20, using: &random) == 0
                    second += Int.random(in: 1...(isAway ? 3_000 : 20), using: &random)
                    second = min(second, hours * 3_600 - 1)
                    _ = try await connection.execute(
                        Statement("SELECT follow_floods($1)", .time(begin + .seconds(second))))
                }
            }

            let rows = try await database.query(
                """
                SELECT position, extract(epoch FROM started_at - $1)::int,
                    extract(epoch FROM ended_at - $1)::int
                FROM floods WHERE started_at < $2 ORDER BY position, started_at
                """, .time(begin), .time(begin + .seconds(hours * 3_600)))
            let floods = try (0..<rows.rowCount).map { row in
                ReferenceAlarmLoad.Flood(
                    position: try rows.text(row, 0), start: Int(try rows.int64(row, 1)),
                    end: try rows.int64IfPresent(row, 2).map { Int($0) })
            }
            #expect(!floods.isEmpty)
            #expect(floods == expected.floods)
        }
    }

    @Test func `are not another site's, and differ from what rang where they were tampered with`()
        async throws
    {
        try await withSite { database, instance, site in
            let other = try await DemonstrationSite(in: instance, named: "hamburg")
            let begin = try instant("2026-03-02T12:00:00Z")
            _ = try await instance.submit(site.detection(at: begin))
            _ = try await instance.submit(other.detection(at: begin))
            _ = try await instance.submit(other.detection(at: begin + .seconds(1_000)))
            try await record(at: begin + .seconds(3_720), database)
            var question = StatisticsQuestion(
                metric: .alarmLoad, from: .instant(begin), to: .instant(begin + .seconds(3_600)))
            let both = try await instance.answer(question)
            question.site = site.id
            let own = try await instance.answer(question)
            try await database.query(
                """
                UPDATE load_ledger SET value = 11 WHERE site = $1 AND value = 1
                """, .text(site.id))

            #expect(cells(both).isEmpty && both.period.total.state == .complete)
            #expect(both.period.total.tallies.number(of: .windows) == 12)
            #expect(both.period.total.tallies.number(of: .annunciated) == 3)
            #expect(own.period.total.tallies.number(of: .windows) == 6)
            #expect(own.period.total.tallies.number(of: .annunciated) == 1)
            let found = try await differences(instance)
            #expect(found.map(\.kind) == ["load", "load"])
            #expect(Set(found.map(\.site)) == [site.id])
        }
    }
}
