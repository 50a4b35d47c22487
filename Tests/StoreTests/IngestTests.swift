import ControlCentre
import PostgreSQL
import TestSupport
import Testing

@testable import Store

@Suite struct `Ingesting detections` {
    private let now = Timestamp.now()

    private func withSite(
        cameras: Int = 2,
        _ body: (TestDatabase, Instance, DemonstrationSite) async throws -> Void
    ) async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            try await body(
                database, instance, try await DemonstrationSite(in: instance, cameras: cameras))
        }
    }

    // MARK: Outcomes

    @Test func `a new one is created and raises an alarm, sent again it is a duplicate`()
        async throws
    {
        try await withSite { database, instance, site in
            let detection = site.detection(at: now)

            let first = try await instance.submit(detection)
            let second = try await instance.submit(detection)

            guard case .created(let alarm?) = first else {
                Issue.record("\(first)")
                return
            }
            #expect(second == .duplicate(alarm))
            let count = try await database.number(
                "SELECT detection_count FROM alarms WHERE id = $1", .uuid(alarm))
            #expect(count == 1)
            try await expectWhole(database, detections: 1)
        }
    }

    @Test func `below the threshold it is created without an alarm`() async throws {
        try await withSite { database, instance, site in
            let detection = site.detection(confidence: 0.49, at: now)

            let first = try await instance.submit(detection)
            let second = try await instance.submit(detection)

            #expect(first == .created(nil))
            #expect(second == .duplicate(nil))
            try await expectWhole(database, detections: 1)
        }
    }

    @Test func `older than the retention period it is counted only, and its key is kept`()
        async throws
    {
        try await withSite { database, instance, site in
            var detection = site.detection(at: now - .seconds(73 * 3_600), receivedAt: now)
            detection.payload = Array(#"{"track":"7"}"#.utf8)

            let first = try await instance.submit(detection)
            let second = try await instance.submit(detection)

            #expect(first == .countedOnly)
            #expect(second == .duplicate(nil))
            let bare = try await database.number(
                "SELECT count(*) FROM detections WHERE counted_only AND payload IS NULL AND alarm IS NULL"
            )
            let alarms = try await database.number("SELECT count(*) FROM alarms")
            #expect(bare == 1)
            #expect(alarms == 0)
        }
    }

    @Test func `the same id and time with other content is refused`() async throws {
        try await withSite { database, instance, site in
            let detection = site.detection(at: now)
            let otherContent = site.detection(detection.id, confidence: 0.8, at: now)
            let otherCamera = site.detection(detection.id, camera: 1, at: now)
            _ = try await instance.submit(detection)

            let content = try await instance.submit(otherContent)
            let camera = try await instance.submit(otherCamera)

            #expect(content == .refused(.idReused))
            #expect(camera == .refused(.idReused))
            try await expectWhole(database, detections: 1)
        }
    }

    @Test func `the same id at another time is another detection`() async throws {
        try await withSite { database, instance, site in
            let detection = site.detection(at: now)
            let other = site.detection(detection.id, at: now + .seconds(1))

            let outcomes = try await instance.submit([detection, other])

            guard case .created(let alarm?) = outcomes[0] else {
                Issue.record("\(outcomes)")
                return
            }
            #expect(outcomes[1] == .created(alarm))
            try await expectWhole(database, detections: 2)
        }
    }

    @Test func `repeats within one group are stored once`() async throws {
        try await withSite { database, instance, site in
            let detection = site.detection(at: now)
            let reused = site.detection(detection.id, confidence: 0.8, at: now)

            let outcomes = try await instance.submit([detection, detection, reused, detection])

            guard case .created(let alarm?) = outcomes[0] else {
                Issue.record("\(outcomes)")
                return
            }
            #expect(
                outcomes[1...] == [.duplicate(alarm), .refused(.idReused), .duplicate(alarm)])
            try await expectWhole(database, detections: 1)
        }
    }

    @Test func `a resend is a duplicate although its id is reused beside it`() async throws {
        try await withSite { database, instance, site in
            let detection = site.detection(at: now)
            let reused = site.detection(detection.id, confidence: 0.8, at: now)
            let first = try await instance.submit(detection)

            let outcomes = try await instance.submit([reused, detection])

            guard case .created(let alarm) = first else {
                Issue.record("\(first)")
                return
            }
            #expect(outcomes == [.refused(.idReused), .duplicate(alarm)])
            try await expectWhole(database, detections: 1)
        }
    }

    @Test func `a camera named by its id and by its key is the same content`() async throws {
        try await withSite { database, instance, site in
            let byID = site.detection(at: now)
            var byKey = byID
            byKey.camera = DemonstrationSite.key(0)

            let outcomes = try await instance.submit([byKey, byID])
            let later = try await instance.submit([byID, byKey])

            guard case .created(let alarm?) = outcomes[0] else {
                Issue.record("\(outcomes)")
                return
            }
            #expect(outcomes[1] == .duplicate(alarm))
            #expect(later == [.duplicate(alarm), .duplicate(alarm)])
            try await expectWhole(database, detections: 1)
        }
    }

    @Test func `each refusal has its reason and harms no neighbour`() async throws {
        try await withSite { database, instance, site in
            let other = try await DemonstrationSite(in: instance, named: "hamburg")
            var unknown = site.detection(at: now)
            unknown.camera = "nowhere"
            var foreign = site.detection(at: now)
            foreign.camera = other.cameras[0].description
            var noPattern = site.detection(at: now)
            noPattern.pattern = "juggling"
            let ahead = site.detection(at: now + .seconds(301), receivedAt: now)
            let tolerated = site.detection(at: now + .seconds(300), receivedAt: now)

            let outcomes = try await instance.submit([
                unknown, foreign, noPattern, ahead, tolerated, site.detection(at: now),
            ])

            #expect(
                outcomes[..<4] == [
                    .refused(.unknownCamera), .refused(.unknownCamera),
                    .refused(.patternNotPermitted), .refused(.inFuture),
                ])
            for outcome in outcomes[4...] {
                guard case .created = outcome else {
                    Issue.record("\(outcome)")
                    continue
                }
            }
            try await expectWhole(database, detections: 2)
        }
    }

    @Test func `an alarm is received when the detection was that raised it`() async throws {
        try await withSite { database, instance, site in
            // Of one group: the first to arrive did not raise it, nor did the last.
            let raising = site.detection(at: now, receivedAt: now + .seconds(2))
            let outcomes = try await instance.submit([
                site.detection(confidence: 0.1, at: now, receivedAt: now + .seconds(1)),
                site.detection(
                    at: now + .seconds(1), receivedAt: now + .milliseconds(1_500)),
                raising,
            ])

            #expect(outcomes[1] == outcomes[2])
            let alarm = try await database.query("SELECT raised_at, received_at FROM alarms")
            #expect(try alarm.time(0, 0) == now)
            #expect(try alarm.time(0, 1) == raising.receivedAt)
        }
    }

    // MARK: Poison

    private static let poisons = [
        "ALTER TABLE detections ADD CONSTRAINT poison CHECK (confidence <> 0.75)",
        """
        DO $$ BEGIN
            CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS
                'BEGIN RAISE EXCEPTION ''poisoned'' USING ERRCODE = ''22000''; END';
            CREATE TRIGGER poison BEFORE INSERT ON detections
                FOR EACH ROW WHEN (NEW.confidence = 0.75) EXECUTE FUNCTION poison();
        END $$
        """,
    ]

    @Test(arguments: poisons)
    func `one that PostgreSQL cannot store is refused alone, wherever it stands`(
        poison: String
    ) async throws {
        try await withSite { database, instance, site in
            try await database.query(poison)
            for position in 0..<9 {
                let start = now + .seconds(3_600 * position)
                let group = (0..<9).map {
                    site.detection(
                        camera: $0 % 2, confidence: $0 == position ? 0.75 : 0.9,
                        at: start + .seconds($0))
                }

                let outcomes = try await instance.submit(group)

                for (index, outcome) in outcomes.enumerated() {
                    switch outcome {
                    case .refused(.notStorable(let reason)) where index == position:
                        #expect(reason.contains("poison"))
                    case .created(.some) where index != position: break
                    default: Issue.record("culprit \(position), item \(index): \(outcome)")
                    }
                }
                try await expectWhole(database, detections: 8 * (position + 1))
            }
        }
    }

    // MARK: What is remembered

    @Test func `a pattern is taken, and no longer taken, as soon as the site's list has changed`()
        async throws
    {
        try await withSite { _, instance, site in
            func permit(_ patterns: [BehaviourPattern]) async throws {
                // Of another instance, which tells this one nothing.
                var change = SiteChange()
                change.patterns = patterns.map { PermittedPattern(pattern: $0, legalBasis: nil) }
                let (id, wanted) = (site.id, change)
                _ = try await instance.run { database in
                    try await database.changeSite(
                        id, only: nil, if: .any, to: wanted, by: DemonstrationSite.author,
                        at: .now()
                    ).stored()
                }
            }
            let falling = (0..<4).map { site.detection(pattern: .falling, at: now + .seconds($0)) }

            let before = try await instance.submit(falling[0])
            try await permit([.hitting])
            let meanwhile = try await instance.submit(falling[1])
            let again = try await instance.submit(falling[2])
            try await permit([.hitting, .falling])
            let after = try await instance.submit(falling[3])

            #expect(meanwhile == .refused(.patternNotPermitted))
            #expect(again == .refused(.patternNotPermitted))
            guard case (.created, .created) = (before, after) else {
                Issue.record("\(before), \(after)")
                return
            }
        }
    }

    @Test func `a camera stays known when one appears beside it`() async throws {
        try await withSite(cameras: 1) { database, instance, site in
            _ = try await instance.submit(site.detection(at: now))
            let other = try await DemonstrationSite(in: instance, named: "hamburg")

            // One that is remembered and one that is not.
            let outcomes = try await instance.submit([
                site.detection(at: now + .seconds(1)), other.detection(at: now + .seconds(1)),
            ])

            for outcome in outcomes {
                guard case .created = outcome else {
                    Issue.record("\(outcome)")
                    continue
                }
            }
            let models = try await database.number("SELECT count(DISTINCT model) FROM detections")
            #expect(models == 1)
        }
    }

    // MARK: Several instances

    @Test func `what three instances are sent at once is there exactly once, in one alarm`()
        async throws
    {
        try await TestDatabase.with { database in
            var instances: [Instance] = []
            for _ in 0..<3 { instances.append(try await Instance(on: database, loops: 2)) }
            let site = try await DemonstrationSite(in: instances[0])
            let detections = (0..<120).map { site.detection(at: now + .milliseconds($0)) }

            let outcomes = try await withThrowingTaskGroup(
                of: [(Int, IngestOutcome)].self
            ) { group in
                for (number, instance) in instances.enumerated() {
                    for start in stride(from: 0, to: detections.count, by: 10) {
                        // Each instance begins elsewhere and takes another order.
                        let indices = (start..<start + 10).map { index in
                            (number == 1 ? detections.count - 1 - index : index + number * 40)
                                % detections.count
                        }
                        group.addTask {
                            let outcomes = try await instance.submit(
                                indices.map { detections[$0] }, lane: start / 10 % 2)
                            return Array(zip(indices, outcomes))
                        }
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }

            var created: [Int: Int] = [:]
            var alarms: Set<AlarmID?> = []
            for (index, outcome) in outcomes {
                switch outcome {
                case .created(let alarm):
                    created[index, default: 0] += 1
                    alarms.insert(alarm)
                case .duplicate(let alarm): alarms.insert(alarm)
                default: Issue.record("\(outcome)")
                }
            }
            #expect(outcomes.count == 360)
            #expect(created.count == 120 && created.values.allSatisfy { $0 == 1 })
            #expect(alarms.count == 1)
            try await expectWhole(database, detections: 120)
        }
    }
}

/// Expects so many detections, alarms that count just those that name them, and a position for
/// each change: nothing is half-written.
func expectWhole(
    _ database: TestDatabase, detections: Int, sourceLocation: SourceLocation = #_sourceLocation
) async throws {
    let stored = try await database.number("SELECT count(*) FROM detections")
    let miscounted = try await database.number(
        """
        SELECT count(*) FROM alarms a WHERE detection_count
            <> (SELECT count(*) FROM detections d WHERE d.alarm = a.id)
        """)
    let astray = try await database.number(
        "SELECT count(*) FROM detections d WHERE alarm IS NOT NULL AND NOT EXISTS (SELECT FROM alarms a WHERE a.id = d.alarm)"
    )
    let unplaced = try await database.number(
        """
        SELECT count(*) FROM (SELECT change FROM detections UNION SELECT change FROM journal) c
        WHERE NOT EXISTS (SELECT FROM positions p WHERE p.change = c.change)
        """)
    let silent = try await database.number(
        """
        SELECT count(*) FROM alarms a WHERE 1 <> (SELECT count(*) FROM journal j
            WHERE j.subject = a.id::text AND j.event IN ('alarm.raised', 'alarm.late'))
        """)
    #expect(stored == detections, sourceLocation: sourceLocation)
    #expect(miscounted == 0, sourceLocation: sourceLocation)
    #expect(astray == 0, sourceLocation: sourceLocation)
    #expect(unplaced == 0, sourceLocation: sourceLocation)
    #expect(silent == 0, sourceLocation: sourceLocation)
}
