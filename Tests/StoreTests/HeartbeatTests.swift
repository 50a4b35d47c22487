import ControlCentre
import PostgreSQL
import TestSupport
import Testing

@testable import Store

@Suite struct `A node's heartbeat` {
    private func withNode(
        _ body: (TestDatabase, ReportingNode) async throws -> Void
    ) async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance, cameras: 2)
            try await body(
                database, try await ReportingNode(of: site, in: instance, from: .now()))
        }
    }

    private func events(_ name: String, in database: TestDatabase) async throws -> Int {
        try await database.number("SELECT count(*) FROM journal WHERE event = $1", .text(name))
    }

    /// Looks for lost nodes so many seconds after the begin.
    private func reportLost(
        _ second: Int, servingSince: Int = 0, of node: ReportingNode, on instance: Instance? = nil
    ) async throws -> Int {
        let (since, now) = (node.begin + .seconds(servingSince), node.begin + .seconds(second))
        return try await (instance ?? node.instance).run { database in
            try await database.reportLostNodes(servingSince: since, at: now)
        }
    }

    // MARK: Changes

    @Test func `that says nothing new changes the node's row and nothing else`() async throws {
        try await withNode { database, node in
            try await node.beat(0)
            let counts = """
                SELECT (SELECT count(*) FROM journal) * 1000000
                    + (SELECT count(*) FROM positions) * 10000
                    + (SELECT count(*) FROM analysis_intervals)
                    + (SELECT revision FROM configuration) + (SELECT sum(revision)::bigint FROM nodes)
                """
            let before = try await database.number(counts)
            let written = try await database.query(
                "SELECT max(xmin::text::bigint) FROM analysis_intervals")

            let receipt = try await node.beat(600, queue: 17)

            #expect(receipt.dueAt == node.begin + .seconds(1_200))
            #expect(try await database.number(counts) == before)
            let rewritten = try await database.query(
                "SELECT max(xmin::text::bigint) FROM analysis_intervals")
            #expect(try rewritten.int64(0, 0) == written.int64(0, 0))
            let row = try await database.query("SELECT last_heartbeat_at, queue_length FROM nodes")
            #expect(try row.time(0, 0) == node.begin + .seconds(600))
            #expect(try row.int64(0, 1) == 17)
        }
    }

    @Test func `that changes a status journals what changed, by whom`() async throws {
        try await withNode { database, node in
            try await node.beat(0)
            try await node.beat(
                600,
                [
                    Heartbeat.Entry(
                        camera: DemonstrationSite.key(0), pattern: nil, status: .analysing),
                    Heartbeat.Entry(
                        camera: DemonstrationSite.key(0), pattern: "hitting", status: .blind),
                ])

            let entry = try await database.query(
                """
                SELECT document -> 'changes', role, actor FROM journal
                WHERE event = 'node.status-changed' ORDER BY change DESC LIMIT 1
                """)
            let changes = try entry.text(0, 0)
            #expect(changes.contains(#""status": "blind", "patterns": ["hitting"]"#))
            // Nothing is known of the second camera any more.
            #expect(changes.contains(#""status": null, "patterns": ["aggressive_posture", "#))
            #expect(!changes.contains("analysing"))
            #expect(try entry.text(0, 1) == "node")
            #expect(try entry.id(0, 2) == ReportingNode.author.token)
            #expect(try await events("node.status-changed", in: database) == 2)
        }
    }

    @Test func `names each time the entries that it cannot take`() async throws {
        try await withNode { database, node in
            let entries = [
                Heartbeat.Entry(camera: "nowhere", pattern: nil, status: .analysing),
                Heartbeat.Entry(
                    camera: DemonstrationSite.key(0), pattern: "dancing", status: .analysing),
                Heartbeat.Entry(
                    camera: DemonstrationSite.key(0), pattern: nil, status: .analysing),
                Heartbeat.Entry(
                    camera: node.site.cameras[0].description, pattern: nil, status: .off),
            ]

            for second in [0, 600] {
                let receipt = try await node.beat(second, entries)

                let places = receipt.refused.map(\.place)
                let refusals = receipt.refused.map(\.refusal)
                #expect(places == [0, 1, 3])
                #expect(refusals == [.unknownCamera, .patternNotPermitted, .repeatedCamera])
            }
            let statuses = try await database.query(
                "SELECT DISTINCT camera, status FROM analysis_intervals")
            #expect(statuses.rowCount == 1)
            #expect(try statuses.text(0, 1) == "analysing")
        }
    }

    @Test func `for all patterns follows what the site permits, also by the clock`() async throws {
        try await withNode { database, node in
            try await node.beat(0)
            try await database.query(
                "UPDATE site_patterns SET valid_to = $1 WHERE pattern = 'kicking'",
                .time(node.begin + .seconds(900)))

            func open(after second: Int) async throws -> Int {
                try await node.beat(second)
                return try await database.number(
                    """
                    SELECT count(*) FROM analysis_intervals
                    WHERE pattern = 'kicking' AND ends_at IS NULL
                    """)
            }

            #expect(try await open(after: 600) == 2)
            #expect(try await open(after: 1_200) == 0)
        }
    }

    @Test func `of two that overtook each other leaves one open status`() async throws {
        try await withNode { database, node in
            try await node.beat(600, .analysing)
            try await node.beat(0, .blind)
            try await node.beat(0, .analysing)
            try await node.beat(0, .off)

            let open = try await database.query(
                """
                SELECT status, starts_at FROM analysis_intervals
                WHERE camera = $1 AND pattern = 'hitting' AND ends_at IS NULL
                """, .uuid(node.site.cameras[0]))
            #expect(open.rowCount == 1)
            #expect(try open.text(0, 0) == "off")
            #expect(try open.time(0, 1) == node.begin + .seconds(600))
        }
    }

    // MARK: Loss

    @Test func `that is missing three times is reported once, whoever looks`() async throws {
        try await withNode { database, node in
            let other = try await ReportingNode(besides: node, model: "v2")
            try await node.beat(0)
            try await other.beat(0)
            var instances = [node.instance]
            for _ in 0..<2 { instances.append(try await Instance(on: database)) }

            #expect(try await reportLost(1_800, of: node) == 0)
            try await withThrowingTaskGroup(of: Int.self) { group in
                for instance in instances {
                    for _ in 0..<4 {
                        group.addTask { try await reportLost(1_801, of: node, on: instance) }
                    }
                }
                try await group.waitForAll()
            }
            // What one caller held, another skipped: it is the next round's.
            #expect(try await reportLost(1_802, of: node) == 2)

            #expect(try await events("node.lost", in: database) == 2)
            let once = try await database.number(
                """
                SELECT count(DISTINCT subject) FROM journal
                WHERE event = 'node.lost' AND occurred_at = $1
                    AND document ->> 'lost' = 'true' AND actor IS NULL
                """, .time(node.begin + .seconds(1_800)))
            #expect(once == 2)
            #expect(
                try await database.number(
                    "SELECT count(*) FROM analysis_intervals WHERE ends_at IS NULL") == 0)
        }
    }

    @Test func `ends the loss, once`() async throws {
        try await withNode { database, node in
            try await node.beat(0)
            #expect(try await reportLost(1_801, of: node) == 1)
            let lost = try await node.instance.run { database in
                try await database.nodes(of: node.site.id, lost: true, PageRequest(limit: 10))
            }

            try await node.beat(2_000)
            try await node.beat(2_600)

            #expect(lost.documents.count == 1)
            #expect(try await events("node.returned", in: database) == 1)
            #expect(try await reportLost(2_700, of: node) == 0)
        }
    }

    @Test func `that was never sent is not missing`() async throws {
        try await withNode { database, node in
            let lost = try await reportLost(86_400, of: node)

            #expect(lost == 0)
            #expect(try await events("node.lost", in: database) == 0)
        }
    }

    @Test func `is not missing while nobody could take it`() async throws {
        try await withNode { database, node in
            try await node.beat(0)

            // The server was down until second 7000.
            #expect(try await reportLost(7_001, servingSince: 7_000, of: node) == 0)
            #expect(try await reportLost(8_800, servingSince: 7_000, of: node) == 0)
            #expect(try await reportLost(8_801, servingSince: 7_000, of: node) == 1)
        }
    }

    // MARK: The rest of the house

    @Test func `cannot be taken back by the server`() async throws {
        try await withNode { database, node in
            try await node.beat(0)

            await #expect(throws: PostgreSQLError.self) {
                try await database.queryAsRuntime("DELETE FROM analysis_intervals")
            }
        }
    }

    @Test func `brings no model: a detection without one gets its node's, with the version`()
        async throws
    {
        try await withNode { database, node in
            var change = NodeChange()
            change.modelVersion = .some("2026.10")
            _ = try await node.instance.submit(node.site.detection(at: node.begin))
            try await node.set(change)
            _ = try await node.instance.submit(
                node.site.detection(at: node.begin + .seconds(1)))
            _ = try await node.instance.submit(
                node.site.detection(model: "own", at: node.begin + .seconds(2)))

            let models = try await database.query(
                "SELECT string_agg(model, ',' ORDER BY occurred_at) FROM detections")
            #expect(try models.text(0, 0) == "v1,v1 2026.10,own")
        }
    }
}
