import ControlCentre
import PostgreSQL
import TestSupport
import Testing

@testable import Store

/// What the ledger of coverage says, in hours. Noon in Mannheim is second 0, a Tuesday.
@Suite struct `Coverage in figures` {
    private static let begin = Timestamp(rfc3339: "2026-09-01T10:00:00Z")

    /// A camera of a site that has been recorded since the begin.
    private func withNode(
        from begin: Timestamp? = Self.begin, cameras: Int = 1,
        _ body: (TestDatabase, ReportingNode) async throws -> Void
    ) async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance, cameras: cameras)
            let begin = try #require(begin)
            try await database.query("UPDATE cameras SET installed_at = '2020-01-01Z'")
            try await database.query(
                "UPDATE coverage_progress SET since = $1, recorded_until = $1", .time(begin))
            try await body(
                database, try await ReportingNode(of: site, in: instance, from: begin))
        }
    }

    /// Records what is due at a second; returns the position after it.
    @discardableResult
    private func record(at second: Int, by node: ReportingNode, in database: TestDatabase)
        async throws -> Int
    {
        try await database.query(
            "SELECT advance_coverage($1)", .time(node.begin + .seconds(second)))
        while try await database.query("SELECT record_coverage()").bool(0, 0) {}
        return try await database.number("SELECT coalesce(max(position), 0) FROM positions")
    }

    /// Two hours analysed, half an hour blind and half an hour off.
    private func threeHours(of node: ReportingNode) async throws {
        for (second, status) in [
            (0, .analysing), (1_800, .analysing), (3_600, .blind), (5_400, .off),
            (7_200, .analysing), (9_000, .analysing), (10_800, .analysing),
        ] as [(Int, AnalysisStatus)] {
            try await node.beat(second, status)
        }
    }

    private func question(
        _ node: ReportingNode, _ seconds: Range<Int> = 0..<10_800, by groups: [Dimension] = []
    ) -> StatisticsQuestion {
        var question = StatisticsQuestion(
            metric: .coverage, from: .instant(node.begin + .seconds(seconds.lowerBound)),
            to: .instant(node.begin + .seconds(seconds.upperBound)))
        question.groups = groups
        return question
    }

    private func answer(_ question: StatisticsQuestion, _ node: ReportingNode) async throws
        -> StatisticsAnswer
    {
        try await node.instance.answer(question)
    }

    /// Such as `analysed 2.0 blind 0.5`.
    private func hours(_ cell: StatisticsAnswer.Cell) -> String {
        MetricDefinition.current(of: .coverage).measures.compactMap { measure in
            guard let hours = cell.tallies.number(of: measure), hours != 0 else { return nil }
            return "\(measure.rawValue.dropLast("_hours".count)) \(hours)"
        }.joined(separator: " ")
    }

    private func cells(_ answer: StatisticsAnswer) -> [String] {
        answer.period.cells.map { cell in
            ([cell.keys.map { $0 ?? "none" }.joined(separator: " ")] + [hours(cell)])
                .filter { !$0.isEmpty }.joined(separator: ": ")
        }.filter { $0.contains(":") }
    }

    private func interrupt(
        _ node: ReportingNode, from start: Int, to end: Int, in database: TestDatabase
    ) async throws {
        try await database.query(
            """
            INSERT INTO interruptions (site, id, ground, starts_at, ends_at, created_at)
            VALUES ($1, gen_random_uuid(), 'assembly', $2, $3, $2)
            """, .text(node.site.id.description), .time(node.begin + .seconds(start)),
            .time(node.begin + .seconds(end)))
    }

    // MARK: Hours

    @Test func `are the hours of each state`() async throws {
        try await withNode { database, node in
            try await threeHours(of: node)
            try await record(at: 11_000, by: node, in: database)

            let total = try await answer(question(node), node)
            let byHour = try await answer(question(node, by: [.hourOfDay]), node)
            let byDay = try await answer(question(node, by: [.day, .monitored]), node)

            #expect(total.period.total.state == .complete)
            #expect(hours(total.period.total) == "analysed 2.0 blind 0.5 off 0.5")
            #expect(
                cells(byHour) == ["12: analysed 1.0", "13: blind 0.5 off 0.5", "14: analysed 1.0"])
            #expect(cells(byDay) == ["2026-09-01 true: analysed 2.0 blind 0.5 off 0.5"])
            #expect(hours(byHour.period.total) == hours(total.period.total))
        }
    }

    @Test func `are partial where an hour is not recorded yet, or was not recorded`() async throws {
        try await withNode { database, node in
            try await threeHours(of: node)
            try await record(at: 11_000, by: node, in: database)

            let running = try await answer(question(node, 7_200..<14_400), node)
            let later = try await answer(question(node, 10_800..<14_400), node)
            let before = try await answer(question(node, -3_600..<0), node)

            #expect(running.period.total.state == .partial)
            #expect(hours(running.period.total) == "analysed 1.0")
            #expect(later.period.total.state == .notRecorded)
            #expect(before.period.total.state == .notRecorded)
            #expect(running.period.spans[0].recordedUntil == node.begin + .seconds(10_800))
        }
    }

    @Test func `are unknown while the server or the node was away`() async throws {
        try await withNode { database, node in
            for second in [0, 7_200, 9_000, 10_800] { try await node.beat(second) }
            try await record(at: 11_000, by: node, in: database)

            let byHour = try await answer(question(node, by: [.hourOfDay]), node)

            // Known for ten minutes after the first heartbeat: a sixth of an hour.
            #expect(
                cells(byHour) == [
                    "12: analysed \(600.0 / 3_600) unknown \(3_000.0 / 3_600)",
                    "13: unknown 1.0", "14: analysed 1.0",
                ])
        }
    }

    @Test(arguments: [
        // In October 02:00 to 03:00 comes twice.
        ("2026-10-24T22:00:00Z", "2026-10-25", 25.0, 2.0),
        // In March it does not come.
        ("2026-03-28T23:00:00Z", "2026-03-29", 23.0, 0.0),
    ])
    func `are as many as the day has when the clocks change`(
        midnight: String, day: String, length: Double, second: Double
    ) async throws {
        try await withNode(from: Timestamp(rfc3339: midnight)) { database, node in
            try await record(at: 30 * 3_600, by: node, in: database)

            let day = try #require(LocalDate(day))
            let next = try #require(
                LocalDate(day.description.dropLast(2) + (length > 24 ? "26" : "30")))
            var question = StatisticsQuestion(
                metric: .coverage, from: .date(day), to: .date(next))
            question.groups = [.day]
            let byDay = try await answer(question, node)
            question.groups = [.hourOfDay]
            let byHour = try await answer(question, node)

            #expect(cells(byDay) == ["\(day): unknown \(length)"])
            let two = try #require(byHour.period.cells.first { $0.keys == ["02"] })
            let three = try #require(byHour.period.cells.first { $0.keys == ["03"] })
            #expect(two.tallies.number(of: .unknownHours) == second)
            #expect(three.tallies.number(of: .unknownHours) == 1)
        }
    }

    // MARK: What is known when

    @Test func `change by what is entered afterwards, but not as known before`() async throws {
        try await withNode { database, node in
            try await threeHours(of: node)
            let before = try await record(at: 11_000, by: node, in: database)

            try await interrupt(node, from: 1_800, to: 4_500, in: database)
            let after = try await record(at: 11_000, by: node, in: database)

            let now = try await answer(question(node), node)
            var asOf = question(node, by: [.hourOfDay])
            asOf.asOf = try await database.query(
                "SELECT recorded_at FROM positions WHERE position = $1", .int64(Int64(before))
            ).time(0, 0)
            let earlier = try await answer(asOf, node)

            #expect(after > before)
            #expect(
                hours(now.period.total) == "analysed 1.5 off_by_order 0.75 blind 0.25 off 0.5")
            #expect(hours(earlier.period.total) == "analysed 2.0 blind 0.5 off 0.5")
            #expect(earlier.position == Int64(before))
            #expect(earlier.period.total.state == .complete)
        }
    }

    @Test func `of an interruption that is ended count what was analysed again`() async throws {
        try await withNode { database, node in
            try await threeHours(of: node)
            try await interrupt(node, from: 0, to: 10_800, in: database)
            try await record(at: 11_000, by: node, in: database)
            let whole = try await answer(question(node), node)

            try await database.query(
                "UPDATE interruptions SET ends_at = $1", .time(node.begin + .seconds(1_800)))
            try await record(at: 11_000, by: node, in: database)
            let half = try await answer(question(node), node)

            #expect(hours(whole.period.total) == "off_by_order 3.0")
            #expect(
                hours(half.period.total) == "analysed 1.5 off_by_order 0.5 blind 0.5 off 0.5")
        }
    }

    @Test func `of a camera that is removed end, and begin with its installation`() async throws {
        try await withNode { database, node in
            try await threeHours(of: node)
            try await record(at: 11_000, by: node, in: database)

            try await database.query(
                "UPDATE cameras SET installed_at = $1, removed_at = $2",
                .time(node.begin + .seconds(900)), .time(node.begin + .seconds(9_000)))
            try await record(at: 11_000, by: node, in: database)

            let shorter = try await answer(question(node), node)
            #expect(hours(shorter.period.total) == "analysed 1.25 blind 0.5 off 0.5")
        }
    }

    @Test func `of an hour are recorded only when its nodes have told of it, or are lost`()
        async throws
    {
        try await withNode { database, node in
            try await node.beat(0)
            try await node.beat(1_800)

            try await record(at: 7_400, by: node, in: database)
            let early = try await answer(question(node, 0..<3_600), node)
            _ = try await node.instance.run { database in
                try await database.reportLostNodes(
                    servingSince: node.begin, at: node.begin + .seconds(7_300))
            }
            try await record(at: 7_400, by: node, in: database)
            let late = try await answer(question(node, 0..<7_200), node)

            #expect(early.period.total.state == .notRecorded)
            #expect(late.period.total.state == .complete)
            // Until ten minutes after the last heartbeat.
            #expect(
                hours(late.period.total)
                    == "analysed \(2_400.0 / 3_600) unknown \(4_800.0 / 3_600)")
        }
    }

    @Test func `wait for a change that is under way when their hour is over`() async throws {
        try await withNode { database, node in
            try await threeHours(of: node)
            try await database.session { connection, _ in
                _ = try await connection.execute([
                    Statement("BEGIN"),
                    Statement(
                        """
                        INSERT INTO interruptions (site, id, ground, starts_at, ends_at, created_at)
                        VALUES ($1, gen_random_uuid(), 'assembly', $2, $3, $2)
                        """, .text(node.site.id.description), .time(node.begin),
                        .time(node.begin + .seconds(10_800))),
                ])
                let at = node.begin + .seconds(11_000)
                let advanced = try await database.number("SELECT advance_coverage($1)", .time(at))
                #expect(advanced == 0)

                _ = try await connection.execute([Statement("COMMIT")])
            }
            try await record(at: 11_000, by: node, in: database)

            let total = try await answer(question(node), node).period.total
            #expect(hours(total) == "off_by_order 3.0")
        }
    }

    // MARK: Dimensions

    @Test func `of a camera that moved count where it was, and add up`() async throws {
        try await withNode { database, node in
            try await threeHours(of: node)
            try await record(at: 11_000, by: node, in: database)
            let other: AreaID = try await node.instance.run { database in
                try await database.createArea(
                    NewArea(site: node.site.id, name: "Neckarwiese", monitored: false),
                    by: ReportingNode.author, at: node.begin
                ).stored().id()
            }
            try await database.query(
                "UPDATE camera_periods SET valid_to = $1", .time(node.begin + .seconds(4_500)))
            try await database.query(
                """
                INSERT INTO camera_periods (site, camera, valid_from, area)
                SELECT site, camera, valid_to, $1 FROM camera_periods
                """, .uuid(other))
            try await record(at: 11_000, by: node, in: database)

            let byArea = try await answer(question(node, by: [.area, .monitored]), node)

            #expect(
                Set(cells(byArea)) == [
                    "\(node.site.area) true: analysed 1.0 blind 0.25",
                    "\(other) false: analysed 1.0 blind 0.25 off 0.5",
                ])
            #expect(hours(byArea.period.total) == "analysed 2.0 blind 0.5 off 0.5")
        }
    }

    @Test func `of a pattern count while it was permitted`() async throws {
        try await withNode { database, node in
            try await database.query(
                "UPDATE pattern_periods SET valid_from = $1 WHERE pattern = 'kicking'",
                .time(node.begin + .seconds(9_000)))
            let camera = DemonstrationSite.key(0)
            for second in [0, 1_800, 3_600, 5_400, 7_200, 9_000, 10_800] {
                try await node.beat(
                    second,
                    [
                        Heartbeat.Entry(camera: camera, pattern: nil, status: .analysing),
                        Heartbeat.Entry(camera: camera, pattern: "hitting", status: .blind),
                    ])
            }
            try await record(at: 11_000, by: node, in: database)
            var asked = question(node, by: [.pattern])
            asked.filters = [(.pattern, ["hitting", "kicking"])]

            let byPattern = try await answer(asked, node)
            let whole = try await answer(question(node), node)

            #expect(cells(byPattern) == ["hitting: blind 3.0", "kicking: analysed 0.5"])
            #expect(hours(byPattern.period.total) == "analysed 0.5 blind 3.0")
            // It is analysed for other patterns.
            #expect(hours(whole.period.total) == "analysed 3.0")
        }
    }

    @Test func `of several models at once count for each, and once in the total`() async throws {
        try await withNode { database, node in
            let other = try await ReportingNode(besides: node, model: "v2")
            for second in [0, 1_800, 3_600, 5_400, 7_200] { try await node.beat(second) }
            for second in [1_800, 3_600] { try await other.beat(second) }
            try await other.beat(5_400, .off)
            try await other.beat(7_200, .off)
            try await record(at: 7_400, by: node, in: database)

            let byModel = try await answer(question(node, 0..<7_200, by: [.model]), node)
            var asked = question(node, 0..<7_200)
            asked.filters = [(.model, ["v2"])]
            let ofOne = try await answer(asked, node)

            #expect(cells(byModel) == ["v1: analysed 2.0", "v2: analysed 1.0"])
            #expect(hours(byModel.period.total) == "analysed 2.0")
            #expect(hours(ofOne.period.total) == "analysed 1.0")
        }
    }

    // MARK: Sums

    @Test(
        arguments: [
            [], [.month], [.month, .area], [.month, .monitored, .camera], [.model],
            [.month, .pattern], [.pattern, .area, .model],
        ] as [[Dimension]])
    func `are the same from sums by month and from rows, now and as known before`(
        groups: [Dimension]
    ) async throws {
        try await withNode { database, node in
            let year = StatisticsQuestion(
                metric: .coverage, from: .date(try #require(LocalDate("2026-01-01"))),
                to: .date(try #require(LocalDate("2027-01-01"))))
            var now = year
            now.groups = groups
            now.comparisons = [.previousFullYear]
            var before = now
            try await threeHours(of: node)
            let known = try await record(at: 11_000, by: node, in: database)
            before.asOf = try await database.query(
                "SELECT recorded_at FROM positions WHERE position = $1", .int64(Int64(known))
            ).time(0, 0)
            let fromRows = cells(try await answer(now, node))
            try await database.rollUpLedger()
            let fromSums = cells(try await answer(now, node))

            try await interrupt(node, from: 1_800, to: 4_500, in: database)
            try await record(at: 11_000, by: node, in: database)
            let changed = try await answer(now, node)
            try await database.rollUpLedger()
            let summed = try await answer(now, node)
            let earlier = try await answer(before, node)

            #expect(fromRows.isEmpty == groups.isEmpty)
            #expect(fromSums == fromRows)
            #expect(cells(summed) == cells(changed))
            #expect(hours(summed.period.total) == hours(changed.period.total))
            #expect(cells(earlier) == fromRows)
            #expect(hours(earlier.period.total) != hours(summed.period.total))
            // They are read: what they say too much, the figures say.
            try await database.query("UPDATE coverage_cells SET amount = amount + 3600")
            let falsified = try await answer(now, node)
            #expect(hours(falsified.period.total) != hours(summed.period.total))
        }
    }

    @Test(arguments: [
        "UPDATE coverage_cells SET amount = amount + 1 WHERE cube = 'base'",
        "DELETE FROM coverage_cells WHERE cube = 'pattern_area'",
        "UPDATE camera_day_cells SET days = set_byte(days, 7, get_byte(days, 7) # 1)",
        "INSERT INTO camera_day_cells SELECT * FROM camera_day_cells",
    ])
    func `that are not the sum of the rows are found`(falsehood: String) async throws {
        try await withNode { database, node in
            try await threeHours(of: node)
            try await record(at: 11_000, by: node, in: database)
            try await database.rollUpLedger()
            try await node.instance.expectAgreement()

            try await database.query(falsehood)

            let differences = try await node.instance.run { try await $0.ledgerDifferences() }
            #expect(!differences.isEmpty)
            #expect(differences.allSatisfy { falsehood.contains($0.kind) })
        }
    }

    // MARK: Cameras by the day

    /// Of three days: one camera all the time, analysed on the first; another from noon of the second
    /// to the morning of the third, analysed on the second.
    private func threeDays(of node: ReportingNode, in database: TestDatabase) async throws {
        let noon = 36 * 3_600
        try await database.query(
            "UPDATE cameras SET installed_at = $1, removed_at = $2 WHERE key = 'camera-1'",
            .time(node.begin + .seconds(noon)), .time(node.begin + .seconds(54 * 3_600)))
        func entry(_ camera: Int, _ status: AnalysisStatus) -> Heartbeat.Entry {
            Heartbeat.Entry(camera: DemonstrationSite.key(camera), pattern: nil, status: status)
        }
        try await node.beat(0, [entry(0, .analysing)])
        try await node.beat(1_800, [entry(0, .off)])
        try await node.beat(noon, [entry(0, .blind), entry(1, .analysing)])
        _ = try await node.instance.run { database in
            try await database.reportLostNodes(
                servingSince: node.begin, at: node.begin + .seconds(72 * 3_600))
        }
        try await record(at: 72 * 3_600 + 200, by: node, in: database)
    }

    private func cameras(_ from: String, _ to: String, by groups: [Dimension] = []) throws
        -> StatisticsQuestion
    {
        var question = StatisticsQuestion(
            metric: .cameras, from: .date(try #require(LocalDate(from))),
            to: .date(try #require(LocalDate(to))))
        question.groups = groups
        return question
    }

    /// Of each measure in its order, such as `2 0 1.5 …`.
    private func numbers(_ cell: StatisticsAnswer.Cell) -> String {
        MetricDefinition.current(of: .cameras).measures.map { measure in
            guard let number = cell.tallies.number(of: measure) else { return "-" }
            return measure.isWhole ? "\(Int64(number))" : "\(number)"
        }.joined(separator: " ")
    }

    private func numbers(of answer: StatisticsAnswer) -> [String] {
        answer.period.cells.map { cell in
            "\(cell.keys.map { $0 ?? "none" }.joined(separator: " ")): \(numbers(cell))"
        }
    }

    private static let midnight = Timestamp(rfc3339: "2026-09-01T22:00:00Z")

    @Test func `of cameras are how many there were on each day, and of which one was analysed`()
        async throws
    {
        try await withNode(from: Self.midnight, cameras: 2) { database, node in
            try await threeDays(of: node, in: database)

            let byDay = try await answer(
                try cameras("2026-09-02", "2026-09-05", by: [.day]), node)
            let byArea = try await answer(
                try cameras("2026-09-03", "2026-09-05", by: [.area, .monitored]), node)
            let byWeekday = try await answer(
                try cameras("2026-09-02", "2026-09-05", by: [.weekday]), node)

            #expect(
                numbers(of: byDay) == [
                    "2026-09-02: 1 1 1.0 1.0 1 1 1 1 1 1",
                    "2026-09-03: 2 1 2.0 1.0 2 2 1 1 2 1",
                    "2026-09-04: 2 0 2.0 0.0 2 2 0 0 2 0",
                ])
            #expect(
                numbers(byDay.period.total)
                    == "2 0 \(5.0 / 3) \(2.0 / 3) 1 2 0 1 5 2")
            #expect(byDay.period.total.state == .complete)
            #expect(
                numbers(of: byArea) == [
                    "\(node.site.area) true: 2 0 2.0 0.5 2 2 0 1 4 1",
                    "\(node.site.area) false: 0 0 0.0 0.0 0 0 0 0 0 0",
                ])
            let thursday = try #require(byWeekday.period.cells.first { $0.keys == ["thu"] })
            #expect(numbers(thursday) == "2 1 2.0 1.0 2 2 1 1 2 1")
        }
    }

    @Test func `of cameras leave out days that are not recorded whole`() async throws {
        try await withNode(from: Self.midnight, cameras: 2) { database, node in
            try await threeDays(of: node, in: database)

            let month = try await answer(
                try cameras("2026-09-01", "2026-10-01", by: [.month]), node)
            try await database.rollUpLedger()
            let summed = try await answer(
                try cameras("2026-09-01", "2026-10-01", by: [.month]), node)
            let later = try await answer(try cameras("2026-09-05", "2026-09-07"), node)

            #expect(month.period.total.state == .partial)
            #expect(numbers(month.period.total) == "2 0 \(5.0 / 3) \(2.0 / 3) 1 2 0 1 5 2")
            #expect(numbers(of: summed) == numbers(of: month))
            #expect(later.period.total.state == .notRecorded)
            #expect(numbers(later.period.total) == "- - - - - - - - 0 0")
        }
    }

    @Test func `of cameras change by what is entered afterwards, but not as known before`()
        async throws
    {
        try await withNode(from: Self.midnight, cameras: 2) { database, node in
            try await threeDays(of: node, in: database)
            let before = try await database.query(
                "SELECT max(recorded_at) FROM positions"
            ).time(0, 0)
            // The first day altogether, and the second camera's second day after noon.
            try await interrupt(node, from: 0, to: 86_400, in: database)
            try await database.query(
                "UPDATE cameras SET removed_at = $1 WHERE key = 'camera-1'",
                .time(node.begin + .seconds(40 * 3_600)))
            try await record(at: 72 * 3_600 + 200, by: node, in: database)

            var question = try cameras("2026-09-02", "2026-09-05", by: [.day])
            let now = try await answer(question, node)
            question.asOf = before
            let earlier = try await answer(question, node)

            #expect(
                numbers(of: now).map { String($0.prefix(15)) } == [
                    "2026-09-02: 1 0", "2026-09-03: 2 1", "2026-09-04: 1 0",
                ])
            #expect(
                numbers(of: earlier).map { String($0.prefix(15)) } == [
                    "2026-09-02: 1 1", "2026-09-03: 2 1", "2026-09-04: 2 0",
                ])
            try await node.instance.expectAgreement()
        }
    }

    @Test func `of a camera that moved count where it was longest that day`() async throws {
        try await withNode(from: Self.midnight) { database, node in
            let other: AreaID = try await node.instance.run { database in
                try await database.createArea(
                    NewArea(site: node.site.id, name: "Neckarwiese", monitored: false),
                    by: ReportingNode.author, at: node.begin
                ).stored().id()
            }
            try await database.query(
                "UPDATE camera_periods SET valid_to = $1", .time(node.begin + .seconds(50_000)))
            try await database.query(
                """
                INSERT INTO camera_periods (site, camera, valid_from, area)
                SELECT site, camera, valid_to, $1 FROM camera_periods
                """, .uuid(other))
            try await record(at: 172_800, by: node, in: database)

            let byArea = try await answer(
                try cameras("2026-09-02", "2026-09-03", by: [.day, .area]), node)
            try await record(at: 2 * 86_400 + 200, by: node, in: database)
            let later = try await answer(
                try cameras("2026-09-02", "2026-09-04", by: [.day, .area]), node)

            #expect(
                numbers(of: byArea) == ["2026-09-02 \(node.site.area): 1 0 1.0 0.0 1 1 0 0 1 0"])
            #expect(
                later.period.cells.compactMap { $0.tallies.number(of: .installedLast) }.reduce(0, +)
                    == 2)
            #expect(numbers(later.period.total) == "1 0 1.0 0.0 1 1 0 0 2 0")
        }
    }

    // MARK: Verifying

    @Test(arguments: [
        "UPDATE camera_day_ledger SET analysed = NOT analysed",
        "UPDATE camera_day_ledger SET position = position + 1",
        "DELETE FROM camera_day_ledger WHERE amount = -1",
    ])
    func `whose days of cameras do not follow from them are found`(falsehood: String) async throws {
        try await withNode { database, node in
            try await threeHours(of: node)
            try await record(at: 11_000, by: node, in: database)
            try await interrupt(node, from: 0, to: 10_800, in: database)
            try await record(at: 11_000, by: node, in: database)
            try await node.instance.expectAgreement()

            try await database.query(falsehood)

            let differences = try await node.instance.run { try await $0.ledgerDifferences() }
            #expect(Set(differences.map(\.kind)) == ["camera_day"])
        }
    }

    @Test func `that the reports do not bear out are found`() async throws {
        try await withNode { database, node in
            try await threeHours(of: node)
            try await record(at: 11_000, by: node, in: database)
            try await interrupt(node, from: 1_800, to: 4_500, in: database)
            try await record(at: 11_000, by: node, in: database)
            try await node.instance.expectAgreement()

            try await database.query(
                """
                UPDATE coverage_ledger SET state = 'analysed'
                WHERE state = 'off' AND patterns IS NULL
                """)

            let differences = try await node.instance.run { try await $0.ledgerDifferences() }
            #expect(Set(differences.map(\.amount)) == [-1_800, 1_800])
            #expect(differences.map(\.kind) == ["coverage", "coverage"])
        }
    }

    @Test func `say the same when what is recorded is due again`() async throws {
        try await withNode { database, node in
            try await threeHours(of: node)
            let first = try await record(at: 11_000, by: node, in: database)
            let rows = try await database.number("SELECT count(*) FROM coverage_ledger")

            try await database.query(
                "SELECT make_coverage_due($1, NULL, '-infinity', 'infinity')",
                .text(node.site.id.description))
            let second = try await record(at: 11_000, by: node, in: database)

            #expect(second == first)
            #expect(try await database.number("SELECT count(*) FROM coverage_ledger") == rows)
            #expect(try await database.number("SELECT count(*) FROM coverage_due") == 0)
        }
    }
}
