import ControlCentre
import PostgreSQL
import TestSupport
import Testing

@testable import Store

@Suite struct `An alarm that is raised` {
    private let now = Timestamp.now()

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

    private func groups(in database: TestDatabase) async throws -> [Int] {
        let rows = try await database.query(
            """
            SELECT count(*) FROM alarms GROUP BY alarm_group
            HAVING bool_or(id = alarm_group) ORDER BY min(raised_at)
            """)
        return try (0..<rows.rowCount).map { Int(try rows.int64($0, 0)) }
    }

    @Test func `joins the group of one within 30 s before it, else after it`() async throws {
        try await withSite { database, instance, site in
            let times = [0, 30, 61, 200, 190]
            for (camera, second) in times.enumerated() {
                _ = try await instance.submit([
                    site.detection(
                        camera: camera, at: now + .seconds(second),
                        receivedAt: now + .seconds(200))
                ])
            }

            // 0 and 30 touch, 61 is a second too late; 190 arrived after 200.
            #expect(try await groups(in: database) == [2, 1, 2])
        }
    }

    @Test func `is of one group with those that other lanes raise at the same time`()
        async throws
    {
        try await withSite { database, first, site in
            var instances = [first]
            for _ in 0..<3 { instances.append(try await Instance(on: database)) }

            try await withThrowingTaskGroup(of: Void.self) { group in
                for camera in 0..<12 {
                    let instance = instances[camera % 4]
                    group.addTask {
                        _ = try await instance.submit(site.detection(camera: camera, at: now))
                    }
                }
                try await group.waitForAll()
            }

            #expect(try await groups(in: database) == [12])
        }
    }

    @Test func `waits for whoever raises one in its area`() async throws {
        try await withSite { database, instance, site in
            let waited = try await database.session { connection, _ in
                _ = try await connection.execute([
                    Statement("BEGIN"),
                    Statement(
                        "SELECT lock_areas($1)",
                        .uuids([
                            PostgreSQLUUID(site.area.uuid)
                        ])),
                ])
                let submission = Task {
                    try await instance.submit(site.detection(at: now))
                }
                // Either it asks for the lock, or its alarm is there without.
                var waits = false
                while !waits {
                    let rows = try await connection.execute(
                        Statement(
                            """
                            SELECT (SELECT count(*) FROM pg_locks
                                    WHERE locktype = 'advisory' AND classid = 7236003
                                        AND NOT granted),
                                (SELECT count(*) FROM alarms)
                            """))
                    waits = try rows.int64(0, 0) == 1
                    if try rows.int64(0, 1) > 0 { break }
                }
                _ = try await connection.execute(Statement("ROLLBACK"))
                _ = try await submission.value
                return waits
            }

            #expect(waited)
        }
    }

    @Test func `rings in production, but not when late or in another mode`() async throws {
        try await withSite { database, instance, site in
            _ = try await instance.submit([
                site.detection(camera: 0, at: now),
                site.detection(camera: 1, mode: .parallel, at: now),
                site.detection(camera: 2, at: now - .seconds(61), receivedAt: now),
            ])

            let rung = try await database.query(
                "SELECT camera, annunciated_at FROM alarms WHERE annunciated_at IS NOT NULL")
            try #require(rung.rowCount == 1)
            #expect(try rung.id(0, 0) == site.cameras[0])
            #expect(try rung.time(0, 1) == now)
        }
    }

    @Test func `under a shelving of its camera is shelved and does not ring`() async throws {
        try await withSite { database, instance, site in
            let remark = UUID.v7(at: now)
            try await database.query(
                "INSERT INTO remarks VALUES ($1, $2, '', 'rain')",
                .uuid(PostgreSQLUUID(remark)), .text(site.id))
            try await database.query(
                """
                INSERT INTO shelvings (site, id, camera, remark, shelved_by, shelved_at, until)
                VALUES ($1, $2, $3, $2, $2, $4, $4 + interval '1 hour')
                """, .text(site.id), .uuid(PostgreSQLUUID(remark)), .uuid(site.cameras[0]),
                .time(now))

            _ = try await instance.submit([
                site.detection(camera: 0, at: now), site.detection(camera: 1, at: now),
            ])

            let shelved = try await database.number(
                """
                SELECT count(*) FROM alarms WHERE camera = $1 AND shelving = $2
                    AND shelved_until = $3 AND annunciated_at IS NULL
                """, .uuid(site.cameras[0]), .uuid(PostgreSQLUUID(remark)),
                .time(now + .seconds(3_600)))
            let ringing = try await database.number(
                "SELECT count(*) FROM alarms WHERE annunciated_at IS NOT NULL")
            #expect(shelved == 1)
            #expect(ringing == 1)
        }
    }

