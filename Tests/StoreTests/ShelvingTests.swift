import ControlCentre
import TestSupport
import Testing

@testable import Store

@Suite struct `A shelving` {
    private let now = Timestamp.now()
    private let author = DemonstrationSite.observer(1)

    private func shelve(
        camera: CameraID?, pattern: BehaviourPattern?, hours: Int64, at site: DemonstrationSite,
        in instance: Instance
    ) async throws -> ShelvingID {
        let id = ShelvingID.make(at: now)
        let (site, author, now) = (site.id, author, now)
        let outcome = try await instance.run { database in
            try await database.shelve(
                id, camera: camera, pattern: pattern, at: site,
                until: now + .seconds(hours * 3_600), reason: "Aufbau", by: author, on: now)
        }
        guard case .shelved = outcome else { throw NotStored(outcome: "\(outcome)") }
        return id
    }

    private func raise(
        _ site: DemonstrationSite, camera: Int = 0, in instance: Instance
    ) async throws -> AlarmID {
        let outcome = try await instance.submit(site.detection(camera: camera, at: now))
        guard case .created(let alarm?) = outcome else { throw NotStored(outcome: "\(outcome)") }
        return alarm
    }

    private func end(_ id: ShelvingID, in instance: Instance) async throws {
        let (author, now) = (author, now)
        _ = try await instance.run { database in
            try await database.endShelving(id, only: nil, by: author, at: now)
        }
    }

    private func count(_ event: String, in database: TestDatabase) async throws -> Int {
        try await database.number(
            "SELECT count(*) FROM journal WHERE event = $1", .text(event))
    }

    @Test func `that has run out rings once what is active and nobody's, and frees the rest`()
        async throws
    {
        try await TestDatabase.with { database in
            let one = try await Instance(on: database)
            let other = try await Instance(on: database)
            let site = try await DemonstrationSite(in: one, cameras: 4)
            var alarms: [AlarmID] = []
            for camera in 0..<4 {
                alarms.append(try await raise(site, camera: camera, in: one))
            }
            _ = try await shelve(camera: nil, pattern: .hitting, hours: 1, at: site, in: one)
            for (step, alarm) in [(AlarmStep.acknowledge, alarms[1]), (.close(), alarms[2])] {
                let (author, now) = (author, now)
                _ = try await one.run { database in
                    try await database.apply(
                        step, to: alarm, only: nil, by: author, at: now)
                }
            }
            _ = try await database.query(
                "UPDATE alarms SET condition = 'cleared', cleared_at = now() WHERE id = $1",
                .uuid(alarms[3]))
            _ = try await database.query(
                """
                UPDATE shelvings SET shelved_at = now() - interval '1 hour',
                    until = now() - interval '1 second'
                """)

            async let first = one.run { try await $0.endDueShelvings() }
            async let second = other.run { try await $0.endDueShelvings() }
            _ = try await (first, second)

            #expect(try await count("alarm.shelved", in: database) == 4)
            #expect(try await count("shelving.ended", in: database) == 1)
            #expect(try await count("alarm.unshelved", in: database) == 3)
            #expect(try await count("alarm.annunciated", in: database) == 1)
            let rung = try await database.query(
                "SELECT subject::uuid FROM journal WHERE event = 'alarm.annunciated'")
            #expect(try rung.id(0, 0) == alarms[0])
            #expect(try await !one.run { try await $0.endDueShelvings() })
        }
    }

