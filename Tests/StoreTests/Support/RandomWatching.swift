import ControlCentre
import PostgreSQL
import TestSupport
import Testing

@testable import Store

/// Watches a site of four cameras, three areas and two nodes at random, in the database and as a
/// recount has it.
struct RandomWatching {
    private(set) var recorded: RecordedWatching
    private var second: Int64 = 0
    private let nodes: [ReportingNode]
    private let site: String

    /// A site that is watched from a local midnight on.
    init(in instance: Instance, _ database: TestDatabase, from begin: Timestamp) async throws {
        let site = try await DemonstrationSite(in: instance, cameras: 4)
        let first = try await ReportingNode(of: site, in: instance, from: begin)
        nodes = [first, try await ReportingNode(besides: first, model: "v2")]
        self.site = site.id.description
        var areas = [(id: site.area, monitored: [(from: Int64.min, is: true)])]
        for (name, monitored) in [("Neckarwiese", false), ("Paradeplatz", true)] {
            let id: AreaID = try await instance.run { database in
                try await database.createArea(
                    NewArea(site: site.id, name: name, monitored: monitored),
                    by: ReportingNode.author, at: begin
                ).stored().id()
            }
            areas.append((id: id, monitored: [(from: Int64.min, is: monitored)]))
        }
        try await database.query("UPDATE cameras SET installed_at = '2020-01-01Z'")
        try await database.query(
            "UPDATE coverage_progress SET since = $1, recorded_until = $1", .time(begin))
        // The other patterns would only make what is slow slower.
        try await database.query(
            "DELETE FROM pattern_periods WHERE pattern <> ALL ($1)",
            .texts(RecordedWatching.patterns))
        recorded = RecordedWatching(
            begin: begin,
            cameras: site.cameras.map { id in
                RecordedWatching.Camera(
                    id: id, installed: Int64.min, removed: nil,
                    places: [(from: Int64.min, area: site.area, isByNight: false)])
            },
            areas: areas,
            nodes: [DemonstrationSite.model, "v2"].map { RecordedWatching.Node(model: $0) },
            permitted: Dictionary(
                uniqueKeysWithValues: RecordedWatching.patterns.map {
                    ($0, [(from: Int64.min, to: Int64.max)])
                }))
    }

    private func instant(_ second: Int64) -> Parameter {
        .time(recorded.begin + .seconds(second))
    }

    private func random(_ range: ClosedRange<Int64>, _ generator: inout SplitMix64) -> Int64 {
        Int64.random(in: range, using: &generator) * RecordedWatching.step
    }

    /// Lets some time pass, in which something happens; returns whether the time is up.
    mutating func step(
        _ database: TestDatabase, until end: Int64, _ generator: inout SplitMix64
    ) async throws -> Bool {
        second += random(1...20, &generator)
        switch Int.random(in: 0..<100, using: &generator) {
        case ..<60: try await beat(&generator)
        case ..<64: second += random(1...150, &generator)
        case ..<72: try await order(database, &generator)
        case ..<76: try await endOrder(database, &generator)
        case ..<84: try await move(database, &generator)
        case ..<89: try await changeArea(database, &generator)
        case ..<93: try await changePattern(database, &generator)
        default: try await changeLife(database, &generator)
        }
        return second >= end
    }

    private mutating func beat(_ generator: inout SplitMix64) async throws {
        let place = Int.random(in: 0..<nodes.count, using: &generator)
        let last = recorded.nodes[place].beats.last?.statuses ?? [:]
        var statuses: [RecordedWatching.Subject: AnalysisStatus] = [:]
        for camera in recorded.cameras where camera.isThere(at: second) {
            for pattern in RecordedWatching.patterns {
                let subject = RecordedWatching.Subject(camera: camera.id, pattern: pattern)
                switch Int.random(in: 0..<12, using: &generator) {
                case 0: statuses[subject] = nil
                case 1: statuses[subject] = .off
                case 2: statuses[subject] = .blind
                case 3...5: statuses[subject] = .analysing
                default: statuses[subject] = last[subject]
                }
            }
        }
        let entries = statuses.map { subject, status in
            Heartbeat.Entry(
                camera: subject.camera.description, pattern: subject.pattern, status: status)
        }
        let receipt = try await nodes[place].beat(Int(second), entries)
        #expect(receipt.refused.isEmpty)
        recorded.nodes[place].beats.append(
            RecordedWatching.Beat(second: second, statuses: statuses))
    }

    /// Of times that are over already, too.
    private mutating func order(_ database: TestDatabase, _ generator: inout SplitMix64)
        async throws
    {
        let from = second + random(-1_000...100, &generator)
        let isOpen = Int.random(in: 0..<8, using: &generator) == 0
        var order = RecordedWatching.Order(
            id: InterruptionID(UUID(high: 9, low: UInt64(recorded.orders.count))), from: from,
            to: isOpen ? nil : from + random(1...600, &generator))
        switch Int.random(in: 0..<5, using: &generator) {
        case ..<3: order.camera = recorded.cameras.randomElement(using: &generator)?.id
        case 3: order.area = recorded.areas.randomElement(using: &generator)?.id
        default: break
        }
        try await database.query(
            """
            INSERT INTO interruptions (site, id, camera, area, ground, starts_at, ends_at,
                created_at)
            VALUES ($1, $2, $3, $4, 'assembly', $5, $6, $5)
            """, .text(site), .uuid(order.id), .optional(order.camera), .optional(order.area),
            instant(order.from), order.to.map { instant($0) } ?? .time(nil))
        recorded.orders.append(order)
    }

