import ControlCentre
import PostgreSQL
import TestSupport
import Testing

@testable import Store

@Suite struct `A site's rule` {
    private let now = Timestamp.now()

    private func withSite(
        _ body: (TestDatabase, Instance, DemonstrationSite) async throws -> Void
    ) async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            try await body(database, instance, try await DemonstrationSite(in: instance))
        }
    }

    private func create(_ rule: NewRule, in instance: Instance) async throws -> RuleID? {
        let document = try await instance.run { database in
            try await database.createRule(rule, by: DemonstrationSite.author, at: .now())
        }
        return try document.flatMap { RuleID(try text($0, "id")) }
    }

    private func rule(
        _ site: DemonstrationSite, detections: Int = 1, within window: Duration = .seconds(10),
        quiet: Duration = .seconds(30), priority: Priority = .medium
    ) -> NewRule {
        NewRule(
            site: site.id, pattern: .hitting, confidenceMin: 0.5, detectionsMin: detections,
            detectionsWindow: window, quiet: quiet, priority: priority, escalateAfter: nil)
    }

    @Test func `gets the next version, of several at once too, and is journaled`() async throws {
        try await withSite { database, first, site in
            let second = try await Instance(on: database)

            try await withThrowingTaskGroup(of: Void.self) { group in
                for instance in [first, second, first, second] {
                    group.addTask { _ = try await create(rule(site), in: instance) }
                }
                try await group.waitForAll()
            }

            let versions = try await database.query(
                """
                SELECT string_agg((document ->> 'version'), ' ' ORDER BY p.position)
                FROM journal j JOIN positions p USING (change)
                WHERE event = 'rule.created' AND actor IS NOT NULL
                """)
            #expect(try versions.text(0, 0) == "1 2 3 4")
        }
    }

    @Test func `is refused where there is no site`() async throws {
        try await withSite { database, instance, site in
            var other = rule(site)
            other.site = try #require(SiteID("nowhere"))

            #expect(try await create(other, in: instance) == nil)
            #expect(try await database.number("SELECT count(*) FROM correlation_rules") == 0)
        }
    }

    @Test func `holds for what comes after it, and each alarm keeps its version`() async throws {
        try await withSite { database, instance, site in
            _ = try await instance.submit(site.detection(at: now))
            _ = try await create(rule(site, quiet: .seconds(5), priority: .high), in: instance)
            _ = try await instance.submit([
                site.detection(at: now + .seconds(40)), site.detection(at: now + .seconds(46)),
            ])

            let rows = try await database.query(
                """
                SELECT coalesce(rule_version, 0), priority, extract(epoch FROM quiet)::int,
                    extract(epoch FROM cleared_at - last_detection_at)::int
                FROM alarms ORDER BY raised_at
                """)
            let alarms = try (0..<rows.rowCount).map { row in
                try "\(rows.int64(row, 0)) \(rows.text(row, 1)) \(rows.int64(row, 2)) "
                    + (rows.isNull(row, 3) ? "active" : "\(rows.int64(row, 3))")
            }
            #expect(alarms == ["0 medium 30 30", "1 high 5 5", "1 high 5 active"])
        }
    }

    @Test func `raises nothing below its number, across groups and lanes, and then counts all`()
        async throws
    {
        try await withSite { database, first, site in
            _ = try await create(rule(site, detections: 3), in: first)
            let second = try await Instance(on: database)
            let early = site.detection(at: now - .seconds(20))
            let members = [0, 4, 10].map { site.detection(at: now + .seconds($0)) }

            let tooFew = [
                try await first.submit(early), try await first.submit(members[0]),
                try await second.submit(members[1]),
            ]
            #expect(tooFew == [.created(nil), .created(nil), .created(nil)])
            #expect(try await database.number("SELECT count(*) FROM alarms") == 0)
            let raising = try await first.submit(members[2])

            guard case .created(let alarm?) = raising else {
                Issue.record("\(raising)")
                return
            }
            let whole = try await database.number(
                """
                SELECT count(*) FROM alarms
                WHERE detection_count = 3 AND started_at = $1 AND raised_at = $2
                    AND received_at = $2 AND last_detection_at = $2 AND rule_version = 1
                """, .time(now), .time(now + .seconds(10)))
            #expect(whole == 1)
            let found = try await first.run { database in
                var filter = DetectionFilter()
                filter.alarm = alarm
                return try await database.detections(filter, PageRequest(limit: 10))
            }
            #expect(
                try found.documents.map { try text($0, "id") }
                    == members.reversed().map(\.id.description))
            let named = try await database.number(
                "SELECT count(*) FROM detections_of_alarm($1, $2)", .text(site.id), .uuid(alarm))
            #expect(named == 3)
            #expect(try await second.submit(members[0]) == .duplicate(alarm))
        }
    }

    @Test func `counts a detection of earlier for one alarm only`() async throws {
        try await withSite { database, instance, site in
            _ = try await create(
                rule(site, detections: 2, within: .seconds(60), quiet: .seconds(5)), in: instance)

            var outcomes: [IngestOutcome] = []
            for second in [0, 10, 20, 30] {
                outcomes.append(
                    try await instance.submit(site.detection(at: now + .seconds(second))))
            }

            // The first two make an alarm; the third is more than five seconds after it.
            let counts = try await database.query(
                "SELECT string_agg(detection_count::text, ' ' ORDER BY raised_at) FROM alarms")
            #expect(try counts.text(0, 0) == "2 2")
            #expect(outcomes[0] == .created(nil))
            #expect(outcomes[2] == .created(nil))
            #expect(outcomes[1] != .created(nil) && outcomes[3] != outcomes[1])
        }
    }

    @Test func `is listed newest first, and by whether it is the current one`() async throws {
        try await withSite { database, instance, site in
            let first = try await create(rule(site), in: instance)
            let second = try await create(rule(site), in: instance)

            func found(current: Bool?) async throws -> [String] {
                try await instance.run { database in
                    var filter = RuleFilter()
                    filter.site = site.id
                    filter.current = current
                    return try await database.rules(filter, PageRequest(limit: 10))
                }.documents.map { try text($0, "id") }
            }
            #expect(
                try await found(current: nil) == [second, first].compactMap { $0?.description })
            #expect(try await found(current: true) == [second?.description])
            #expect(try await found(current: false) == [first?.description])
        }
    }
}