    @Test func `is chattering from the third of its source within ten minutes on`() async throws {
        try await withSite { database, instance, site in
            // 601 s after the first and 501 s after the second, the last has two before it.
            for second in [0, 100, 599, 601, 1_300] {
                _ = try await instance.submit(site.detection(at: now + .seconds(second)))
            }
            _ = try await instance.submit(site.detection(camera: 1, at: now + .seconds(601)))

            let chattering = try await database.query(
                """
                SELECT extract(epoch FROM raised_at - $1)::int FROM alarms
                WHERE chattering ORDER BY raised_at
                """, .time(now))
            // 601 extends the alarm of 599.
            try #require(chattering.rowCount == 1)
            #expect(try chattering.int64(0, 0) == 599)
        }
    }

    // MARK: What time brings

    private func call(_ function: String, at instant: Timestamp, in database: TestDatabase)
        async throws -> Int
    {
        try await database.number("SELECT \(function)($1)", .time(instant))
    }

    private func events(_ name: String, in database: TestDatabase) async throws -> Int {
        try await database.number("SELECT count(*) FROM journal WHERE event = $1", .text(name))
    }

    private func createRule(_ site: DemonstrationSite, in instance: Instance) async throws {
        let rule = NewRule(
            site: site.id, pattern: .hitting, confidenceMin: 0.5, detectionsMin: 1,
            detectionsWindow: .seconds(10), quiet: .seconds(30), priority: .high,
            escalateAfter: .seconds(60))
        _ = try await instance.run { database in
            try await database.createRule(rule, by: DemonstrationSite.author, at: .now())
        }
    }

