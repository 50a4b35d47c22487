import ControlCentre
import PostgreSQL
import TestSupport
import Testing

@testable import Store

@Suite struct `Clearing alarms by the clock` {
    private let now = Timestamp.now()
    /// So far ahead that the clock clears no alarm of then, however long a test has waited for its
    /// database.
    private let ahead = Timestamp.now() + .seconds(3_600)

    private func withSite(
        cameras: Int = 1,
        _ body: (TestDatabase, Instance, DemonstrationSite) async throws -> Void
    ) async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            try await body(
                database, instance, try await DemonstrationSite(in: instance, cameras: cameras))
        }
    }

    private func clear(_ instance: Instance) async throws -> Bool {
        try await instance.run { database in try await database.clearDueAlarms() }
    }

    private func events(_ name: String, in database: TestDatabase) async throws -> Int {
        try await database.number("SELECT count(*) FROM journal WHERE event = $1", .text(name))
    }

    // MARK: Clearing

    @Test func `several callers at once clear each alarm once`() async throws {
        try await withSite(cameras: 30) { database, first, site in
            let start = now - .seconds(600)
            _ = try await first.submit((0..<30).map { site.detection(camera: $0, at: start) })
            var instances = [first]
            for _ in 0..<3 { instances.append(try await Instance(on: database)) }

            try await withThrowingTaskGroup(of: Bool.self) { group in
                for instance in instances {
                    for _ in 0..<3 { group.addTask { try await clear(instance) } }
                }
                try await group.waitForAll()
            }
            // What one caller held, another skipped: it is the next round's.
            _ = try await clear(first)

            let once = try await database.number(
                """
                SELECT count(*) FROM alarms a WHERE condition = 'cleared'
                    AND cleared_at = last_detection_at + interval '30 seconds'
                    AND 1 = (SELECT count(*) FROM journal j WHERE j.subject = a.id::text
                        AND j.event = 'alarm.cleared' AND j.occurred_at = a.cleared_at
                        AND j.document ->> 'condition' = 'cleared')
                """)
            #expect(once == 30)
            #expect(try await events("alarm.cleared", in: database) == 30)
            try await expectWhole(database, detections: 30)
        }
    }

    @Test func `an alarm is cleared once no detection under way can extend it`() async throws {
        try await withSite(cameras: 2) { database, instance, site in
            // Quiet time and arrival allowance are 90 seconds together.
            _ = try await instance.submit([
                site.detection(camera: 0, at: .now() - .seconds(91)),
                site.detection(camera: 1, at: .now() - .seconds(60)),
            ])

            _ = try await clear(instance)

            let cleared = try await database.query(
                "SELECT camera FROM alarms WHERE condition = 'cleared'")
            try #require(cleared.rowCount == 1)
            #expect(try cleared.id(0, 0) == site.cameras[0])
        }
    }

    @Test func `an alarm is not cleared while a group holds its key`() async throws {
        try await withSite { database, instance, site in
            _ = try await instance.submit(site.detection(at: now - .seconds(600)))

            let meanwhile = try await database.session { connection, _ in
                _ = try await connection.execute([
                    Statement("BEGIN"), Statement("SELECT FROM correlation FOR UPDATE"),
                ])
                let isCleared = try await clear(instance)
                // Closing alone would release the row a moment later.
                _ = try await connection.execute(Statement("ROLLBACK"))
                return isCleared
            }
            let afterwards = try await clear(instance)

            #expect(!meanwhile)
            #expect(afterwards)
            #expect(try await events("alarm.cleared", in: database) == 1)
        }
    }

    // MARK: Extending

    /// As if the alarm had last been journaled that long ago.
    private func setLastJournaled(_ interval: String, in database: TestDatabase) async throws {
        try await database.query(
            "UPDATE alarms SET extended_at = now() - interval '\(interval)'")
    }

    @Test func `an extension within a second is held back, and follows once`() async throws {
        try await withSite { database, instance, site in
            _ = try await instance.submit(site.detection(at: ahead))
            try await setLastJournaled("-1 hour", in: database)

            for second in 1...3 {
                _ = try await instance.submit(site.detection(at: ahead + .seconds(second)))
            }
            let early = try await clear(instance)
            #expect(!early)
            #expect(try await events("alarm.extended", in: database) == 0)

            try await setLastJournaled("1 second", in: database)
            let due = try await clear(instance)
            let again = try await clear(instance)

            #expect(due)
            #expect(!again)
            let extensions = try await database.query(
                """
                SELECT (document ->> 'detection_count')::int, occurred_at FROM journal
                WHERE event = 'alarm.extended'
                """)
            try #require(extensions.rowCount == 1)
            #expect(try extensions.int64(0, 0) == 4)
            #expect(try extensions.time(0, 1) == ahead + .seconds(3))
        }
    }

    @Test func `an extension a second after the last is journaled at once`() async throws {
        try await withSite { database, instance, site in
            _ = try await instance.submit(site.detection(at: ahead))
            try await setLastJournaled("1 second", in: database)

            _ = try await instance.submit(site.detection(at: ahead + .seconds(1)))

            #expect(try await events("alarm.extended", in: database) == 1)
            #expect(try await !clear(instance))
        }
    }

    @Test func `clearing carries the final count, and nothing follows it`() async throws {
        try await withSite { database, instance, site in
            let start = now - .seconds(600)
            _ = try await instance.submit(site.detection(at: start))
            try await setLastJournaled("-1 hour", in: database)
            _ = try await instance.submit(site.detection(at: start + .seconds(1)))
            let isCleared = try await clear(instance)
            try await setLastJournaled("1 second", in: database)
            let follows = try await clear(instance)

            #expect(isCleared)
            #expect(!follows)
            let final = try await database.query(
                "SELECT (document ->> 'detection_count')::int FROM journal WHERE event = 'alarm.cleared'"
            )
            #expect(try final.int64(0, 0) == 2)
            #expect(try await events("alarm.extended", in: database) == 0)
        }
    }
}