    @Test func `counts what is detected meanwhile and rings when somebody ends it`() async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance)
            let shelving = try await shelve(
                camera: site.cameras[0], pattern: nil, hours: 1, at: site, in: instance)

            _ = try await raise(site, in: instance)
            _ = try await instance.submit(site.detection(at: now + .seconds(2)))

            let silent = try await database.number(
                """
                SELECT count(*) FROM alarms
                WHERE shelving = $1 AND annunciated_at IS NULL AND detection_count = 2
                """, .uuid(shelving))
            #expect(silent == 1)

            try await end(shelving, in: instance)
            try await end(shelving, in: instance)

            #expect(try await count("shelving.ended", in: database) == 1)
            #expect(try await count("alarm.annunciated", in: database) == 1)
            let rung = try await database.number(
                "SELECT count(*) FROM alarms WHERE shelving IS NULL AND annunciated_at = $1",
                .time(now))
            #expect(rung == 1)
        }
    }

    private func take(_ step: AlarmStep, on alarm: AlarmID, in instance: Instance) async throws {
        let (author, now) = (author, now)
        let result = try await instance.run { database in
            try await database.apply(step, to: alarm, only: nil, by: author, at: now)
        }
        guard case .done = result else { throw NotStored(outcome: "\(result)") }
    }

    private func escalate(_ site: DemonstrationSite, in instance: Instance) async throws {
        let rule = NewRule(
            site: site.id, pattern: .hitting, confidenceMin: 0.5, detectionsMin: 1,
            detectionsWindow: .seconds(10), quiet: .seconds(30), priority: .high,
            escalateAfter: .seconds(60))
        _ = try await instance.run { database in
            try await database.createRule(rule, by: DemonstrationSite.author, at: .now())
        }
    }

    private func overdue(at instant: Timestamp, in database: TestDatabase) async throws -> Int {
        try await database.number("SELECT mark_overdue_alarms($1)", .time(instant))
    }

    @Test(arguments: [
        [AlarmStep.acknowledge, .release], [.close(), .reopen()],
    ])
    func `under which an alarm was born leaves it to ring once whoever had it gives it back`(
        steps: [AlarmStep]
    ) async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance)
            try await escalate(site, in: instance)
            let shelving = try await shelve(
                camera: site.cameras[0], pattern: nil, hours: 1, at: site, in: instance)
            let alarm = try await raise(site, in: instance)

            try await take(steps[0], on: alarm, in: instance)
            try await end(shelving, in: instance)
            #expect(try await count("alarm.annunciated", in: database) == 0)
            try await take(steps[1], on: alarm, in: instance)

            let rung = try await database.number(
                "SELECT count(*) FROM alarms WHERE annunciated_at = $1", .time(now))
            #expect(rung == 1)
            #expect(try await count("alarm.annunciated", in: database) == 1)
            #expect(try await overdue(at: now + .seconds(59), in: database) == 0)
            #expect(try await overdue(at: now + .seconds(60), in: database) == 1)

            // Heard once, it does not ring again.
            try await take(steps[0], on: alarm, in: instance)
            try await take(steps[1], on: alarm, in: instance)
            #expect(try await count("alarm.annunciated", in: database) == 1)
        }
    }

    @Test func `leaves what has cleared and is given back silent, but it becomes overdue`()
        async throws
    {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance)
            try await escalate(site, in: instance)
            let shelving = try await shelve(
                camera: site.cameras[0], pattern: nil, hours: 1, at: site, in: instance)
            let alarm = try await raise(site, in: instance)
            try await take(.acknowledge, on: alarm, in: instance)
            try await end(shelving, in: instance)
            try await database.query("UPDATE alarms SET condition = 'cleared', cleared_at = now()")

            try await take(.release, on: alarm, in: instance)

            #expect(try await count("alarm.annunciated", in: database) == 0)
            #expect(try await overdue(at: .now(), in: database) == 0)
            #expect(try await overdue(at: .now() + .seconds(60), in: database) == 1)
        }
    }

    @Test func `that ends leaves an alarm under another one that covers it`() async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance)
            _ = try await raise(site, in: instance)
            let short = try await shelve(
                camera: site.cameras[0], pattern: nil, hours: 1, at: site, in: instance)
            let long = try await shelve(
                camera: nil, pattern: .hitting, hours: 2, at: site, in: instance)
            func under(_ shelving: ShelvingID) async throws -> Int {
                try await database.number(
                    "SELECT count(*) FROM alarms WHERE shelving = $1", .uuid(shelving))
            }
            #expect(try await under(long) == 1)

            try await end(long, in: instance)

            #expect(try await under(short) == 1)
            #expect(try await count("alarm.annunciated", in: database) == 0)

            try await end(short, in: instance)

            #expect(try await count("alarm.annunciated", in: database) == 1)
        }
    }
}
