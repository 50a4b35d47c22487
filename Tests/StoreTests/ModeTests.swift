import ControlCentre
import PostgreSQL
import TestSupport
import Testing

@testable import Store

private let hour: Duration = .seconds(3_600)
private let instant: Duration = .microseconds(1)

/// What held at a site when a detection happened, however late it came.
@Suite(.timeLimit(.minutes(5))) struct `A detection is judged by what held when it happened` {
    private let now = Timestamp.now()
    /// When the things of the tests begin: nothing of it is past its retention period.
    private var begin: Timestamp { now - hour * 10 }

    private func withSite(
        cameras: Int = 1, loops: Int = 1,
        _ body: (TestDatabase, Instance, DemonstrationSite) async throws -> Void
    ) async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database, loops: loops)
            try await body(
                database, instance, try await DemonstrationSite(in: instance, cameras: cameras))
        }
    }

    /// Enters a time in which the camera, or the whole site, works in another mode.
    private func enter(
        _ mode: OperatingMode, camera: CameraID? = nil, from: Timestamp, to: Timestamp,
        loop: Int = 0, _ site: DemonstrationSite, _ instance: Instance
    ) async throws -> CreateOutcome {
        let window = NewModeWindow(
            site: site.id, camera: camera, operatingMode: mode, from: from, to: to, note: nil)
        return try await instance.databases[loop].run { database, _ in
            try await database.createModeWindow(window, by: DemonstrationSite.author, at: now)
        }
    }

    private func change(
        _ camera: CameraID, _ instance: Instance, _ set: (inout CameraChange) -> Void
    ) async throws {
        var change = CameraChange()
        set(&change)
        let wanted = change
        _ = try await instance.run { database in
            try await database.changeCamera(
                camera, only: nil, if: .any, to: wanted, by: DemonstrationSite.author, at: now
            ).stored()
        }
    }

    private func change(
        _ site: DemonstrationSite, _ instance: Instance, _ set: (inout SiteChange) -> Void
    ) async throws {
        var change = SiteChange()
        set(&change)
        let wanted = change
        _ = try await instance.run { database in
            try await database.changeSite(
                site.id, only: nil, if: .any, to: wanted, by: DemonstrationSite.author, at: now
            ).stored()
        }
    }

    /// The mode in which a detection of that instant, which arrives now, was taken.
    private func mode(
        at occurredAt: Timestamp, camera: Int = 0, sent: OperatingMode? = nil,
        _ database: TestDatabase, _ instance: Instance, _ site: DemonstrationSite
    ) async throws -> String {
        let detection = site.detection(
            camera: camera, mode: sent, at: occurredAt, receivedAt: now)
        guard case .created = try await instance.submit(detection) else {
            throw NotStored(outcome: "the detection is not new")
        }
        return try await database.query(
            "SELECT operating_mode FROM detections WHERE id = $1", .uuid(detection.id)
        ).text(0, 0)
    }

    // MARK: Modes

    @Test func `first by its camera's window, the site's, itself, its camera, at last the site`()
        async throws
    {
        try await withSite(cameras: 2) { database, instance, site in
            try await change(site.cameras[1], instance) { $0.operatingMode = .exercise }
            _ = try await enter(
                .production, camera: site.cameras[1], from: begin, to: begin + hour, site,
                instance
            ).stored()
            _ = try await enter(.training, from: begin, to: begin + hour * 2, site, instance)
                .stored()

            func mode(_ hours: Double, _ camera: Int, _ sent: OperatingMode?) async throws
                -> String
            {
                try await self.mode(
                    at: begin + hour * hours, camera: camera, sent: sent, database, instance, site)
            }

            #expect(try await mode(0.5, 1, .parallel) == "production")
            #expect(try await mode(0.5, 1, nil) == "production")
            #expect(try await mode(0.5, 0, .parallel) == "training")
            #expect(try await mode(1.5, 1, .parallel) == "training")
            #expect(try await mode(1.5, 0, nil) == "training")
            #expect(try await mode(2.5, 1, .parallel) == "parallel")
            #expect(try await mode(2.5, 0, .parallel) == "parallel")
            #expect(try await mode(2.5, 1, nil) == "exercise")
            #expect(try await mode(2.5, 0, nil) == "production")
        }
    }

    @Test func `a staged scene is training from its first instant until before its end`()
        async throws
    {
        try await withSite { database, instance, site in
            _ = try await enter(
                .training, camera: site.cameras[0], from: begin, to: begin + hour, site, instance
            ).stored()

            func mode(at instant: Timestamp) async throws -> String {
                // Whatever the node says.
                try await self.mode(at: instant, sent: .production, database, instance, site)
            }

            #expect(try await mode(at: begin - instant) == "production")
            #expect(try await mode(at: begin) == "training")
            #expect(try await mode(at: begin + hour - instant) == "training")
            #expect(try await mode(at: begin + hour) == "production")
        }
    }

    @Test func `one that arrives during a window is of the window only if it happened in it`()
        async throws
    {
        try await withSite { database, instance, site in
            _ = try await enter(.exercise, from: now - hour, to: now + hour, site, instance)
                .stored()

            #expect(
                try await mode(at: now - hour * 2, database, instance, site) == "production")
            #expect(try await mode(at: now, database, instance, site) == "exercise")
        }
    }

    @Test func `a window is known that ended long before what came until now`() async throws {
        try await withSite { database, instance, site in
            _ = try await enter(
                .training, from: now - hour * 61, to: now - hour * 60, site, instance
            ).stored()

            // The first makes the lane remember the windows of its time alone.
            #expect(try await mode(at: now, database, instance, site) == "production")
            #expect(
                try await mode(at: now - hour * 60.5, database, instance, site) == "training")
            #expect(try await mode(at: now, database, instance, site) == "production")
        }
    }

    @Test func `a window that was ended before its time holds until then`() async throws {
        try await withSite { database, instance, site in
            let window: ModeWindowID = try await enter(
                .training, from: begin, to: now + hour, site, instance
            ).stored().id()
            #expect(try await mode(at: begin + hour * 2, database, instance, site) == "training")

            let end = begin + hour
            let outcome = try await instance.run { database in
                try await database.endModeWindow(
                    window, only: nil, by: DemonstrationSite.author, at: end)
            }

            guard case .ended = outcome else {
                Issue.record("\(outcome)")
                return
            }
            #expect(try await mode(at: end - instant, database, instance, site) == "training")
            #expect(try await mode(at: end, database, instance, site) == "production")
        }
    }

    @Test func `of two windows at once that overlap one is entered, each time`() async throws {
        try await withSite(cameras: 2, loops: 2) { database, instance, site in
            for number in 0..<20 {
                let start = begin + hour * number
                let camera = number % 2 == 0 ? nil : site.cameras[0]

                async let one = enter(
                    .training, camera: camera, from: start, to: start + hour, site, instance)
                async let other = enter(
                    .exercise, camera: camera, from: start + hour - instant,
                    to: start + hour, loop: 1, site, instance)
                let outcomes = [try await one, try await other]

                var entered = 0
                for outcome in outcomes {
                    switch outcome {
                    case .created: entered += 1
                    case .refused(let refusal): #expect(refusal == .windowOverlaps)
                    }
                }
                #expect(entered == 1)
            }
            #expect(try await database.number("SELECT count(*) FROM mode_windows") == 20)

            // What only touches, and what is of another camera, overlaps nothing.
            for camera in site.cameras {
                _ = try await enter(
                    .training, camera: camera, from: now + hour * 100, to: now + hour * 101, site,
                    instance
                ).stored()
            }
            _ = try await enter(
                .exercise, camera: site.cameras[0], from: now + hour * 101, to: now + hour * 102,
                site, instance
            ).stored()
        }
    }

    // MARK: Permission

    @Test func `a pattern is permitted from its first instant until before its end`()
        async throws
    {
        try await withSite { _, instance, site in
            try await change(site, instance) {
                $0.patterns = [
                    PermittedPattern(
                        pattern: .hitting, legalBasis: nil, validFrom: begin,
                        validTo: begin + hour),
                    PermittedPattern(
                        pattern: .kicking, legalBasis: nil, validFrom: begin + hour),
                ]
            }

            func isPermitted(_ pattern: BehaviourPattern, _ instant: Timestamp) async throws
                -> Bool
            {
                let outcome = try await instance.submit(
                    site.detection(pattern: pattern, at: instant, receivedAt: now))
                switch outcome {
                case .created: return true
                case .refused(.patternNotPermitted): return false
                default: throw NotStored(outcome: "\(outcome)")
                }
            }

            #expect(try await !isPermitted(.hitting, begin - instant))
            #expect(try await isPermitted(.hitting, begin))
            #expect(try await isPermitted(.hitting, begin + hour - instant))
            #expect(try await !isPermitted(.hitting, begin + hour))
            #expect(try await !isPermitted(.kicking, begin + hour - instant))
            #expect(try await isPermitted(.kicking, begin + hour))
            #expect(try await isPermitted(.kicking, now))
        }
    }

    // MARK: Cameras

    @Test func `a camera's detections are taken until before its removal, by id and by key`()
        async throws
    {
        try await withSite { _, instance, site in
            try await change(site.cameras[0], instance) {
                $0.installedAt = begin - hour
                $0.removedAt = begin
            }

            for name in [site.cameras[0].description, DemonstrationSite.key(0)] {
                var before = site.detection(at: begin - instant, receivedAt: now)
                before.camera = name
                var after = site.detection(at: begin, receivedAt: now)
                after.camera = name

                let outcomes = try await instance.submit([before, after])

                guard case .created = outcomes[0] else {
                    Issue.record("\(outcomes)")
                    return
                }
                #expect(outcomes[1] == .refused(.cameraRemoved))
            }
        }
    }

    @Test func `a key names its former bearer until before the removal, then its successor`()
        async throws
    {
        try await withSite { database, instance, site in
            // A successor that takes the key too early is refused.
            var successor = NewCamera(site: site.id, area: site.area, name: "Nachfolgerin")
            successor.key = DemonstrationSite.key(0)
            successor.installedAt = begin
            let wanted = successor
            func create() async throws -> CreateOutcome {
                try await instance.run { database in
                    try await database.createCamera(
                        wanted, by: DemonstrationSite.author, at: now)
                }
            }
            try await change(site.cameras[0], instance) {
                $0.installedAt = begin - hour
                $0.removedAt = begin + instant
            }
            guard case .refused(.keyTaken) = try await create() else {
                Issue.record("two cameras have one key")
                return
            }
            try await change(site.cameras[0], instance) { $0.removedAt = begin }
            let id: CameraID = try await create().stored().id()

            let detections = [begin - hour, begin - instant, begin, now].map { at in
                var detection = site.detection(at: at, receivedAt: now)
                detection.camera = DemonstrationSite.key(0)
                return detection
            }
            _ = try await instance.submit(detections)

            let cameras = try await database.query(
                "SELECT camera::text FROM detections ORDER BY occurred_at")
            let former = site.cameras[0].description
            #expect(
                try (0..<cameras.rowCount).map { try cameras.text($0, 0) }
                    == [former, former, id.description, id.description])
        }
    }

    // MARK: Retention

    @Test func `one past its own site's retention period is counted only`() async throws {
        try await withSite { _, instance, site in
            let other = try await DemonstrationSite(in: instance, named: "hamburg")
            try await change(site, instance) { $0.retentionHours = 24 }
            func submit(_ age: Duration, _ site: DemonstrationSite) async throws -> IngestOutcome {
                try await instance.submit(site.detection(at: now - age, receivedAt: now))
            }

            let outcomes = [
                try await submit(hour * 23, site), try await submit(hour * 24, site),
                try await submit(hour * 25, other), try await submit(hour * 71, other),
            ]

            for outcome in outcomes {
                guard case .created(.some) = outcome else {
                    Issue.record("\(outcomes)")
                    return
                }
            }
            #expect(try await submit(hour * 24 + instant, site) == .countedOnly)
            #expect(try await submit(hour * 25, site) == .countedOnly)
            #expect(try await submit(hour * 73, other) == .countedOnly)
        }
    }

    @Test func `one is taken again as soon as its site's period is longer`() async throws {
        try await withSite { _, instance, site in
            let ages = [hour * 25, hour * 25 + .seconds(1)]
            try await change(site, instance) { $0.retentionHours = 24 }
            let before = try await instance.submit(
                site.detection(at: now - ages[0], receivedAt: now))
            try await change(site, instance) { $0.retentionHours = 26 }
            let after = try await instance.submit(
                site.detection(at: now - ages[1], receivedAt: now))

            #expect(before == .countedOnly)
            guard case .created(.some) = after else {
                Issue.record("\(after)")
                return
            }
        }
    }
}
