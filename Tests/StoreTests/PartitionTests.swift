import ControlCentre
import PostgreSQL
import TestSupport
import Testing

@testable import Store

@Suite(.timeLimit(.minutes(5))) struct `Partitions of detections` {
    private let now = Timestamp.now()

    /// How many detections lie in which partition, as `detections_20261124 2`.
    private func contents(_ database: TestDatabase) async throws -> [String] {
        let rows = try await database.query(
            """
            SELECT tableoid::regclass || ' ' || count(*) FROM detections
            GROUP BY tableoid ORDER BY 1
            """)
        return try (0..<rows.rowCount).map { try rows.text($0, 0) }
    }

    private func partition(_ day: Int) -> String {
        let day = String((now + .seconds(86_400 * day)).rfc3339.prefix(10))
        return "detections_" + day.filter { $0 != "-" }
    }

    @Test func `take the rows of their day, also those that came before them`() async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance)
            func submit(_ day: Int) async throws {
                let instant = now + .seconds(86_400 * day)
                _ = try await instance.submit(site.detection(at: instant))
            }
            for day in [-9, -1, 0] { try await submit(day) }
            let before = try await contents(database)

            try await instance.run { try await $0.ensurePartitions() }
            for day in [0, 1] { try await submit(day) }
            let after = try await contents(database)
            try await instance.run { try await $0.ensurePartitions() }
            let again = try await contents(database)

            #expect(before == ["detections_default 3"])
            #expect(
                after == [
                    "\(partition(-1)) 1", "\(partition(0)) 2",
                    "\(partition(1)) 1", "detections_default 1",
                ])
            #expect(again == after)
        }
    }

    @Test func `begin and end at midnight UTC`() async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance)
            try await database.query(
                "SELECT ensure_detection_partitions('2026-10-24', '2026-10-26')")
            for text in ["2026-10-25T00:00:00Z", "2026-10-25T23:59:59.999999Z"] {
                let instant = try #require(Timestamp(rfc3339: text))
                _ = try await instance.submit(site.detection(at: instant))
            }

            #expect(try await contents(database) == ["detections_20261025 2"])
        }
    }

    @Test func `are made without a deadlock beside a group that has read and will write`()
        async throws
    {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let waiting = """
                SELECT count(*) FROM pg_locks WHERE NOT granted
                    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                """

            let inserted = try await database.session { connection, _ in
                _ = try await connection.execute([
                    Statement("BEGIN"), Statement("SELECT FROM detections"),
                ])
                let isOver = Flag()
                async let made: Void = {
                    defer { isOver.set() }
                    try await instance.run { try await $0.ensurePartitions() }
                }()
                while try await database.number(waiting) == 0, !isOver.isSet {}
                let results = try await connection.execute([
                    Statement(
                        """
                        INSERT INTO detections (site, id, occurred_at, received_at, node, camera,
                            pattern, operating_mode, model, confidence, counted_only, late,
                            content_hash, change)
                        VALUES ('mannheim', gen_random_uuid(), now(), now(), gen_random_uuid(),
                            gen_random_uuid(), 'hitting', 'production', '', 0.9, false, false,
                            'hash', 1)
                        """), Statement("COMMIT"),
                ])
                try await made
                return results[1].commandTag
            }

            #expect(inserted == "COMMIT")
            #expect(try await contents(database) == ["\(partition(0)) 1"])
        }
    }

    @Test func `are made by several callers at once while detections come in`() async throws {
        try await TestDatabase.with { database in
            var instances: [Instance] = []
            for _ in 0..<3 { instances.append(try await Instance(on: database)) }
            let site = try await DemonstrationSite(in: instances[0], cameras: 3)

            try await withThrowingTaskGroup(of: Void.self) { group in
                for (number, instance) in instances.enumerated() {
                    group.addTask {
                        for count in 0..<40 {
                            _ = try await instance.submit(
                                site.detection(
                                    camera: number, at: now + .seconds(60 * (count - 20))))
                        }
                    }
                    group.addTask {
                        try await instance.run { try await $0.ensurePartitions() }
                    }
                }
                try await group.waitForAll()
            }

            let astray = try await database.number("SELECT count(*) FROM detections_default")
            let deadlocks = try await database.number(
                "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
            #expect(astray == 0)
            #expect(deadlocks == 0)
            try await expectWhole(database, detections: 120)
        }
    }
}