    @Test func `is overdue once, whoever looks, and only if nobody has it`() async throws {
        try await withSite { database, first, site in
            try await createRule(site, in: first)
            let start = now - .seconds(60)
            let outcomes = try await first.submit(
                (0..<2).map { site.detection(camera: $0, at: start) })
            let second = try await Instance(on: database)
            guard case .created(let held?) = outcomes[1] else {
                Issue.record("\(outcomes)")
                return
            }
            _ = try await first.run { database in
                try await database.apply(
                    .acknowledge, to: held, only: nil, by: DemonstrationSite.author,
                    at: .now())
            }

            let early = try await call(
                "mark_overdue_alarms", at: now - .microseconds(1), in: database)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for instance in [first, second, first, second] {
                    group.addTask {
                        try await instance.run { database in try await database.followAlarmLoad() }
                    }
                }
                try await group.waitForAll()
            }

            #expect(early == 0)
            #expect(try await events("alarm.overdue", in: database) == 1)
            let marked = try await database.query("SELECT camera FROM alarms WHERE overdue")
            try #require(marked.rowCount == 1)
            #expect(try marked.id(0, 0) == site.cameras[0])
        }
    }

    @Test func `that is released has its time anew`() async throws {
        try await withSite { database, instance, site in
            try await createRule(site, in: instance)
            let outcome = try await instance.submit(
                site.detection(at: now - .seconds(300)))
            guard case .created(let alarm?) = outcome else {
                Issue.record("\(outcome)")
                return
            }
            for step in [AlarmStep.acknowledge, .release] {
                _ = try await instance.run { database in
                    try await database.apply(
                        step, to: alarm, only: nil, by: DemonstrationSite.author,
                        at: .now())
                }
            }

            #expect(try await call("mark_overdue_alarms", at: .now(), in: database) == 0)
            let later = Timestamp.now() + .seconds(60)
            #expect(try await call("mark_overdue_alarms", at: later, in: database) == 1)
        }
    }

    @Test func `is stale once after a day of being active`() async throws {
        try await withSite { database, instance, site in
            _ = try await instance.submit(site.detection(at: now))
            let day = now + .seconds(86_400)

            let early = try await call(
                "mark_stale_alarms", at: day - .microseconds(1), in: database)
            let due = try await call("mark_stale_alarms", at: day, in: database)
            let again = try await call("mark_stale_alarms", at: day, in: database)

            #expect([early, due, again] == [0, 1, 0])
            #expect(try await events("alarm.stale", in: database) == 1)
        }
    }

    /// Such as `flood.started 'Platz 1' 11 100`: with the count, and in seconds from `now` on.
    private func floodsTold(in database: TestDatabase) async throws -> [String] {
        let told = try await database.query(
            """
            SELECT event, subject, document ->> 'count',
                extract(epoch FROM occurred_at - $1)::int
            FROM journal WHERE event LIKE 'flood.%' ORDER BY change, ordinal
            """, .time(now))
        return try (0..<told.rowCount).map { row in
            try "\(told.text(row, 0)) '\(told.text(row, 1))' \(told.text(row, 2)) "
                + "\(told.int64(row, 3))"
        }
    }

    @Test func `is part of a flood from the eleventh in ten minutes until fewer than five`()
        async throws
    {
        try await withSite { database, instance, site in
            // One every ten seconds: the last is the twelfth, at 110 s.
            _ = try await instance.submit(
                (0..<10).map { site.detection(camera: $0, at: now + .seconds(10 * $0)) })
            let ten = try await call("follow_floods", at: now + .seconds(90), in: database)
            _ = try await instance.submit(site.detection(camera: 10, at: now + .seconds(100)))
            let eleven = try await call("follow_floods", at: now + .seconds(105), in: database)
            _ = try await instance.submit(site.detection(camera: 11, at: now + .seconds(110)))
            // Ten minutes on, those at 70, 80, 90, 100 and 110 s are left, then four.
            let five = try await call("follow_floods", at: now + .seconds(669), in: database)
            let four = try await call("follow_floods", at: now + .seconds(670), in: database)
            let again = try await call("follow_floods", at: now + .seconds(671), in: database)

            #expect([ten, eleven, five, four, again] == [0, 1, 0, 1, 0])
            #expect(
                try await floodsTold(in: database) == [
                    "flood.started '' 11 100", "flood.ended '' 4 670",
                ])
            let flooding = try await database.query("SELECT camera FROM alarms WHERE flood")
            try #require(flooding.rowCount == 1)
            #expect(try flooding.id(0, 0) == site.cameras[11])
        }
    }

    @Test func `floods only the positions that watch its area and are staffed`() async throws {
        try await withSite { database, instance, site in
            try await database.query(
                """
                INSERT INTO observer_positions (site, name, ordinal, areas, staffed) VALUES
                    ($1, 'here', 1, ARRAY[$2::uuid], NULL), ($1, 'elsewhere', 2, '{}', NULL),
                    ($1, 'empty', 3, NULL, '[]')
                """, .text(site.id), .uuid(site.area))
            _ = try await instance.submit((0..<12).map { site.detection(camera: $0, at: now) })

            let begun = try await call("follow_floods", at: now, in: database)
            let load = try await instance.run { database in
                try await database.alarmLoad(of: site.id, at: now)
            }
            try await database.query(
                "UPDATE observer_positions SET staffed = '[]' WHERE name = 'here'")
            let ended = try await call("follow_floods", at: .now(), in: database)

            #expect([begun, ended] == [1, 1])
            #expect(
                try await database.number("SELECT count(*) FROM floods WHERE position = 'here'")
                    == 1)
            let document = String(decoding: try #require(load), as: UTF8.self)
            #expect(document.contains(#"{"ten_minutes" : 12, "hour" : 12, "day" : 12}"#))
            #expect(document.contains(#""top_sources_share" : 0.83333"#))
        }
    }

    @Test func `is part of a flood that is told when nobody followed it for hours`() async throws {
        try await withSite { database, instance, site in
            _ = try await instance.submit(
                (0..<11).map { site.detection(camera: $0, at: now + .seconds(10 * $0)) })

            let told = try await call("follow_floods", at: now + .seconds(7_200), in: database)
            let again = try await call("follow_floods", at: now + .seconds(7_201), in: database)

            #expect([told, again] == [2, 0])
            #expect(
                try await floodsTold(in: database) == [
                    "flood.started '' 11 100", "flood.ended '' 4 660",
                ])
        }
    }

    @Test func `ends a flood and is part of the next when nobody followed in between`()
        async throws
    {
        try await withSite { database, instance, site in
            for begin in [0, 3_600] {
                _ = try await instance.submit(
                    (0..<11).map { site.detection(camera: $0, at: now + .seconds(begin + $0)) })
                _ = try await call(
                    "follow_floods", at: now + .seconds(begin + 20), in: database)
            }

            #expect(
                try await floodsTold(in: database) == [
                    "flood.started '' 11 10", "flood.ended '' 4 606", "flood.started '' 11 3610",
                ])
            #expect(
                try await database.number("SELECT count(*) FROM floods WHERE ended_at IS NULL")
                    == 1)
        }
    }

    @Test func `counts among its source's each time that it has rung`() async throws {
        try await withSite { database, instance, site in
            // Eleven sources, one of which rings again.
            let outcomes = try await instance.submit(
                (0..<11).map { site.detection(camera: $0, at: now) })
            guard case .created(let alarm?) = outcomes[0] else {
                Issue.record("\(outcomes[0])")
                return
            }
            for step in [
                AlarmStep.shelve(
                    ShelvingID.make(at: now), until: now + .seconds(600), reason: "Regen"),
                .unshelve(),
            ] {
                _ = try await instance.run { database in
                    try await database.apply(
                        step, to: alarm, only: nil, by: DemonstrationSite.author,
                        at: now + .seconds(60))
                }
            }

            let load = try await instance.run { database in
                try await database.alarmLoad(of: site.id, at: now + .seconds(120))
            }

            let document = String(decoding: try #require(load), as: UTF8.self)
            #expect(document.contains(#""day" : 12"#))
            // The ten worst of twelve: all but one.
            #expect(document.contains(#""top_sources_share" : 0.91666"#))
        }
    }

    @Test func `shows in the gauges of its site and of the positions that watch its area`()
        async throws
    {
        try await withSite { database, instance, site in
            let other = try await DemonstrationSite(in: instance, named: "hamburg")
            try await database.query(
                """
                INSERT INTO observer_positions (site, name, ordinal, areas) VALUES
                    ($1, 'here', 1, ARRAY[$2::uuid]), ($1, 'elsewhere', 2, '{}')
                """, .text(site.id), .uuid(site.area))
            // The first rang too long ago to count at a position, the last is of another mode.
            let cameras = [(0, -601), (1, -600), (2, -1), (3, 0)]
            for (camera, second) in cameras {
                _ = try await instance.submit(
                    site.detection(camera: camera, at: now + .seconds(second)))
            }
            _ = try await instance.submit(site.detection(camera: 4, mode: .parallel, at: now))
            for (member, camera) in [("overdue", 1), ("chattering", 2), ("stale", 3)] {
                try await database.query(
                    """
                    UPDATE alarms SET \(member) = true
                    FROM (SELECT nextval('changes')) number WHERE camera = $1
                    """, .uuid(site.cameras[camera]))
            }
            try await database.query(
                """
                UPDATE alarms SET handling = 'acknowledged', acknowledged_at = $2,
                    acknowledged_by = gen_random_uuid()
                WHERE camera = $1
                """, .uuid(site.cameras[3]), .time(now))
            try await database.query(
                """
                UPDATE alarms SET condition = 'cleared', cleared_at = $2 WHERE camera = $1
                """, .uuid(site.cameras[0]), .time(now))
            try await database.query(
                """
                INSERT INTO floods (site, position, started_at, ended_at, alarms) VALUES
                    ($1, 'here', $2, NULL, 11), ($1, 'here', $2 - interval '1 day', $2, 11)
                """, .text(site.id), .time(now))

            let all = try await instance.run { try await $0.alarmGauges(only: nil, at: now) }
            let own = try await instance.run { database in
                try await database.alarmGauges(only: other.id, at: now)
            }

            let expected = AlarmGauge(
                site: site.id, active: 4, unacknowledged: 3, overdue: 1, chattering: 1, stale: 1,
                floods: 1,
                positions: [
                    AlarmGauge.Position(name: "here", annunciated: 2),
                    AlarmGauge.Position(name: "elsewhere", annunciated: 0),
                ])
            let empty = AlarmGauge(
                site: other.id, active: 0, unacknowledged: 0, overdue: 0, chattering: 0, stale: 0,
                floods: 0, positions: [AlarmGauge.Position(name: "", annunciated: 0)])
            #expect(all == [empty, expected])
            #expect(own == [empty])
        }
    }

    @Test func `is told as one flood by several instances at once`() async throws {
        try await withSite { database, first, site in
            let second = try await Instance(on: database)
            _ = try await first.submit((0..<12).map { site.detection(camera: $0, at: now) })

            try await withThrowingTaskGroup(of: Void.self) { group in
                for instance in [first, second, first, second] {
                    group.addTask {
                        try await instance.run { database in try await database.followAlarmLoad() }
                    }
                }
                try await group.waitForAll()
            }

            #expect(try await events("flood.started", in: database) == 1)
        }
    }
}
