import ControlCentre
import PostgreSQL
import TestSupport
import Testing

@testable import Store

@Suite struct `Coverage of a camera` {
    /// A Tuesday, noon in Mannheim.
    private static let begin = Timestamp(rfc3339: "2026-09-01T10:00:00Z")

    private func withNode(
        cameras: Int = 1, from begin: Timestamp? = Self.begin,
        _ body: (TestDatabase, ReportingNode) async throws -> Void
    ) async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance, cameras: cameras)
            try await database.query("UPDATE cameras SET installed_at = '2020-01-01Z'")
            let node = try await ReportingNode(
                of: site, in: instance, from: try #require(begin))
            try await body(database, node)
        }
    }

    /// The parts as `from-to state model+model`, in seconds from the begin.
    private func coverage(
        of pattern: BehaviourPattern = .hitting, _ period: Range<Int>, by node: ReportingNode,
        in database: TestDatabase
    ) async throws -> String {
        let rows = try await database.query(
            """
            SELECT coalesce(string_agg(
                format('%s-%s %s', extract(epoch FROM starts_at - $6)::int,
                    extract(epoch FROM ends_at - $6)::int,
                    concat_ws(' ', state, array_to_string(models, '+'))),
                ', ' ORDER BY starts_at), '')
            FROM coverage($1, $2, $3, $4, $5)
            """, .text(node.site.id.description), .uuid(node.site.cameras[0]),
            .text(pattern.rawValue), .time(node.begin + .seconds(period.lowerBound)),
            .time(node.begin + .seconds(period.upperBound)), .time(node.begin))
        return try rows.text(0, 0)
    }

    private func interrupt(
        _ node: ReportingNode, camera: CameraID? = nil, area: AreaID? = nil, from start: Int,
        to end: Int?, in database: TestDatabase
    ) async throws {
        try await database.query(
            """
            INSERT INTO interruptions (site, id, camera, area, ground, starts_at, ends_at, created_at)
            VALUES ($1, gen_random_uuid(), $2, $3, 'assembly', $4, $5, $4)
            """, .text(node.site.id.description), .optional(camera), .optional(area),
            .time(node.begin + .seconds(start)), .time(end.map { node.begin + .seconds($0) }))
    }

    // MARK: States

    @Test func `tells what its node said apart, and that nothing was said`() async throws {
        try await withNode { database, node in
            try await node.beat(0, .analysing)
            try await node.beat(600, .blind)
            try await node.beat(1_200, .off)
            try await node.beat(1_800, .analysing)

            let parts = try await coverage(-600..<4_000, by: node, in: database)

            #expect(
                parts == """
                    -600-0 unknown, 0-600 analysed v1, 600-1200 blind v1, 1200-1800 off, \
                    1800-2400 analysed v1, 2400-4000 unknown
                    """)
        }
    }

    @Test func `is off by order before off by schedule before all that a node says`()
        async throws
    {
        try await withNode { database, node in
            // Mannheim is two hours ahead of UTC: on from second 600.
            try await database.query(
                """
                UPDATE camera_periods SET operating_hours =
                    '[{"days": ["tue"], "from": "12:10", "to": "24:00"}]'
                """)
            for second in stride(from: 0, through: 3_600, by: 600) { try await node.beat(second) }
            let camera = node.site.cameras[0]
            try await interrupt(node, camera: camera, from: 300, to: 700, in: database)
            try await interrupt(node, camera: camera, from: 700, to: 1_200, in: database)
            try await interrupt(node, area: node.site.area, from: 1_800, to: 2_100, in: database)
            try await interrupt(node, from: 3_000, to: nil, in: database)

            let parts = try await coverage(0..<4_000, by: node, in: database)

            #expect(
                parts == """
                    0-300 off_by_schedule, 300-1200 off_by_order, 1200-1800 analysed v1, \
                    1800-2100 off_by_order, 2100-3000 analysed v1, 3000-4000 off_by_order
                    """)
        }
    }

    @Test func `is analysed when any node analyses, and names all their models`() async throws {
        try await withNode { database, one in
            let other = try await ReportingNode(besides: one, model: "v2")
            try await one.beat(0, .analysing)
            try await other.beat(0, .blind)
            try await other.beat(300, .analysing)
            try await one.beat(600, .off)

            let parts = try await coverage(0..<1_300, by: one, in: database)

            // The other is known to 900, this one to 1200.
            #expect(
                parts == """
                    0-300 analysed v1, 300-600 analysed v1+v2, 600-900 analysed v2, \
                    900-1200 off, 1200-1300 unknown
                    """)
        }
    }

    @Test func `differs by pattern, and a pattern's own entry precedes the one for all`()
        async throws
    {
        try await withNode { database, node in
            let camera = DemonstrationSite.key(0)
            try await node.beat(
                0,
                [
                    Heartbeat.Entry(camera: camera, pattern: nil, status: .analysing),
                    Heartbeat.Entry(camera: camera, pattern: "kicking", status: .off),
                ])
            try await node.beat(
                600, [Heartbeat.Entry(camera: camera, pattern: "kicking", status: .blind)])

            let hitting = try await coverage(0..<1_200, by: node, in: database)
            let kicking = try await coverage(of: .kicking, 0..<1_200, by: node, in: database)

            #expect(hitting == "0-600 analysed v1, 600-1200 unknown")
            #expect(kicking == "0-600 off, 600-1200 blind v1")
        }
    }

    // MARK: Gaps

    @Test(arguments: [
        (1_800, "0-2400 analysed v1, 2400-3000 unknown"),
        (1_801, "0-600 analysed v1, 600-1801 unknown, 1801-2401 analysed v1, 2401-3000 unknown"),
    ])
    func `is unknown in a gap of more than three intervals, whoever was away`(
        next: Int, expected: String
    ) async throws {
        try await withNode { database, node in
            try await node.beat(0)
            try await node.beat(next)

            #expect(try await coverage(0..<3_000, by: node, in: database) == expected)
            let intervals = try await database.number(
                "SELECT count(*) FROM analysis_intervals WHERE pattern = 'hitting'")
            #expect(intervals == (next > 1_800 ? 2 : 1))
        }
    }

    @Test func `ends where knowledge ended when its node is lost, and begins when it returns`()
        async throws
    {
        try await withNode { database, node in
            try await node.beat(0)
            let later = node.begin + .seconds(1_801)
            _ = try await node.instance.run { database in
                try await database.reportLostNodes(servingSince: node.begin, at: later)
            }
            try await node.beat(5_000)

            let parts = try await coverage(0..<5_600, by: node, in: database)

            #expect(parts == "0-600 analysed v1, 600-5000 unknown, 5000-5600 analysed v1")
        }
    }

    @Test func `of another model version is a part of its own`() async throws {
        try await withNode { database, node in
            try await node.beat(0)
            var change = NodeChange()
            change.modelVersion = .some("2")
            try await node.set(change)
            try await node.beat(600)

            let parts = try await coverage(0..<1_200, by: node, in: database)

            #expect(parts == "0-600 analysed v1, 600-1200 analysed v1 2")
        }
    }

    // MARK: Times

    @Test func `has no part outside its life`() async throws {
        try await withNode { database, node in
            try await node.beat(0)
            try await node.beat(600)
            try await database.query(
                "UPDATE cameras SET installed_at = $1, removed_at = $2",
                .time(node.begin + .seconds(300)), .time(node.begin + .seconds(900)))

            #expect(
                try await coverage(0..<1_200, by: node, in: database) == "300-900 analysed v1")
            #expect(try await coverage(-600..<300, by: node, in: database) == "")
            #expect(try await coverage(900..<1_200, by: node, in: database) == "")
        }
    }

    @Test(arguments: [
        // From 01:00 CEST (23:00 UTC) to 04:00 CET (03:00 UTC): four hours, not three.
        ("2026-10-24T22:00:00Z", 18_000),
        // From 01:00 CET (00:00 UTC) to 04:00 CEST (02:00 UTC): two hours, not three.
        ("2026-03-28T23:00:00Z", 10_800),
    ])
    func `lasts as long as the night does when the clocks change`(begin: String, end: Int)
        async throws
    {
        try await withNode(from: Timestamp(rfc3339: begin)) { database, node in
            try await database.query(
                """
                UPDATE camera_periods SET operating_hours =
                    '[{"days": ["sun"], "from": "01:00", "to": "04:00"}]'
                """)
            for hour in 0...14 { try await node.beat(hour * 1_800) }

            let parts = try await coverage(0..<25_200, by: node, in: database)

            #expect(
                parts == """
                    0-3600 off_by_schedule, 3600-\(end) analysed v1, \(end)-25200 off_by_schedule
                    """)
        }
    }

    @Test func `counts an instant to the part that begins with it`() async throws {
        try await withNode { _, node in
            try await node.beat(0, .analysing)
            try await node.beat(600, .blind)

            func wasAnalysed(_ second: Int, less: Duration = .zero) async throws -> Bool {
                let instant = node.begin + .seconds(second) - less
                return try await node.instance.run { database in
                    try await database.wasAnalysed(
                        node.site.cameras[0], of: node.site.id, for: .hitting, at: instant)
                }
            }

            #expect(try await !wasAnalysed(0, less: .microseconds(1)))
            #expect(try await wasAnalysed(0))
            #expect(try await wasAnalysed(600, less: .microseconds(1)))
            #expect(try await !wasAnalysed(600))
        }
    }

    // MARK: Changes of the configuration

    @Test func `goes by the hours and the area that the camera had then`() async throws {
        try await withNode { database, node in
            for second in stride(from: 0, through: 3_600, by: 600) { try await node.beat(second) }
            let other: AreaID = try await node.instance.run { database in
                try await database.createArea(
                    NewArea(site: node.site.id, name: "Neckarwiese", monitored: true),
                    by: ReportingNode.author, at: node.begin
                ).stored().id()
            }
            // Of the old area from 600 on, of the new one from 1200 on: it moved at 1800.
            try await interrupt(node, area: node.site.area, from: 600, to: 2_400, in: database)
            try await interrupt(node, area: other, from: 1_200, to: 2_100, in: database)
            try await database.query(
                "UPDATE camera_periods SET valid_to = $1", .time(node.begin + .seconds(1_800)))
            try await database.query(
                """
                INSERT INTO camera_periods (site, camera, valid_from, area, operating_hours)
                SELECT site, camera, valid_to, $1,
                    '[{"days": ["tue"], "from": "12:00", "to": "12:50"}]'
                FROM camera_periods
                """, .uuid(other))

            let parts = try await coverage(0..<3_600, by: node, in: database)

            // Noon in Mannheim is second 0; the new hours end at 3000.
            #expect(
                parts == """
                    0-600 analysed v1, 600-2100 off_by_order, 2100-3000 analysed v1, \
                    3000-3600 off_by_schedule
                    """)
        }
    }

    @Test func `stays as it was when the camera's hours and area change now`() async throws {
        try await withNode { database, node in
            try await node.beat(0)
            try await node.beat(600)
            try await interrupt(node, area: node.site.area, from: 300, to: 400, in: database)
            let before = try await coverage(0..<1_800, by: node, in: database)
            let beginOfChange = Timestamp.now()

            var hours = CameraChange()
            hours.operatingHours = .some(
                WeeklySchedule([
                    WeeklySchedule.Hours(
                        days: [.mon], from: try #require(WeeklySchedule.Time("03:00")),
                        to: try #require(WeeklySchedule.Time("04:00")))
                ]))
            hours.area = try await node.instance.run { database in
                try await database.createArea(
                    NewArea(site: node.site.id, name: "Neckarwiese", monitored: true),
                    by: ReportingNode.author, at: node.begin
                ).stored().id()
            }
            let change = hours
            for _ in 0..<2 {
                _ = try await node.instance.run { database in
                    try await database.changeCamera(
                        node.site.cameras[0], only: nil, if: .any, to: change,
                        by: ReportingNode.author, at: .now()
                    ).stored()
                }
            }

            #expect(
                before == """
                    0-300 analysed v1, 300-400 off_by_order, 400-1200 analysed v1, \
                    1200-1800 unknown
                    """)
            #expect(try await coverage(0..<1_800, by: node, in: database) == before)
            // The same change again begins no period.
            let periods = try await database.query(
                """
                SELECT count(*), max(valid_from) >= $1 AND max(valid_from) <= clock_timestamp(),
                    count(*) FILTER (WHERE valid_to IS NULL),
                    min(valid_to) = max(valid_from)
                FROM camera_periods
                """, .time(beginOfChange))
            #expect(try periods.int64(0, 0) == 2)
            #expect(try periods.bool(0, 1))
            #expect(try periods.int64(0, 2) == 1)
            #expect(try periods.bool(0, 3))
        }
    }

    @Test func `keeps an area's monitoring of the time before it changed`() async throws {
        try await withNode { database, node in
            func wasMonitored(_ instant: Timestamp) async throws -> Bool {
                try await database.query(
                    "SELECT was_monitored($1, $2, $3)", .text(node.site.id.description),
                    .uuid(node.site.area), .time(instant)
                ).bool(0, 0)
            }
            let before = Timestamp.now()

            var change = AreaChange()
            change.monitored = false
            let wanted = change
            _ = try await node.instance.run { database in
                try await database.changeArea(
                    node.site.area, only: nil, if: .any, to: wanted, by: ReportingNode.author,
                    at: .now()
                ).stored()
            }

            #expect(try await wasMonitored(before))
            #expect(try await !wasMonitored(.now()))
        }
    }

    @Test func `knows what was permitted before a list was replaced`() async throws {
        try await withNode { database, node in
            func permitted(_ instant: Timestamp) async throws -> [String] {
                let rows = try await database.query(
                    """
                    SELECT p FROM unnest(ARRAY['hitting', 'kicking', 'pushing']) p
                    WHERE was_permitted($1, p, $2) ORDER BY p
                    """, .text(node.site.id.description), .time(instant))
                return try (0..<rows.rowCount).map { try rows.text($0, 0) }
            }
            func permit(_ patterns: [PermittedPattern]) async throws -> Timestamp {
                var change = SiteChange()
                change.patterns = patterns
                let wanted = change
                _ = try await node.instance.run { database in
                    try await database.changeSite(
                        node.site.id, only: nil, if: .any, to: wanted, by: ReportingNode.author,
                        at: .now()
                    ).stored()
                }
                return .now()
            }
            let longAgo = try #require(Timestamp(rfc3339: "2022-01-01T00:00:00Z"))
            let hitting = PermittedPattern(pattern: .hitting, legalBasis: nil)

            let first = try await permit([hitting])
            let second = try await permit([
                PermittedPattern(pattern: .hitting, legalBasis: "§ 44 (4) PolG"),
                // That it would have been valid does not mean that it stood in the list.
                PermittedPattern(pattern: .kicking, legalBasis: nil, validFrom: longAgo),
            ])
            let third = try await permit([
                PermittedPattern(
                    pattern: .hitting, legalBasis: nil, validTo: .now() + .seconds(3_600))
            ])

            #expect(try await permitted(longAgo) == ["hitting", "kicking", "pushing"])
            #expect(try await permitted(first) == ["hitting"])
            #expect(try await permitted(second) == ["hitting", "kicking"])
            #expect(try await permitted(third) == ["hitting"])
            #expect(try await permitted(third + .seconds(3_601)) == [])
            // Another legal basis or place in the list is no other permission.
            let hittings = try await database.number(
                "SELECT count(*) FROM pattern_periods WHERE pattern = 'hitting'")
            #expect(hittings == 2)
        }
    }

    // MARK: Pages

    @Test(arguments: [1, 2, 3, 100])
    func `of several cameras is the same in pages of any size`(limit: Int) async throws {
        try await withNode(cameras: 2) { _, node in
            try await node.beat(0, .analysing)
            try await node.beat(600, .blind)
            var filter = CoverageFilter(
                from: node.begin - .seconds(600), to: node.begin + .seconds(1_200))
            filter.site = node.site.id
            filter.patterns = [.kicking, .hitting]
            let wanted = filter
            // Both were made in the same millisecond; then the ids decide.
            let newest = node.site.cameras.map(\.description).max()

            var found: [String] = []
            var request = PageRequest(limit: limit)
            while true {
                let asked = request
                let page = try await node.instance.run { database in
                    try await database.coverage(wanted, asked)
                }
                for document in page.documents {
                    let isNewest = try text(document, "camera") == newest
                    found.append(
                        "\(isNewest ? 1 : 0) \(try text(document, "pattern")) \(try text(document, "state"))"
                    )
                }
                guard let next = page.next else { break }
                request.after = next
            }

            #expect(
                found == [
                    "1 hitting blind", "1 hitting analysed", "1 hitting unknown",
                    "1 kicking blind", "1 kicking analysed", "1 kicking unknown",
                    "0 hitting blind", "0 hitting analysed", "0 hitting unknown",
                    "0 kicking blind", "0 kicking analysed", "0 kicking unknown",
                ])
        }
    }
}