    private mutating func endOrder(_ database: TestDatabase, _ generator: inout SplitMix64)
        async throws
    {
        guard let place = recorded.orders.indices.randomElement(using: &generator) else { return }
        let order = recorded.orders[place]
        let to = min(order.to ?? .max, max(order.from, second - random(0...300, &generator)))
        guard to != order.to else { return }
        try await database.query(
            "UPDATE interruptions SET ends_at = $2 WHERE id = $1", .uuid(order.id), instant(to))
        recorded.orders[place].to = to
    }

    /// Since a while ago, as a change is whose transaction took long.
    private func changed(since last: Int64, _ generator: inout SplitMix64) -> Int64? {
        let from = second - random(0...60, &generator)
        return from > last ? from : nil
    }

    private mutating func move(_ database: TestDatabase, _ generator: inout SplitMix64)
        async throws
    {
        let place = Int.random(in: 0..<recorded.cameras.count, using: &generator)
        let camera = recorded.cameras[place]
        guard let last = camera.places.last, let from = changed(since: last.from, &generator),
            let area = recorded.areas.randomElement(using: &generator)?.id
        else { return }
        let isByNight = Int.random(in: 0..<3, using: &generator) == 0
        let hours =
            #"[{"days":["mon","tue","wed","thu","fri","sat","sun"],"from":"20:00","to":"06:00"}]"#
        try await database.query(
            "UPDATE camera_periods SET valid_to = $2 WHERE camera = $1 AND valid_to IS NULL",
            .uuid(camera.id), instant(from))
        try await database.query(
            """
            INSERT INTO camera_periods (site, camera, valid_from, area, operating_hours)
            VALUES ($1, $2, $3, $4, $5::text::json)
            """, .text(site), .uuid(camera.id), instant(from), .uuid(area),
            .text(isByNight ? hours : nil))
        recorded.cameras[place].places.append((from: from, area: area, isByNight: isByNight))
    }

    private mutating func changeArea(_ database: TestDatabase, _ generator: inout SplitMix64)
        async throws
    {
        let place = Int.random(in: 0..<recorded.areas.count, using: &generator)
        let area = recorded.areas[place]
        guard let last = area.monitored.last, let from = changed(since: last.from, &generator)
        else { return }
        try await database.query(
            "UPDATE area_periods SET valid_to = $2 WHERE area = $1 AND valid_to IS NULL",
            .uuid(area.id), instant(from))
        try await database.query(
            """
            INSERT INTO area_periods (site, area, valid_from, monitored)
            VALUES ($1, $2, $3, $4)
            """, .text(site), .uuid(area.id), instant(from), .bool(!last.is))
        recorded.areas[place].monitored.append((from: from, is: !last.is))
    }

    /// Takes a pattern from the list, or puts it there with a window in which it is valid.
    private mutating func changePattern(_ database: TestDatabase, _ generator: inout SplitMix64)
        async throws
    {
        let pattern = RecordedWatching.patterns[1]
        let last = recorded.permitted[pattern]?.last?.from ?? .min
        guard let from = changed(since: last, &generator) else { return }
        try await database.query(
            """
            UPDATE pattern_periods SET listed_to = $2
            WHERE pattern = $1 AND listed_to IS NULL
            """, .text(pattern), instant(from))
        let validFrom = from + random(-100...200, &generator)
        let validTo = validFrom + random(1...1_500, &generator)
        try await database.query(
            """
            INSERT INTO pattern_periods (site, pattern, listed_from, valid_from, valid_to)
            VALUES ($1, $2, $3, $4, $5)
            """, .text(site), .text(pattern), instant(from), instant(validFrom),
            instant(validTo))
        let before = (recorded.permitted[pattern] ?? []).map {
            (from: $0.from, to: min($0.to, from))
        }
        recorded.permitted[pattern] = before + [(from: max(from, validFrom), to: validTo)]
    }

    /// Says that a camera was installed or removed at another time than was known.
    private mutating func changeLife(_ database: TestDatabase, _ generator: inout SplitMix64)
        async throws
    {
        let place = Int.random(in: 0..<recorded.cameras.count, using: &generator)
        var camera = recorded.cameras[place]
        if Bool.random(using: &generator) {
            camera.installed = second - random(0...900, &generator)
        } else if camera.removed == nil {
            camera.removed = second - random(0...900, &generator)
        } else {
            camera.removed = nil
        }
        guard camera.installed < camera.removed ?? .max else { return }
        try await database.query(
            "UPDATE cameras SET installed_at = coalesce($2, installed_at), removed_at = $3 WHERE id = $1",
            .uuid(camera.id),
            camera.installed == .min ? .time(nil) : instant(camera.installed),
            camera.removed.map { instant($0) } ?? .time(nil))
        recorded.cameras[place] = camera
    }

    /// Records what is due; returns the position after it.
    mutating func record(_ instance: Instance, _ database: TestDatabase) async throws -> Int64 {
        let (begin, now) = (recorded.begin, recorded.begin + .seconds(second))
        _ = try await instance.run { database in
            try await database.reportLostNodes(servingSince: begin, at: now)
        }
        try await database.query("SELECT advance_coverage($1)", .time(now))
        while try await database.query("SELECT record_coverage()").bool(0, 0) {}
        let until = try await database.query(
            "SELECT coalesce(max(recorded_until), $1) FROM coverage_recordings", .time(begin)
        ).time(0, 0)
        recorded.recordedUntil = (until - begin).components.seconds
        return try await instance.run { try await $0.journalHead() }.position
    }
}
