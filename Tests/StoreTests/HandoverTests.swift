import ControlCentre
import JSON
import PostgreSQL
import TestSupport
import Testing

@testable import Store

@Suite struct `A handover` {
    private let now = Timestamp.now()

    private func handover(
        _ instance: Instance, of site: DemonstrationSite, itemsMax: Int32 = 100
    ) async throws -> JSON {
        let id = site.id
        let handover = try await instance.run { database in
            try await database.handover(
                at: id, now, reviewWithin: .seconds(86_400), itemsMax: itemsMax)
        }
        return try JSON.parse(try #require(handover).document)
    }

    private func counts(_ handover: JSON) throws -> [String: Int64] {
        var counts: [String: Int64] = [:]
        for part in [
            "open", "overdue", "shelved", "floods", "blind", "lost_nodes", "interruptions",
            "holds_due",
        ] {
            counts[part] = try #require(handover[part]?["count"]?.asInteger)
        }
        return counts
    }

    @Test func `of a quiet site is empty`() async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance)

            let handover = try await handover(instance, of: site)

            #expect(handover["site"]?.asString == "mannheim")
            #expect(try counts(handover).values.allSatisfy { $0 == 0 })
        }
    }

    @Test func `counts open alarms of production and shows the newest first`() async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance, cameras: 4)
            let hamburg = try await DemonstrationSite(in: instance, named: "hamburg")
            _ = try await instance.submit([
                site.detection(camera: 0, at: now - .seconds(30)),
                site.detection(camera: 1, at: now - .seconds(20)),
                site.detection(camera: 2, at: now - .seconds(10)),
                site.detection(camera: 3, mode: .parallel, at: now),
                hamburg.detection(at: now),
            ])
            let closed = try await database.query(
                "SELECT id FROM alarms WHERE camera = $1", .uuid(site.cameras[1]))
            let alarm: AlarmID = try closed.id(0, 0)
            _ = try await instance.run { database in
                try await database.apply(
                    .close(), to: alarm, only: nil, by: DemonstrationSite.author, at: now)
            }

            let handover = try await handover(instance, of: site, itemsMax: 1)

            #expect(try counts(handover)["open"] == 2)
            let items = try #require(handover["open"]?["items"]?.asArray)
            #expect(items.map { $0["camera"]?.asString } == [site.cameras[2].description])
        }
    }

    @Test func `counts as overdue only what is of production, not shelved, and nobody's`()
        async throws
    {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance, cameras: 5)
            _ = try await instance.submit([
                site.detection(camera: 0, at: now),
                site.detection(camera: 1, mode: .training, at: now),
                site.detection(camera: 2, at: now),
                site.detection(camera: 3, at: now),
                site.detection(camera: 4, at: now),
            ])
            try await database.query(
                "UPDATE alarms SET overdue = true WHERE camera <> $1",
                .uuid(site.cameras[4]))
            try await database.query(
                """
                UPDATE alarms SET shelving = gen_random_uuid(), shelved_until = $2
                WHERE camera = $1
                """, .uuid(site.cameras[2]), .time(now + .seconds(60)))
            try await database.query(
                """
                UPDATE alarms SET handling = 'acknowledged', acknowledged_at = $2,
                    acknowledged_by = gen_random_uuid()
                WHERE camera = $1
                """, .uuid(site.cameras[3]), .time(now))

            let handover = try await handover(instance, of: site)

            let counts = try counts(handover)
            #expect(counts["open"] == 3)
            #expect(counts["overdue"] == 1)
            let items = try #require(handover["overdue"]?["items"]?.asArray)
            #expect(items.map { $0["camera"]?.asString } == [site.cameras[0].description])
        }
    }

    @Test func `names cameras that a node reports blind while no other analyses them`()
        async throws
    {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance, cameras: 2)
            try await database.query(
                """
                INSERT INTO nodes (site, id, name, model, created_at)
                SELECT site, gen_random_uuid(), 'Modul 2', model, created_at FROM nodes
                """)
            for camera in site.cameras {
                try await database.query(
                    """
                    INSERT INTO analysis_intervals
                    SELECT n.site, $1, 'hitting', n.id, $2, NULL, 'blind', n.model
                    FROM nodes n WHERE n.id = $3
                    """, .uuid(camera), .time(now - .seconds(60)), .uuid(site.node))
            }
            try await database.query(
                """
                INSERT INTO analysis_intervals
                SELECT n.site, $1, 'hitting', n.id, $2, NULL, 'analysing', n.model
                FROM nodes n WHERE n.id <> $3
                """, .uuid(site.cameras[1]), .time(now - .seconds(60)), .uuid(site.node))

            let blind = try await handover(instance, of: site)["blind"]

            let items = try #require(blind?["items"]?.asArray)
            #expect(items.map { $0["camera"]?.asString } == [site.cameras[0].description])
            #expect(items[0]["since"]?.asString == (now - .seconds(60)).rfc3339)
        }
    }

    @Test func `names what is shelved, interrupted, lost or due for review`() async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance)
            let remark = UUID.v7(at: now)
            try await database.query(
                "INSERT INTO remarks VALUES ($1, 'mannheim', 'salt', 'Wartung')",
                .uuid(PostgreSQLUUID(remark)))
            try await database.query(
                """
                INSERT INTO shelvings (site, id, camera, remark, shelved_by, shelved_at, until)
                VALUES ('mannheim', $1, $2, $1, $1, $3, $4)
                """, .uuid(PostgreSQLUUID(remark)), .uuid(site.cameras[0]),
                .time(now - .seconds(60)), .time(now + .seconds(60)))
            try await database.query(
                """
                INSERT INTO interruptions (site, id, ground, starts_at, ends_at, created_at)
                VALUES ('mannheim', gen_random_uuid(), 'Versammlung', $1, NULL, $1),
                    ('mannheim', gen_random_uuid(), 'Versammlung', $2, NULL, $1)
                """, .time(now - .seconds(60)), .time(now + .seconds(60)))
            try await database.query(
                "UPDATE nodes SET lost = true, last_heartbeat_at = $1, heartbeat_due_at = $1",
                .time(now - .seconds(60)))
            for hours in [23, 25] {
                try await database.query(
                    """
                    INSERT INTO evidence_holds (site, id, camera, starts_at, ends_at, ground,
                        review_at, created_at, created_by)
                    VALUES ('mannheim', gen_random_uuid(), $1, $2, $3, 'Strafverfahren', $4, $3,
                        gen_random_uuid())
                    """, .uuid(site.cameras[0]), .time(now - .seconds(60)), .time(now),
                    .time(now + .seconds(hours * 3_600)))
            }

            let handover = try await handover(instance, of: site)

            let counts = try counts(handover)
            #expect(counts["shelved"] == 1)
            #expect(counts["interruptions"] == 1)
            #expect(counts["lost_nodes"] == 1)
            #expect(counts["holds_due"] == 1)
            let shelvings = try #require(handover["shelved"]?["items"]?.asArray)
            #expect(shelvings[0]["reason"]?.asString == "Wartung")
        }
    }
}
