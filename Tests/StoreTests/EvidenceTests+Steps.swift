import ControlCentre
import EventLoop
import PostgreSQL
import Synchronization
import TestSupport
import Testing

@testable import Store

/// How detections go that are due.
enum DuePath: CaseIterable, CustomTestStringConvertible {
    /// With their day's partition, which is past every site's period.
    case partition
    /// By rows, as their day has no partition of its own.
    case rows

    var testDescription: String { self == .partition ? "with a partition" : "by rows" }
}

/// Retention in steps, and what holds keep at each of them.
extension `Evidence holds` {
    /// Noon four days ago, so that the minutes around it are of one day.
    private var noon: Timestamp {
        let day: Int64 = 86_400_000_000
        return Timestamp(
            microsecondsSinceEpoch: (now.microsecondsSinceEpoch / day - 4) * day + day / 2) ?? now
    }

    /// Lends a site with so many detections from noon on, a minute apart, all due and counted.
    private func withDue(
        _ number: Int, _ path: DuePath,
        _ body: (TestDatabase, Instance, DemonstrationSite, [IncomingDetection]) async throws ->
            Void
    ) async throws {
        try await withSite { database, instance, site in
            if path == .partition {
                try await database.query(
                    "SELECT ensure_detection_partitions(current_date - 6, current_date)")
            }
            var due: [IncomingDetection] = []
            for minute in 0..<number {
                due.append(
                    try await submit(now - noon - .seconds(60 * minute), site, instance))
            }
            try await database.queryAsRuntime("SELECT count_detections()")
            try await body(database, instance, site, due)
        }
    }

    private func step(_ instance: Instance, loop: Int = 0) async throws -> RetentionStep {
        try await instance.databases[loop].run { database, _ in
            try await database.deleteDue(rowsMax: 2)
        }
    }

    /// Takes steps of two rows until the run under way has gone through so many.
    private func stepTo(_ settled: Int64, _ instance: Instance) async throws {
        while case .done(let run) = try await step(instance) {
            if run?.settled == settled { return }
        }
        Issue.record("no run has got to \(settled)")
    }

    /// Takes steps until all has left detections.
    private func retire(_ database: TestDatabase, _ instance: Instance) async throws {
        while try await count("detections", database) > 0 {
            guard try await step(instance).isMore else { throw NotStored(outcome: "not retired") }
        }
    }

    private func holdAll(
        _ detections: [IncomingDetection], _ site: DemonstrationSite, _ instance: Instance
    ) async throws -> HoldID {
        let ages = detections.map { now - $0.occurredAt }
        return try await hold(
            from: ages.max() ?? .zero, to: (ages.min() ?? .zero) - .seconds(1), site, instance)
    }

    /// What the journal says of each run of retention.
    private func journaled(_ database: TestDatabase) async throws -> [String] {
        let runs = try await database.query(
            """
            SELECT concat_ws(' ', document ->> 'due', document ->> 'due_hash',
                document ->> 'kept_by_hold', document ->> 'deleted', document ->> 'deleted_hash',
                document ->> 'released_copies_deleted', document ->> 'released_copies_hash')
            FROM journal WHERE event = 'retention.completed' ORDER BY change, ordinal
            """)
        return try (0..<runs.rowCount).map { try runs.text($0, 0) }
    }

    private func expected(
        due: [IncomingDetection], deleted: [IncomingDetection], _ database: TestDatabase
    ) async throws -> String {
        "\(due.count) \(try await hash(due, database)) \(due.count - deleted.count) "
            + "\(deleted.count) \(try await hash(deleted, database)) 0"
    }

    // MARK: Holds between steps

