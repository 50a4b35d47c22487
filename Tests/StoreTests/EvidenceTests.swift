import ControlCentre
import JSON
import PostgreSQL
import TestSupport
import Testing

@testable import Store

@Suite(.timeLimit(.minutes(5))) struct `Evidence holds` {
    let now = Timestamp.now()
    let hour: Duration = .seconds(3_600)

    func withSite(
        _ body: (TestDatabase, Instance, DemonstrationSite) async throws -> Void
    ) async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database, loops: 2)
            try await body(
                database, instance, try await DemonstrationSite(in: instance, cameras: 2))
        }
    }

    /// Hands in a detection that was in time when it happened, so long ago.
    func submit(
        _ age: Duration, camera: Int = 0, pattern: BehaviourPattern = .hitting,
        _ site: DemonstrationSite, _ instance: Instance
    ) async throws -> IncomingDetection {
        let detection = site.detection(camera: camera, pattern: pattern, at: now - age)
        guard case .created = try await instance.submit(detection) else {
            throw NotStored(outcome: "the detection is not new")
        }
        return detection
    }

    func hold(
        from: Duration, to: Duration, camera: Int = 0, _ site: DemonstrationSite,
        _ instance: Instance, by author: Author = DemonstrationSite.observer(1)
    ) async throws -> HoldID {
        let hold = NewHold(
            camera: site.cameras[camera], from: now - from, to: now - to, ground: "offence")
        let outcome = try await instance.run { database in
            try await database.createHold(hold, only: nil, by: author, at: now)
        }
        guard case .created(let stored) = outcome else { throw NotStored(outcome: "\(outcome)") }
        return try stored.id()
    }

    func release(
        _ hold: HoldID, by number: Int, _ instance: Instance
    ) async throws -> HoldReleaseOutcome {
        try await instance.run { database in
            try await database.releaseHold(
                hold, only: nil, reason: "Verfahren beendet",
                by: DemonstrationSite.observer(number, as: .shiftSupervisor), at: now)
        }
    }

    func held(_ hold: HoldID, _ instance: Instance) async throws -> [String] {
        let page = try await instance.run { database in
            try await database.heldDetections(by: hold, only: nil, PageRequest(limit: 100))
        }
        return try #require(page).documents.map { try text($0, "id") }
    }

    func runRetention(_ instance: Instance, loop: Int = 0) async throws {
        try await instance.databases[loop].run { database, _ in
            while try await database.deleteDue().isMore {}
        }
    }

    func count(_ table: String, _ database: TestDatabase) async throws -> Int {
        try await database.number("SELECT count(*) FROM \(table)")
    }

    /// How many detections within a hold, or within all that run, have no copy.
    func uncopied(_ hold: HoldID? = nil, _ database: TestDatabase) async throws -> Int {
        try await database.number(
            """
            SELECT count(*) FROM evidence_holds h
            JOIN detections d ON d.camera = h.camera AND d.occurred_at >= h.starts_at
                AND d.occurred_at < h.ends_at
            WHERE h.released_at IS NULL AND h.id = coalesce($1, h.id) AND NOT EXISTS (
                SELECT FROM held_detections k
                WHERE k.site = d.site AND k.occurred_at = d.occurred_at AND k.id = d.id)
            """, .optional(hold))
    }

    /// The SHA-256 of ids and times as the journal documents it, in hexadecimal digits.
    func hash(_ detections: [IncomingDetection], _ database: TestDatabase) async throws
        -> String
    {
        let bytes = detections.sorted { $0.occurredAt < $1.occurredAt }.map { detection in
            let time = UInt64(bitPattern: detection.occurredAt.microsecondsSinceEpoch)
            let digits = String(time, radix: 16)
            return detection.id.description.replacing("-", with: "")
                + String(repeating: "0", count: 16 - digits.count) + digits
        }
        return try await database.query(
            "SELECT encode(sha256(decode($1, 'hex')), 'hex')", .text(bytes.joined())
        ).text(0, 0)
    }

    // MARK: What is held

    @Test func `copy what their camera saw within their range, and what arrives later`()
        async throws
    {
        try await withSite { database, instance, site in
            let first = try await submit(hour * 10, site, instance)
            _ = try await submit(hour * 10, camera: 1, site, instance)
            _ = try await submit(hour * 8, site, instance)

            let id = try await hold(from: hour * 10, to: hour * 8, site, instance)
            let later = try await submit(hour * 9, site, instance)

            #expect(
                try await held(id, instance) == [later.id.description, first.id.description])
            #expect(try await count("held_detections", database) == 2)
        }
    }

    @Test func `keep whole what is delivered after its retention period, but for another camera`()
        async throws
    {
        try await withSite { database, instance, site in
            let id = try await hold(from: hour * 100, to: hour * 98, site, instance)
            let payload = Array(#"{"track":"7"}"#.utf8)
            func late(_ age: Duration, camera: Int = 0) -> IncomingDetection {
                var detection = site.detection(camera: camera, at: now - age, receivedAt: now)
                detection.payload = payload
                return detection
            }
            let covered = late(hour * 99)
            let outside = [late(hour * 98), late(hour * 99, camera: 1)]

            let first = try await instance.submit([covered] + outside)
            let again = try await instance.submit(covered)
            try await runRetention(instance)
            let afterRetention = try await instance.submit(covered)

            #expect(first == [.created(nil), .countedOnly, .countedOnly])
            #expect((again, afterRetention) == (.duplicate(nil), .duplicate(nil)))
            #expect(try await held(id, instance) == [covered.id.description])
            let kept = try await database.query("SELECT payload::text FROM held_detections")
            #expect(kept.rowCount == 1)
            #expect(try kept.bytes(0, 0) == payload)
            #expect(try await count("detections", database) == 0)
            #expect(try await count("alarms", database) == 0)
        }
    }

    @Test func `stay readable after retention, which journals what it did`() async throws {
        try await withSite { database, instance, site in
            try await database.query(
                "SELECT ensure_detection_partitions(current_date - 6, current_date)")
            let kept = try await submit(hour * 100, site, instance)
            let id = try await hold(from: hour * 101, to: hour * 99, site, instance)
            _ = try await submit(hour * 98, site, instance)
            let fresh = try await submit(hour * 71, site, instance)

            try await runRetention(instance)

            #expect(try await held(id, instance) == [kept.id.description])
            let left = try await database.query("SELECT id::text FROM detections")
            #expect(left.rowCount == 1)
            #expect(try left.text(0, 0) == fresh.id.description)
            #expect(try await count("detection_keys", database) == 2)
            #expect(
                try await database.number(
                    "SELECT sum(amount)::bigint FROM detection_ledger") == 3)
            let sums = try await database.query(
                """
                SELECT sum((document ->> 'due')::int), sum((document ->> 'deleted')::int),
                    sum((document ->> 'kept_by_hold')::int)
                FROM journal WHERE event = 'retention.completed'
                """)
            #expect(try (0..<3).map { try sums.int64(0, $0) } == [2, 1, 1])
            #expect(try await count("alarms", database) == 3)
        }
    }

    @Test func `are journaled by count and hash when they are due, deleted and let go`()
        async throws
    {
        try await withSite { database, instance, site in
            // At noon four days ago, as there is a run for each day.
            let day: Int64 = 86_400_000_000
            let noon = try #require(
                Timestamp(
                    microsecondsSinceEpoch: (now.microsecondsSinceEpoch / day - 4) * day
                        + day / 2))
            let age = now - noon
            let kept = try await submit(age, site, instance)
            let gone = [
                try await submit(age - .seconds(60), site, instance),
                try await submit(age - .seconds(120), site, instance),
            ]
            let id = try await hold(from: age, to: age - .seconds(1), site, instance)
            try await runRetention(instance)
            _ = try await release(id, by: 2, instance)
            try await runRetention(instance)

            let runs = try await database.query(
                """
                SELECT concat_ws(' ', document ->> 'due', document ->> 'due_hash',
                    document ->> 'deleted', document ->> 'deleted_hash',
                    document ->> 'released_copies_deleted', document ->> 'released_copies_hash')
                FROM journal WHERE event = 'retention.completed' ORDER BY change, ordinal
                """)
            let nothing = try await hash([], database)
            #expect(
                try (0..<runs.rowCount).map { try runs.text($0, 0) } == [
                    "3 \(try await hash(gone + [kept], database)) 2 "
                        + "\(try await hash(gone, database)) 0",
                    "0 \(nothing) 0 \(nothing) 1 \(try await hash([kept], database))",
                ])
        }
    }

    @Test func `are known again after deletion, with the same content and with another`()
        async throws
    {
        try await withSite { _, instance, site in
            let sent = try await submit(hour * 100, site, instance)
            try await runRetention(instance)

            var resent = sent
            resent.receivedAt = now
            var other = resent
            other.content = Array("other".utf8)
            let again = try await instance.submit(resent)
            let reused = try await instance.submit(other)

            guard case .duplicate(.some) = again else {
                Issue.record("\(again)")
                return
            }
            #expect(reused == .refused(.idReused))
        }
    }

    @Test func `are known again as their alarm's, which was raised only after them`()
        async throws
    {
        try await withSite { database, instance, site in
            let rule = NewRule(
                site: site.id, pattern: .hitting, confidenceMin: 0.5, detectionsMin: 2,
                detectionsWindow: .seconds(60), quiet: .seconds(30), priority: .medium,
                escalateAfter: nil)
            _ = try await instance.run { database in
                try await database.createRule(rule, by: DemonstrationSite.author, at: now)
            }
            var first = try await submit(hour * 100, site, instance)
            let second = site.detection(at: first.occurredAt + .seconds(1))
            guard case .created(let alarm?) = try await instance.submit(second) else {
                Issue.record("no alarm")
                return
            }
            try await runRetention(instance)
            #expect(try await count("detections", database) == 0)

            first.receivedAt = now
            #expect(try await instance.submit(first) == .duplicate(alarm))
            #expect(
                try await database.number(
                    "SELECT sum(amount)::bigint FROM detection_ledger") == 2)
        }
    }

    @Test func `say from when on they are complete`() async throws {
        try await withSite { database, instance, site in
            _ = try await submit(hour * 100, site, instance)
            try await runRetention(instance)

            let whole = try await hold(from: hour * 60, to: hour * 50, site, instance)
            let part = try await hold(from: hour * 120, to: hour * 50, site, instance)
            let none = try await hold(from: hour * 120, to: hour * 119, site, instance)

            func completeness(_ id: HoldID) async throws -> String {
                try await database.query(
                    """
                    SELECT concat_ws(' ', complete, complete_from = m.deleted_before)
                    FROM evidence_holds JOIN retention_marks m USING (site)
                    WHERE id = '\(id)'
                    """
                ).text(0, 0)
            }
            #expect(try await completeness(whole) == "t f")
            #expect(try await completeness(part) == "f t")
            #expect(try await completeness(none) == "f")
        }
    }

    @Test func `are not complete where a detection came too late and lost its content`()
        async throws
    {
        try await withSite { database, instance, site in
            let bare = site.detection(at: now - hour * 99, receivedAt: now)
            #expect(try await instance.submit(bare) == .countedOnly)

            _ = try await hold(from: hour * 100, to: hour * 98, site, instance)
            _ = try await hold(from: hour * 98, to: hour * 97, site, instance)
            _ = try await hold(from: hour * 100, to: hour * 97, camera: 1, site, instance)

            let complete = try await database.query(
                """
                SELECT concat_ws(' ', complete, complete_from = $1::timestamptz
                    + interval '1 microsecond', complete_from = starts_at)
                FROM evidence_holds ORDER BY starts_at, ends_at
                """, .time(bare.occurredAt))
            #expect(try (0..<3).map { try complete.text($0, 0) } == ["f t f", "t f t", "t f t"])
        }
    }

    @Test func `let a site with a shorter period delete its own rows only`() async throws {
        try await withSite { database, instance, site in
            let other = try await DemonstrationSite(in: instance, named: "hamburg")
            try await database.query(
                "UPDATE sites SET retention_hours = 24 WHERE id = 'hamburg'")
            let mine = try await submit(hour * 30, site, instance)
            _ = try await submit(hour * 30, other, instance)
            let covered = try await submit(hour * 31, other, instance)
            let id = try await hold(from: hour * 32, to: hour * 31 - .seconds(1), other, instance)

            try await runRetention(instance)

            let left = try await database.query("SELECT id::text FROM detections")
            #expect(left.rowCount == 1)
            #expect(try left.text(0, 0) == mine.id.description)
            #expect(try await held(id, instance) == [covered.id.description])
        }
    }

    @Test func `lose what they kept with the next retention after their release`() async throws {
        try await withSite { database, instance, site in
            _ = try await submit(hour * 100, site, instance)
            let both = try await submit(hour * 98, site, instance)
            let first = try await hold(from: hour * 101, to: hour * 97, site, instance)
            let second = try await hold(from: hour * 99, to: hour * 97, site, instance)
            try await runRetention(instance)

            guard case .done = try await release(first, by: 2, instance) else {
                Issue.record("not released")
                return
            }
            try await runRetention(instance)

            #expect(try await held(second, instance) == [both.id.description])
            #expect(try await count("held_detections", database) == 1)
        }
    }

    // MARK: What the database refuses

    @Test(arguments: [
        "DELETE FROM held_detections", "TRUNCATE held_detections",
        "UPDATE held_detections SET confidence = 0", "UPDATE detections SET confidence = 0",
        "TRUNCATE detections", "TRUNCATE detections_default", "DELETE FROM evidence_holds",
        "TRUNCATE evidence_holds", "UPDATE evidence_holds SET ends_at = ends_at + interval '1 h'",
        "UPDATE evidence_holds SET camera = gen_random_uuid()",
        "SET session_replication_role = replica; DELETE FROM held_detections",
        "SET session_replication_role = replica; DELETE FROM evidence_holds",
    ])
    func `are not got round even by the superuser`(change: String) async throws {
        try await withSite { database, instance, site in
            let kept = try await submit(hour * 10, site, instance)
            let id = try await hold(from: hour * 11, to: hour * 9, site, instance)

            let error = await #expect(throws: PostgreSQLError.self) {
                try await database.session { connection, _ in
                    for statement in change.split(separator: ";") {
                        _ = try await connection.execute(Statement(String(statement)))
                    }
                }
            }

            #expect(error?.state == SQLState("23001"), "\(change)")
            #expect(try await held(id, instance) == [kept.id.description])
        }
    }

    @Test(arguments: [
        "DELETE FROM detections", "DELETE FROM held_detections", "TRUNCATE held_detections",
        "UPDATE held_detections SET confidence = 0", "DELETE FROM evidence_holds",
        "UPDATE evidence_holds SET ends_at = now()", "INSERT INTO held_detections DEFAULT VALUES",
        "DELETE FROM detection_keys", "DELETE FROM detection_ledger",
        "UPDATE retention_marks SET deleted_before = now()", "DELETE FROM labels",
    ])
    func `leave the role that the server works as without the right`(change: String) async throws {
        try await TestDatabase.with { database in
            let error = await #expect(throws: PostgreSQLError.self) {
                try await database.queryAsRuntime(change)
            }
            #expect(error?.state == .insufficientPrivilege, "\(change)")
        }
    }

    @Test func `keep a row that was never copied, and copies through a dropped partition`()
        async throws
    {
        try await withSite { database, instance, site in
            try await database.query(
                "SELECT ensure_detection_partitions(current_date - 1, current_date)")
            let kept = try await submit(hour * 1, site, instance)
            let id = try await hold(from: hour * 2, to: .zero, site, instance)
            let partition = try await database.query(
                "SELECT tableoid::regclass::text FROM detections LIMIT 1"
            ).text(0, 0)

            let error = await #expect(throws: PostgreSQLError.self) {
                try await database.query("TRUNCATE \(partition)")
            }
            // Only with its guards off can a copy vanish at all.
            try await database.query("ALTER TABLE held_detections DISABLE TRIGGER guarded")
            try await database.query(
                "WITH gone AS (DELETE FROM held_detections RETURNING *) SELECT count(*) FROM gone")
            let uncopied = await #expect(throws: PostgreSQLError.self) {
                try await database.query("DELETE FROM detections")
            }
            try await database.query("SELECT copy_remaining('detections', NULL, 'infinity')")
            try await database.query("DROP TABLE \(partition) CASCADE")

            #expect(error?.state == SQLState("23001"))
            #expect(uncopied?.state == SQLState("23001"))
            #expect(try await held(id, instance) == [kept.id.description])
            #expect(try await count("detections", database) == 0)
        }
    }

    /// A hold that is made, but not copied yet.
    private func insertHold(
        _ site: DemonstrationSite, _ database: TestDatabase
    ) async throws {
        try await database.query(
            """
            INSERT INTO evidence_holds (site, id, camera, starts_at, ends_at, ground,
                created_at, created_by)
            VALUES ('mannheim', gen_random_uuid(), $1, $2, $3, 'offence', $3, gen_random_uuid())
            """, .uuid(site.cameras[0]), .time(now - hour * 11), .time(now))
    }

    @Test(arguments: ["a partition of its own", "the default partition"])
    func `lose nothing that is not copied yet when somebody drops its table`(place: String)
        async throws
    {
        try await withSite { database, instance, site in
            if place == "a partition of its own" {
                try await database.query(
                    "SELECT ensure_detection_partitions(current_date - 1, current_date)")
            }
            _ = try await submit(hour * 10, site, instance)
            let partition = try await database.query(
                "SELECT tableoid::regclass::text FROM detections LIMIT 1"
            ).text(0, 0)
            try await insertHold(site, database)

            for table in [partition, "detections"] {
                let error = await #expect(throws: PostgreSQLError.self) {
                    try await database.query("DROP TABLE \(table)")
                }
                // Dependent objects still exist.
                #expect(error?.state == SQLState("2BP01"), "\(table)")
            }
            try await runRetention(instance)

            #expect(try await count("held_detections", database) == 1)
        }
    }

    @Test func `copy what somebody has detached by hand`() async throws {
        try await withSite { database, instance, site in
            try await database.query(
                "SELECT ensure_detection_partitions(current_date - 1, current_date)")
            _ = try await submit(hour * 10, site, instance)
            let partition = try await database.query(
                "SELECT tableoid::regclass::text FROM detections LIMIT 1"
            ).text(0, 0)
            try await insertHold(site, database)

            try await database.query("ALTER TABLE detections DETACH PARTITION \(partition)")
            let dropped = await #expect(throws: PostgreSQLError.self) {
                try await database.query("DROP TABLE \(partition)")
            }
            try await runRetention(instance)

            #expect(dropped?.state == SQLState("2BP01"))
            #expect(try await count("held_detections", database) == 1)
        }
    }

    @Test func `keep what they cover of a day that is about to be dropped`() async throws {
        try await withSite { database, instance, site in
            try await database.query(
                "SELECT ensure_detection_partitions(current_date - 6, current_date)")
            let kept = try await submit(hour * 100, site, instance)
            while try await count("detections", database) > 0 {
                #expect(try await instance.run { try await $0.deleteDue().isMore })
            }
            let partition = try await database.query("SELECT max(name) FROM retiring_partitions")
                .text(0, 0)

            let id = try await hold(from: hour * 101, to: hour * 99, site, instance)

            #expect(try await held(id, instance) == [kept.id.description])
            let error = await #expect(throws: PostgreSQLError.self) {
                try await database.query("UPDATE \(partition) SET confidence = 0")
            }
            #expect(error?.state == SQLState("23001"))
            try await runRetention(instance)
            #expect(try await count("retiring_partitions", database) == 0)
            #expect(try await held(id, instance) == [kept.id.description])
        }
    }

    @Test func `are not released by one person where the site wants two`() async throws {
        try await withSite { database, instance, site in
            try await database.query("UPDATE sites SET four_eyes_release = true")
            _ = try await hold(from: hour, to: .zero, site, instance)

            let error = await #expect(throws: PostgreSQLError.self) {
                try await database.queryAsRuntime(
                    """
                    UPDATE evidence_holds SET release_requested_at = now(),
                        release_requested_by = gen_random_uuid(), released_at = now(),
                        released_by = gen_random_uuid()
                    """)
            }

            #expect(error?.state == SQLState("23001"))
        }
    }

    // MARK: At once

    @Test func `let arrivals not wait for what they have to copy`() async throws {
        try await withSite { database, instance, site in
            let first = try await submit(hour * 10, site, instance)

            let (id, second) = try await database.session { connection, _ in
                // The copy's place is taken, so that the copying waits.
                _ = try await connection.execute([
                    Statement("BEGIN"),
                    Statement("INSERT INTO held_detections SELECT * FROM detections"),
                ])
                let making = try await connection.blocking {
                    try await hold(from: hour * 11, to: hour * 9, site, instance)
                }
                let second = try await submit(hour * 10 - .seconds(1), site, instance)
                _ = try await connection.execute([Statement("ROLLBACK")])
                return (try await making.value, second)
            }

            #expect(
                try await held(id, instance) == [second.id.description, first.id.description])
        }
    }

    @Test func `hold all that was stored and all that arrives, as soon as they are made`()
        async throws
    {
        try await withSite { database, instance, site in
            // Too much to be copied at once.
            try await database.query(
                """
                INSERT INTO detections (site, id, occurred_at, received_at, node, camera, pattern,
                    operating_mode, model, confidence, counted_only, late, content_hash, change)
                SELECT 'mannheim', gen_random_uuid(), at, at, gen_random_uuid(), $1, 'kicking',
                    'production', 'v1', 0.9, false, false, '', 0
                FROM generate_series(1, 11000) n
                CROSS JOIN LATERAL (SELECT $2::timestamptz + n * interval '1 second' AS at) t
                """, .uuid(site.cameras[0]), .time(now - hour * 20))

            try await withThrowingTaskGroup { group in
                for camera in 0..<2 {
                    group.addTask {
                        for number in 0..<200 {
                            let age = hour * 10 + .seconds(40 * number)
                            let detection = site.detection(camera: camera, at: now - age)
                            _ = try await instance.submit([detection], lane: camera)
                        }
                    }
                }
                for loop in 0..<2 {
                    group.addTask {
                        for _ in 0..<4 {
                            let new = NewHold(
                                camera: site.cameras[0], from: now - hour * 30, to: now,
                                ground: "offence")
                            let made = try await instance.databases[loop].run { database, _ in
                                try await database.createHold(
                                    new, only: nil, by: DemonstrationSite.observer(1), at: now)
                            }
                            guard case .created(let stored) = made else {
                                throw NotStored(outcome: "\(made)")
                            }
                            #expect(try await uncopied(stored.id(), database) == 0)
                        }
                    }
                }
                try await group.waitForAll()
            }

            #expect(try await uncopied(nil, database) == 0)
            #expect(try await count("held_detections", database) == 11_200)
        }
    }

    @Test func `are copied to their end by retention when nobody else does`() async throws {
        try await withSite { database, instance, site in
            _ = try await submit(hour * 10, site, instance)
            try await insertHold(site, database)
            #expect(try await uncopied(nil, database) == 1)

            try await runRetention(instance)

            #expect(try await uncopied(nil, database) == 0)
            #expect(try await count("detections", database) == 1)
        }
    }

    @Test func `lose nothing that arrives, and nothing to retention, while they are made`()
        async throws
    {
        try await withSite { database, instance, site in
            // One in three is past its period, so that retention has work throughout.
            let ages = (0..<150).map { hour * ($0 % 3 == 0 ? 80 : 20) + .seconds(40 * $0) }
            let id = try await withThrowingTaskGroup(of: HoldID?.self) { group in
                group.addTask {
                    for age in ages { _ = try await submit(age, site, instance) }
                    return nil
                }
                group.addTask {
                    for _ in 0..<20 { try await runRetention(instance, loop: 1) }
                    return nil
                }
                group.addTask {
                    try await hold(from: hour * 40, to: .zero, site, instance)
                }
                return try await group.reduce(nil) { $0 ?? $1 }
            }
            try await runRetention(instance)

            #expect(try await held(try #require(id), instance).count == 100)
            #expect(try await count("detections", database) == 100)
            #expect(try await count("detection_keys", database) == 50)
            let deadlocks = try await database.number(
                "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
            #expect(deadlocks == 0)
        }
    }

    @Test func `keep what is deleted only after they were made`() async throws {
        try await withSite { database, instance, site in
            let kept = try await submit(hour * 80, site, instance)
            try await database.queryAsRuntime("SELECT count_detections()")
            let id = try await database.session { connection, _ in
                // Retention has begun, but not got to the detections.
                _ = try await connection.execute([
                    Statement("BEGIN"), Statement("SELECT pg_advisory_xact_lock(7236003)"),
                ])
                let id = try await hold(from: hour * 81, to: hour * 79, site, instance)
                _ = try await connection.execute([
                    Statement("SELECT run_retention()"), Statement("COMMIT"),
                ])
                return id
            }

            #expect(try await count("detections", database) == 0)
            #expect(try await held(id, instance) == [kept.id.description])
        }
    }

    // MARK: Their handling

    @Test func `take two persons to release where the site wants it`() async throws {
        try await withSite { database, instance, site in
            try await database.query("UPDATE sites SET four_eyes_release = true")
            let maker = DemonstrationSite.observer(1)
            let id = try await hold(from: hour, to: .zero, site, instance, by: maker)

            var outcomes: [String] = []
            for person in [2, 2, 1, 3, 3] {
                let outcome =
                    switch try await release(id, by: person, instance) {
                    case .done(let hold):
                        try text(hold, "release_requested_at").isEmpty
                            ? "none"
                            : try await database.number(
                                "SELECT count(*) FROM evidence_holds WHERE released_at IS NOT NULL")
                                == 1 ? "released" : "requested"
                    case .needsAnother: "needs another"
                    case .alreadyReleased: "already"
                    case .unknown: "unknown"
                    }
                outcomes.append(outcome)
            }

            #expect(
                outcomes == ["requested", "needs another", "needs another", "released", "already"])
            let events = try await database.query(
                "SELECT string_agg(event, ' ' ORDER BY change) FROM journal WHERE event LIKE 'hold.%'"
            )
            #expect(
                try events.text(0, 0) == "hold.created hold.release-requested hold.released")
        }
    }

    @Test func `keep persons out of the journal, and are found by their case`() async throws {
        try await withSite { database, instance, site in
            var hold = NewHold(
                camera: site.cameras[0], from: now - hour, to: now, ground: "offence")
            hold.caseNumber = "K 4711 Mustermann"
            hold.holder = "KHK Muster"
            let new = hold
            let stored = try await instance.run { database in
                try await database.createHold(
                    new, only: site.id, by: DemonstrationSite.observer(1), at: now)
            }
            guard case .created(let document) = stored else {
                Issue.record("\(stored)")
                return
            }
            var filter = HoldFilter()
            filter.caseNumber = "K 4711 Mustermann"
            let byCase = filter
            filter.caseNumber = "K 4712"
            let byAnother = filter

            let found = try await instance.run { database in
                try await database.holds(byCase, PageRequest(limit: 10)).documents.count
            }
            let others = try await instance.run { database in
                try await database.holds(byAnother, PageRequest(limit: 10)).documents.count
            }

            #expect(try text(document.document, "case_number") == "K 4711 Mustermann")
            #expect(try text(document.document, "holder") == "KHK Muster")
            #expect((found, others) == (1, 0))
            #expect(
                try await database.number(
                    "SELECT count(*) FROM journal WHERE document::text LIKE '%Muster%'") == 0)
        }
    }

    @Test func `have a ground that can be erased, unless it is one of their site's`()
        async throws
    {
        try await withSite { database, instance, site in
            let free = try await hold(from: hour, to: .zero, site, instance)
            try await database.query("UPDATE sites SET hold_grounds = '{offence}'")
            let listed = try await hold(from: hour, to: .zero, site, instance)
            func ground(_ id: HoldID) async throws -> String? {
                let stored = try await instance.run { try await $0.hold(id, only: nil) }
                return try JSON.parse(try #require(stored).document)["ground"]?.asString
            }
            var filter = HoldFilter()
            filter.ground = "offence"
            let byGround = filter
            func found() async throws -> Int {
                try await instance.run { database in
                    try await database.holds(byGround, PageRequest(limit: 10)).documents.count
                }
            }

            #expect(try await (ground(free), ground(listed)) == ("offence", "offence"))
            #expect(try await found() == 2)
            #expect(
                try await database.number(
                    "SELECT count(*) FROM journal WHERE document::text LIKE '%offence%'") == 1)
            for id in [free, listed] {
                _ = try await instance.run { database in
                    try await database.erase(
                        .remarks, id.uuid, reason: "Frist", only: nil,
                        by: DemonstrationSite.observer(1, as: .administrator), at: now)
                }
            }

            #expect(try await (ground(free), ground(listed)) == (nil, "offence"))
            #expect(try await found() == 1)
            #expect(
                try await database.number(
                    "SELECT count(*) FROM remarks WHERE text LIKE '%offence%'") == 0)
        }
    }

    @Test func `take the grounds of their site alone, where it names any`() async throws {
        try await withSite { database, instance, site in
            try await database.query("UPDATE sites SET hold_grounds = '{Straftat,Gefahr}'")
            let hold = NewHold(
                camera: site.cameras[0], from: now - hour, to: now, ground: "offence")
            let unknown = NewHold(
                camera: CameraID.make(at: now), from: now - hour, to: now, ground: "Gefahr")

            let refused = try await instance.run { database in
                try await database.createHold(
                    hold, only: nil, by: DemonstrationSite.observer(1), at: now)
            }
            let astray = try await instance.run { database in
                try await database.createHold(
                    unknown, only: nil, by: DemonstrationSite.observer(1), at: now)
            }
            let foreign = try await instance.run { database in
                try await database.createHold(
                    hold, only: SiteID("hamburg"), by: DemonstrationSite.observer(1), at: now)
            }

            guard case .groundNotPermitted(["Straftat", "Gefahr"]) = refused,
                case .unknownCamera = astray, case .unknownCamera = foreign
            else {
                Issue.record("\(refused) \(astray) \(foreign)")
                return
            }
        }
    }
}