    @Test(arguments: DuePath.allCases)
    func `keep what is not deleted yet when they are made between two steps`(path: DuePath)
        async throws
    {
        try await withDue(7, path) { database, instance, site, due in
            try await stepTo(2, instance)
            let kept = due[2...].reversed().map(\.id.description)

            let id = try await holdAll(due, site, instance)

            #expect(try await held(id, instance) == kept)
            while try await step(instance).isMore {
                #expect(try await held(id, instance) == kept)
                let error = await #expect(throws: PostgreSQLError.self) {
                    try await database.query("DELETE FROM held_detections")
                }
                #expect(error?.state == SQLState("23001"))
            }
            #expect(try await held(id, instance) == kept)
            #expect(
                try await journaled(database) == [
                    try await expected(due: due, deleted: Array(due[..<2]), database)
                ])
            #expect(try await count("detections", database) == 0)
            #expect(try await count("retiring_partitions", database) == 0)
            #expect(try await count("detection_keys", database) == 7)
            let complete = try await database.query(
                """
                SELECT concat_ws(' ', complete, complete_from = $1::timestamptz
                    + interval '1 microsecond') FROM evidence_holds
                """, .time(due[1].occurredAt))
            #expect(try complete.text(0, 0) == "f t")
        }
    }

    @Test(arguments: DuePath.allCases)
    func `wait for one step of a long retention, and releases and arrivals for none`(path: DuePath)
        async throws
    {
        try await withDue(6, path) { database, instance, site, due in
            let other = try await hold(from: hour * 10, to: hour * 9, site, instance)
            try await stepTo(2, instance)
            // Nobody has anything locked between two steps.
            #expect(
                try await database.number(
                    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
                        + " AND database = (SELECT oid FROM pg_database"
                        + " WHERE datname = current_database())") == 0)

            let id = try await database.session { connection, _ in
                _ = try await connection.execute([
                    Statement("BEGIN"), Statement("SELECT run_retention(2)"),
                ])
                guard case .done = try await release(other, by: 2, instance) else {
                    throw NotStored(outcome: "not released")
                }
                _ = try await submit(hour, site, instance)
                let making = try await connection.blocking {
                    try await holdAll(due, site, instance)
                }
                _ = try await connection.execute([Statement("COMMIT")])
                return try await making.value
            }

            #expect(try await count("detection_keys", database) == 4)
            #expect(
                try await held(id, instance) == [due[5].id.description, due[4].id.description])
        }
    }

    @Test func `wait for shorter steps where these take long, and for no shorter ones than that`() {
        var pace = RetentionPace()
        func rows(after milliseconds: Int...) -> [Int32] {
            milliseconds.map {
                pace.note(.milliseconds($0))
                return pace.rowsMax
            }
        }

        #expect(pace.rowsMax == 500)
        #expect(rows(after: 250, 100, 90, 90, 90) == [1_000, 2_000, 4_000, 5_000, 5_000])
        #expect(rows(after: 251, 4_000, 900, 90) == [2_500, 1_250, 625, 1_250])
        #expect(rows(after: 251, 251, 251, 251, 251).last == 100)
        #expect(rows(after: 10) == [200])
    }

    // MARK: Crashes and counts

    @Test(arguments: DuePath.allCases)
    func `lose nothing by a step that is broken off, and another instance goes on`(path: DuePath)
        async throws
    {
        try await withDue(6, path) { database, instance, site, due in
            let id = try await hold(
                from: now - due[3].occurredAt, to: now - due[4].occurredAt, site, instance)
            try await stepTo(2, instance)

            try await database.session { connection, _ in
                _ = try await connection.execute([
                    Statement("BEGIN"), Statement("SELECT run_retention(2)"),
                ])
                let keys = Statement("SELECT count(*) FROM detection_keys")
                #expect(try await connection.execute(keys).int64(0, 0) == 4)
                _ = try await connection.execute([Statement("ROLLBACK")])
            }
            #expect(try await count("detection_keys", database) == 2)
            while try await step(instance, loop: 1).isMore {}

            #expect(
                try await journaled(database) == [
                    try await expected(
                        due: due, deleted: due.filter { $0.id != due[3].id }, database)
                ])
            #expect(try await held(id, instance) == [due[3].id.description])
            #expect(try await count("detection_keys", database) == 6)
            #expect(try await count("retention_runs", database) == 0)
            #expect(try await count("retention_steps", database) == 0)
            #expect(
                try await database.number(
                    "SELECT sum(amount)::bigint FROM detection_ledger") == 6)
        }
    }

    @Test func `lose what arrives during a run only by a later one, which counts it before`()
        async throws
    {
        try await withDue(4, .rows) { database, instance, site, due in
            try await stepTo(2, instance)
            let late = site.detection(at: due[3].occurredAt - .seconds(1), receivedAt: now)
            #expect(try await instance.submit(late) == .countedOnly)
            try await database.queryAsRuntime("SELECT count_detections()")

            while try await step(instance).isMore {
                let counted = try await database.number(
                    "SELECT sum(amount)::bigint FROM detection_ledger")
                #expect(try await count("detection_keys", database) <= counted)
            }

            #expect(
                try await journaled(database) == [
                    try await expected(due: due, deleted: due, database),
                    try await expected(due: [late], deleted: [late], database),
                ])
        }
    }

    @Test(arguments: DuePath.allCases)
    func `see nothing deleted while it cannot be counted`(path: DuePath) async throws {
        try await withSite { database, instance, site in
            if path == .partition {
                try await database.query(
                    "SELECT ensure_detection_partitions(current_date - 6, current_date)")
            }
            let due = try await submit(now - noon, site, instance)
            try await database.session { connection, _ in
                // As an instance does that counts for long.
                _ = try await connection.execute([
                    Statement("BEGIN"), Statement("SELECT pg_advisory_xact_lock(7236012)"),
                ])
                while try await step(instance).isMore {}
                #expect(try await count("detection_keys", database) == 0)
                _ = try await connection.execute([Statement("ROLLBACK")])
            }

            while try await step(instance).isMore {}

            #expect(
                try await journaled(database) == [
                    try await expected(due: [due], deleted: [due], database)
                ])
        }
    }

    @Test func `see a run end where its site has come to keep more`() async throws {
        try await withSite { database, instance, site in
            try await database.query("UPDATE sites SET retention_hours = 24")
            var due: [IncomingDetection] = []
            for minute in 0..<4 {
                due.append(
                    try await submit(hour * 26 - .seconds(minute), site, instance))
            }
            try await stepTo(2, instance)

            try await database.query("UPDATE sites SET retention_hours = 72")
            while try await step(instance).isMore {}

            #expect(try await count("detections", database) == 2)
            #expect(
                try await journaled(database) == [
                    try await expected(
                        due: Array(due[..<2]), deleted: Array(due[..<2]), database)
                ])
        }
    }

    // MARK: Copies of released holds

    @Test func `keep what is left of another's copies when they are made between two steps`()
        async throws
    {
        try await withDue(5, .rows) { database, instance, site, due in
            let first = try await holdAll(due, site, instance)
            try await runRetention(instance)
            _ = try await release(first, by: 2, instance)
            try await stepTo(2, instance)

            let second = try await holdAll(due, site, instance)
            while try await step(instance).isMore {
                #expect(try await held(second, instance).count == 3)
            }

            #expect(
                try await held(second, instance) == due[2...].reversed().map(\.id.description))
            let nothing = try await hash([], database)
            let swept = try await hash(Array(due[..<2]), database)
            #expect(
                try await journaled(database) == [
                    try await expected(due: due, deleted: [], database),
                    "0 \(nothing) 0 0 \(nothing) 2 \(swept)",
                ])
        }
    }

    // MARK: What has left detections

    @Test func `are not complete where what lost its content is about to be dropped`()
        async throws
    {
        try await withDue(1, .partition) { database, instance, site, due in
            let bare = site.detection(at: noon + .seconds(600), receivedAt: now)
            #expect(try await instance.submit(bare) == .countedOnly)
            try await retire(database, instance)

            let whole = try await hold(
                from: now - noon - .seconds(300), to: now - noon - .seconds(500), site, instance)
            let part = try await hold(
                from: now - noon - .seconds(300), to: now - noon - .seconds(900), site, instance)

            let complete = try await database.query(
                """
                SELECT complete, complete_from = $3::timestamptz + interval '1 microsecond'
                FROM evidence_holds WHERE id IN ($1, $2) ORDER BY ends_at
                """, .uuid(whole), .uuid(part), .time(bare.occurredAt))
            #expect(try complete.bool(0, 0))
            #expect(try !complete.bool(1, 0) && complete.bool(1, 1))
        }
    }

    @Test func `copy no more at once of what is about to be dropped than of the rest`()
        async throws
    {
        try await withDue(5, .partition) { database, instance, site, due in
            try await retire(database, instance)
            try await database.query(
                """
                INSERT INTO evidence_holds (site, id, camera, starts_at, ends_at, ground,
                    created_at, created_by)
                VALUES ('mannheim', gen_random_uuid(), $1, $2, $3, 'offence', $3,
                    gen_random_uuid())
                """, .uuid(site.cameras[0]), .time(noon), .time(now))

            var copied: [Int] = []
            while copied.last != 0 {
                copied.append(
                    try await database.number("SELECT copy_next(h, 2) FROM evidence_holds h"))
            }

            #expect(copied == [2, 2, 1, 0])
            #expect(try await count("held_detections", database) == due.count)
        }
    }

    @Test func `stay readable when somebody drops by hand what is about to be dropped`()
        async throws
    {
        try await withDue(4, .partition) { database, instance, site, due in
            try await stepTo(2, instance)
            let id = try await holdAll(due, site, instance)
            let partition = try await database.query("SELECT max(name) FROM retiring_partitions")
                .text(0, 0)

            try await database.query("DROP TABLE \(partition) CASCADE")
            let later = try await holdAll(due, site, instance)
            while try await step(instance).isMore {}

            for hold in [id, later] {
                #expect(
                    try await held(hold, instance) == [
                        due[3].id.description, due[2].id.description,
                    ])
            }
            #expect(
                try await journaled(database) == [
                    try await expected(due: Array(due[..<2]), deleted: Array(due[..<2]), database)
                ])
            #expect(try await count("retiring_partitions", database) == 0)
        }
    }

    @Test func `go on with all else while somebody reads a day that is about to be dropped`()
        async throws
    {
        try await withDue(1, .partition) { database, instance, site, due in
            // Before these two days goes another, of which nothing is left.
            let older = try await submit(now - noon + hour * 24, site, instance)
            try await database.queryAsRuntime("SELECT count_detections()")
            while try await count("retiring_partitions", database) == 0 {
                #expect(try await step(instance).isMore)
            }
            let first = try await database.query("SELECT name FROM retiring_partitions")
                .text(0, 0)

            try await database.session { connection, _ in
                _ = try await connection.execute([
                    Statement("BEGIN"), Statement("SELECT FROM \(first)"),
                ])
                while try await step(instance).isMore {}
                #expect(try await count("detection_keys", database) == 2)
                let left = try await database.query(
                    "SELECT string_agg(name, ' ') FROM retiring_partitions")
                #expect(try left.text(0, 0) == first)
                _ = try await connection.execute([Statement("ROLLBACK")])
            }
            while try await step(instance).isMore {}

            #expect(try await count("retiring_partitions", database) == 0)
            #expect(
                try await journaled(database) == [
                    try await expected(due: [older], deleted: [older], database),
                    try await expected(due: due, deleted: due, database),
                ])
        }
    }

    @Test func `see a run announced once, however many steps it takes`() async throws {
        try await withDue(5, .rows) { database, instance, site, due in
            let announced = Atomic<Int>(0)
            let loop = try database.makeLoop()
            let store = await loop.run { loop in
                let pool = Instance.pool(to: database, on: loop, connectionsMax: 1)
                return LoopBound(
                    Database(pool: pool) { announced.add(1, ordering: .relaxed) }, to: loop)
            }

            let steps = try await store.run { store, _ in
                var steps = 0
                while try await store.deleteDue(rowsMax: 2).isMore { steps += 1 }
                return steps
            }

            #expect(steps == 4)
            #expect(announced.load(ordering: .relaxed) == 1)
        }
    }
}
