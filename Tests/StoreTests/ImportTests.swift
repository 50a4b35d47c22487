import ControlCentre
import Imports
import JSON
import PostgreSQL
import TestSupport
import Testing

@testable import Store

@Suite struct `Importing a history` {
    private struct Scene {
        let database: TestDatabase
        let instance: Instance
        let site: DemonstrationSite

        func take(
            _ text: String, dryRun: Bool = false, partial: Bool = false, linesMax: Int? = nil,
            faultsMax: Int = 100, by author: Author? = DemonstrationSite.author
        ) async throws -> ImportOutcome {
            try await instance.run { database in
                var options = ImportOptions()
                options.isDryRun = dryRun
                options.isPartial = partial
                options.linesMax = linesMax
                options.faultsMax = faultsMax
                return try await database.importHistory(
                    HistoryFile(HistoryFile.Bytes(Array(text.utf8)), format: .csv),
                    into: site.id, options, by: author, at: .now())
            }
        }

        func report(
            _ text: String, dryRun: Bool = false, partial: Bool = false, faultsMax: Int = 100
        ) async throws -> ImportReport {
            let outcome = try await take(
                text, dryRun: dryRun, partial: partial, faultsMax: faultsMax)
            guard case .done(let report) = outcome else {
                throw NotStored(outcome: "\(outcome)")
            }
            return report
        }

        /// Rows of a table.
        func count(_ table: String) async throws -> Int {
            try await database.number("SELECT count(*) FROM \(table)")
        }

        /// The one text that a query gives.
        func text(_ sql: String) async throws -> String {
            try await database.query(sql).text(0, 0)
        }
    }

    private func withSite(_ body: (Scene) async throws -> Void) async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance, cameras: 2)
            try await body(Scene(database: database, instance: instance, site: site))
        }
    }

    private func tally(
        _ incidents: Int, _ interventions: Int, known: Int = 0, refused: Int = 0
    ) -> ImportTally {
        var tally = ImportTally()
        tally.incidents = incidents
        tally.interventions = interventions
        tally.known = known
        tally.refused = refused
        return tally
    }

    private func faults(_ report: ImportReport) -> [String] {
        report.faults.map { "\($0.line) \($0.column ?? "-") \($0.code)" }
    }

    /// The intervention stands before its incident.
    private static let history = """
        kind,key,category,subcategory,occurred_at,recognised_at,pattern,area,cameras,note,incident,immediate,dispatched_at,arrived_at,completed_at
        intervention,I-1,,,,,,,,,E-1,true,2022-06-04T01:23,2022-06-04T01:26:30,2022-06-04T02:00
        incident,E-1,criminal_offence,brawl,2022-06-04T01:20,2022-06-04T01:21,,Alter Messplatz,,Zwei Personen,,,,,
        incident,E-2,hazard_prevention,drunk,2022-01-04T01:20,,,,camera-1,,,,,,
        intervention,I-2,,,,,,,,,E-1,false,2022-06-04T01:30,,

        """

    // MARK: What is taken

    @Test func `takes incidents and interventions, wherever they stand`() async throws {
        try await withSite { scene in
            let report = try await scene.report(Self.history)

            #expect(report.tally == tally(2, 2))
            #expect(report.faults == [])
            #expect(report.id != nil)
            let document = try JSON.parse(
                Array(
                    try await scene.text(
                        """
                        SELECT with_remarks(incident_document(i))::text FROM incidents i
                        WHERE subcategory = 'brawl'
                        """
                    ).utf8))
            // Summer: two hours ahead of UTC.
            #expect(document["occurred_at"] == .string("2022-06-03T23:20:00.000000Z"))
            #expect(document["recognised_at"] == .string("2022-06-03T23:21:00.000000Z"))
            #expect(document["source"] == .string("observer"))
            #expect(document["area"] == .string(scene.site.area.description))
            #expect(document["note"] == .string("Zwei Personen"))
            #expect(document["assessment"] == .string("not_assessable"))
            #expect(document["assessment_reason"] == .string("no_pattern"))
            #expect(document["immediate_intervention"] == .bool(true))
            #expect(document["interventions"]?.asArray?.count == 2)
            #expect(document["first_arrival_at"] == .string("2022-06-03T23:26:30.000000Z"))
            // From recognition at 1:21:00 to arrival at 1:26:30.
            #expect(document["arrival_seconds"] == .integer(330))
            let other = try JSON.parse(
                Array(
                    try await scene.text(
                        """
                        SELECT incident_document(i)::text FROM incidents i
                        WHERE subcategory = 'drunk'
                        """
                    ).utf8))
            // Winter: one hour ahead.
            #expect(other["occurred_at"] == .string("2022-01-04T00:20:00.000000Z"))
            #expect(other["recognised_at"] == .string("2022-01-04T00:20:00.000000Z"))
            // That of the camera.
            #expect(other["area"] == .string(scene.site.area.description))
            #expect(other["cameras"] == .array([.string(scene.site.cameras[1].description)]))
        }
    }

    @Test func `journals each row as it is in the end, at one position, known from now on`()
        async throws
    {
        try await withSite { scene in
            let before = Timestamp.now()
            let positions = try await scene.count("positions")

            _ = try await scene.report(Self.history)

            #expect(try await scene.count("positions") == positions + 1)
            let rows = try await scene.database.query(
                """
                SELECT j.event, j.ordinal, j.document::text = CASE j.event
                        WHEN 'incident.imported' THEN (
                            SELECT incident_document(i)::text FROM incidents i
                            WHERE i.id::text = j.subject)
                        WHEN 'intervention.imported' THEN (
                            SELECT intervention_document(n)::text FROM interventions n
                            WHERE n.id::text = j.subject)
                        ELSE (SELECT import_document(m)::text FROM imports m
                            WHERE m.id::text = j.subject)
                    END, j.actor, j.role, j.request_id, j.occurred_at, p.recorded_at
                FROM journal j JOIN positions p USING (change)
                WHERE p.position = (SELECT max(position) FROM positions)
                ORDER BY j.ordinal
                """)
            let names = try (0..<rows.rowCount).map { row in
                "\(try rows.int32(row, 1)) \(try rows.text(row, 0))"
            }
            #expect(
                names == [
                    "1 import.completed", "3 intervention.imported", "4 incident.imported",
                    "5 incident.imported", "6 intervention.imported",
                ])
            for row in 0..<rows.rowCount {
                #expect(try rows.bool(row, 2))
                #expect(try rows.id(row, 3) == DemonstrationSite.author.token)
                #expect(try rows.text(row, 4) == "observer")
                #expect(try rows.text(row, 5) == "request-0")
                #expect(try rows.time(row, 6) >= before)
                #expect(try rows.time(row, 7) >= before)
            }
            let created = try await scene.database.query(
                "SELECT min(created_at) FROM incidents"
            ).time(0, 0)
            #expect(created >= before)
        }
    }

    @Test func `tells live streams of its completion only`() async throws {
        try await withSite { scene in
            let head = try await scene.instance.run { try await $0.journalHead() }

            _ = try await scene.report(Self.history)

            let (events, newest) = try await scene.instance.run {
                try await $0.events(after: head, site: nil, limit: 100)
            }
            #expect(events.map(\.name) == ["import.completed"])
            #expect(newest.position == head.position + 1)
        }
    }

    // MARK: What comes again

    @Test func `adds nothing for lines that it knows, however they are written`() async throws {
        try await withSite { scene in
            _ = try await scene.report(Self.history)
            let positions = try await scene.count("positions")

            let again = try await scene.report(
                """
                occurred_at,key,category,subcategory,recognitions,area,note
                2022-06-03T23:20:00Z,E-1,criminal_offence,brawl,observer 2022-06-04 01:21:00,Alter Messplatz,Zwei Personen
                """)
            let whole = try await scene.report(Self.history)

            #expect(again.tally == tally(0, 0, known: 1))
            #expect(again.id == nil)
            #expect(whole.tally == tally(0, 0, known: 4))
            #expect(try await scene.count("positions") == positions)
            #expect(try await scene.count("incidents") == 2)
            #expect(try await scene.count("imports") == 1)
        }
    }

    @Test func `counts a line that stands twice once`() async throws {
        try await withSite { scene in
            let report = try await scene.report(
                """
                key,category,occurred_at
                E-1,criminal_offence,2022-06-04T01:20
                E-1,criminal_offence,2022-06-04T01:20
                """)

            #expect(report.tally == tally(1, 0, known: 1))
        }
    }

    @Test func `refuses a key that stands for something else`() async throws {
        try await withSite { scene in
            let first = try await scene.report(Self.history)
            let id = try #require(first.id)

            let report = try await scene.report(
                """
                key,category,occurred_at
                E-1,criminal_offence,2022-06-04T01:21
                E-9,criminal_offence,2022-06-04T01:20
                E-9,hazard_prevention,2022-06-04T01:20
                """)

            #expect(faults(report) == ["2 key key.reused", "4 key key.reused"])
            #expect(
                report.faults.map(\.detail) == [
                    "must be one that stands for nothing else; E-1 was line 3 of the import \(id),"
                        + " with other content",
                    "must be one that stands for nothing else; E-9 was line 3, with other content",
                ])
            #expect(report.tally == tally(1, 0, refused: 2))
            #expect(try await scene.count("incidents") == 2)
        }
    }

    @Test func `keeps of a line with a text nothing that confirms a guess once it is erased`()
        async throws
    {
        try await withSite { scene in
            func line(_ note: String) -> String {
                "key,category,occurred_at,note\nE-1,criminal_offence,2022-06-04T01:20,\(note)\n"
            }
            _ = try await scene.report(line("Herr M."))
            let other = try await scene.report(line("Herr N."))
            #expect(faults(other) == ["2 key key.reused"])
            #expect(try await scene.report(line("Herr M.")).tally == tally(0, 0, known: 1))

            let incident: IncidentID = try await scene.database.query(
                "SELECT id FROM incidents"
            ).id(0, 0)
            _ = try await scene.instance.run { database in
                try await database.erase(
                    .remarks, incident.uuid, reason: "Antrag", only: nil,
                    by: DemonstrationSite.author, at: .now())
            }

            // What the line said is not known any more, only that it was there.
            #expect(try await scene.report(line("Herr N.")).tally == tally(0, 0, known: 1))
            #expect(try await scene.count("incidents") == 1)
        }
    }

    @Test func `salts each line's hash with its text's own salt`() async throws {
        try await withSite { scene in
            _ = try await scene.report(
                """
                key,category,occurred_at,note
                E-1,criminal_offence,2022-06-04T01:20,Herr M.
                E-2,criminal_offence,2022-06-04T01:20,Herr M.
                E-3,criminal_offence,2022-06-04T01:20,
                E-4,criminal_offence,2022-06-04T01:20,
                """)

            #expect(
                try await scene.database.number(
                    "SELECT count(DISTINCT content_hash) FROM imported_rows") == 3)
            #expect(
                try await scene.text(
                    """
                    SELECT string_agg(key, ' ' ORDER BY key) FROM imported_rows
                    WHERE remark IS NULL
                    """) == "E-3 E-4")
        }
    }

    @Test func `takes the interventions of incidents that came before`() async throws {
        try await withSite { scene in
            _ = try await scene.report(Self.history)

            let report = try await scene.report(
                """
                key,incident,immediate,dispatched_at
                I-3,E-2,true,2022-01-04T01:25
                """)

            #expect(report.tally == tally(0, 1))
            let immediate = try await scene.database.number(
                "SELECT immediate_count FROM incidents WHERE subcategory = 'drunk'")
            #expect(immediate == 1)
        }
    }

    @Test func `keeps the keys of two sites apart`() async throws {
        try await withSite { scene in
            let hamburg = try await DemonstrationSite(in: scene.instance, named: "hamburg")
            let other = Scene(
                database: scene.database, instance: scene.instance, site: hamburg)
            _ = try await scene.report(Self.history)

            let report = try await other.report(
                """
                key,category,occurred_at
                E-1,hazard_prevention,2022-06-04T05:00
                """)
            let foreign = try await other.report(
                """
                key,incident,immediate,dispatched_at
                I-9,E-2,true,2022-01-04T01:25
                """)

            #expect(report.tally == tally(1, 0))
            #expect(faults(foreign) == ["2 incident incident.unknown"])
        }
    }

    // MARK: What is refused

    private static let mixed = """
        key,category,occurred_at
        E-1,criminal_offence,2022-06-04T01:20
        E-2,criminal_offence,gestern
        E-3,criminal_offence,2022-06-04T01:20
        """

    @Test func `takes nothing when a line is refused`() async throws {
        try await withSite { scene in
            let report = try await scene.report(Self.mixed)

            #expect(report.isRefused)
            #expect(report.id == nil)
            #expect(report.tally == tally(2, 0, refused: 1))
            #expect(faults(report) == ["3 occurred_at invalid"])
            for table in ["incidents", "recognitions", "imported_rows", "imports"] {
                #expect(try await scene.count(table) == 0)
            }
        }
    }

    @Test func `takes the others when asked to, and the rest when it is mended`() async throws {
        try await withSite { scene in
            let report = try await scene.report(Self.mixed, partial: true)
            let mended = try await scene.report(
                Self.mixed.replacing("gestern", with: "2022-06-05T10:00"))

            #expect(report.tally == tally(2, 0, refused: 1))
            #expect(report.id != nil)
            #expect(mended.tally == tally(1, 0, known: 2))
            #expect(try await scene.count("incidents") == 3)
        }
    }

    @Test func `only tells in a dry run what would come of it`() async throws {
        try await withSite { scene in
            let positions = try await scene.count("positions")

            let good = try await scene.report(Self.history, dryRun: true)
            let bad = try await scene.report(Self.mixed, dryRun: true)

            #expect(good.tally == tally(2, 2))
            #expect(good.id == nil)
            #expect(bad.tally == tally(2, 0, refused: 1))
            for table in ["incidents", "interventions", "imported_rows", "imports", "remarks"] {
                #expect(try await scene.count(table) == 0)
            }
            #expect(try await scene.count("positions") == positions)
        }
    }

    @Test func `refuses local times that the clocks show twice or never`() async throws {
        try await withSite { scene in
            let report = try await scene.report(
                """
                key,category,occurred_at,recognitions
                E-1,criminal_offence,2022-10-30T02:30,
                E-2,criminal_offence,2022-03-27T02:30,
                E-3,criminal_offence,2022-10-30T02:30:00+02:00,
                E-4,criminal_offence,2022-10-30T02:30:00+01:00,
                E-5,criminal_offence,2022-10-30T01:59:59,
                E-6,criminal_offence,2022-10-30T03:00,
                E-7,criminal_offence,2022-03-27T03:00,
                E-8,criminal_offence,2022-10-30T01:59,call 2022-10-30T02:00
                """, partial: true)

            #expect(
                faults(report) == [
                    "2 occurred_at time.ambiguous", "3 occurred_at time.nonexistent",
                    "9 recognised_at time.ambiguous",
                ])
            #expect(
                report.faults.prefix(2).map(\.detail) == [
                    "must have an offset, since 2022-10-30T02:30:00 was there twice in"
                        + " Europe/Berlin, where the clocks were put back:"
                        + " 2022-10-30T02:30:00+02:00 or 2022-10-30T02:30:00+01:00",
                    "must be a time that there was, or have an offset; 2022-03-27T02:30:00 was"
                        + " skipped in Europe/Berlin, where the clocks were put forward:"
                        + " 2022-03-27T02:30:00+01:00 is 2022-03-27T03:30:00+02:00",
                ])
            let times = try await scene.database.query(
                "SELECT i.occurred_at FROM incidents i ORDER BY 1")
            #expect(
                try (0..<times.rowCount).map { try times.time($0, 0).rfc3339 } == [
                    "2022-03-27T01:00:00.000000Z", "2022-10-29T23:59:59.000000Z",
                    "2022-10-30T00:30:00.000000Z", "2022-10-30T01:30:00.000000Z",
                    "2022-10-30T02:00:00.000000Z",
                ])
        }
    }

    @Test func `refuses what the site does not have`() async throws {
        try await withSite { scene in
            _ = try await scene.instance.run { database in
                try await database.createArea(
                    NewArea(site: scene.site.id, name: "Alter Messplatz", monitored: false),
                    by: nil, at: .now())
            }

            let report = try await scene.report(
                """
                key,category,occurred_at,area,cameras
                E-1,criminal_offence,2022-06-04T01:20,Hansaplatz,
                E-2,criminal_offence,2022-06-04T01:20,Alter Messplatz,
                E-3,criminal_offence,2022-06-04T01:20,\(scene.site.area),
                E-4,criminal_offence,2022-06-04T01:20,,camera-0;camera-7
                E-5,criminal_offence,2022-06-04T01:20,,camera-0;camera-0
                """)

            #expect(
                faults(report) == [
                    "2 area area.unknown", "3 area invalid", "5 cameras camera.unknown",
                    "6 cameras duplicate",
                ])
        }
    }

    @Test func `refuses what the domain refuses`() async throws {
        try await withSite { scene in
            let report = try await scene.report(
                """
                kind,key,category,subcategory,occurred_at,recognised_at,outcomes,incident,immediate,dispatched_at,arrived_at,arrival_reason,completed_at
                incident,E-1,criminal_offence,drunk,2022-06-04T01:20,,,,,,,,
                incident,E-2,criminal_offence,,2022-06-04T01:20,2022-06-04T01:19,,,,,,,
                incident,E-3,criminal_offence,,2122-06-04T01:20,,,,,,,,
                incident,E-4,criminal_offence,,2022-06-04T01:20,,none;arrest,,,,,,
                incident,E-5,criminal_offence,,2022-06-04T01:20,,,,,,,,
                intervention,I-1,,,,,,E-5,true,2022-06-04T01:19,,,
                intervention,I-2,,,,,,E-5,true,2022-06-04T01:25,2022-06-04T01:24,,
                intervention,I-3,,,,,,E-5,true,2022-06-04T01:25,2022-06-04T07:25:01,,
                intervention,I-4,,,,,,E-5,true,2022-06-04T01:25,2022-06-04T07:25:01,Stau,
                intervention,I-5,,,,,,E-5,true,2022-06-04T01:25,2022-06-04T01:27,,2022-06-04T01:26
                intervention,I-6,,,,,,E-4,true,2022-06-04T01:25,,,
                """)

            #expect(
                faults(report) == [
                    "2 subcategory incident.subcategory-of-other",
                    "3 recognised_at incident.recognised-before-occurred",
                    "4 occurred_at incident.in-future", "5 outcomes invalid",
                    "7 dispatched_at intervention.dispatched-before-recognised",
                    "8 arrived_at intervention.arrived-before-dispatched",
                    "9 arrival_reason missing", "11 completed_at invalid",
                    "12 incident incident.unknown",
                ])
            #expect(report.tally == tally(1, 1, refused: 9))
        }
    }

    @Test(arguments: [
        ("0001-01-01T00:00", "out-of-range"), ("9999-12-31T23:59", "out-of-range"),
        ("1969-12-31T23:59", "out-of-range"), ("1922-06-04T01:20:00Z", "incident.too-early"),
        ("0001-01-01T00:00:00Z", "incident.too-early"), ("2122-06-04T01:20", "incident.in-future"),
    ])
    func `refuses years of which no figure can be`(time: String, code: String) async throws {
        try await withSite { scene in
            let report = try await scene.report(
                """
                key,category,occurred_at
                E-1,criminal_offence,\(time)
                E-2,criminal_offence,2022-06-04T01:20
                """, partial: true)

            #expect(faults(report) == ["2 occurred_at \(code)"])
            #expect(report.tally == tally(1, 0, refused: 1))
        }
    }

    @Test func `names a bounded number of faults and tells how many more`() async throws {
        try await withSite { scene in
            let lines = (0..<30).map { "E-\($0),criminal_offence,gestern" }
            let text = "key,category,occurred_at\n" + lines.joined(separator: "\n")

            let report = try await scene.report(text, faultsMax: 20)

            #expect(report.faults.count == 20)
            #expect(report.faultsOmitted == 10)
            #expect(report.tally.refused == 30)
        }
    }

    @Test func `takes so many lines and no more`() async throws {
        try await withSite { scene in
            guard case .tooManyLines = try await scene.take(Self.history, linesMax: 3) else {
                Issue.record("four lines were taken for three")
                return
            }
            #expect(try await scene.count("incidents") == 0)
            guard case .done = try await scene.take(Self.history, linesMax: 4) else {
                Issue.record("four lines were too many")
                return
            }
        }
    }

    // MARK: Beside others

    @Test func `runs once at a time for a site`() async throws {
        try await withSite { scene in
            let held = try await scene.database.session { connection, _ in
                try await connection.execute([
                    Statement("BEGIN"),
                    Statement(
                        "SELECT pg_try_advisory_xact_lock(7236010, hashtext($1))",
                        .text(scene.site.id)),
                ])
                let outcome = try await scene.take(Self.history)
                try await connection.execute(Statement("ROLLBACK"))
                return outcome
            }

            guard case .alreadyRunning = held else {
                Issue.record("\(held)")
                return
            }
            #expect(try await scene.report(Self.history).id != nil)
        }
    }

    /// Matters count by whether their area was monitored when they became known.
    @Test(.timeLimit(.minutes(5)), arguments: [true, false])
    func `and a change of an area that it names wait for one another, and both count`(
        isImportFirst: Bool
    ) async throws {
        try await withSite { scene in
            let importing = [
                Statement(
                    """
                    INSERT INTO incidents (site, id, category, occurred_at, recognised_at, source,
                        area, operating_mode, created_at)
                    VALUES ($1, gen_random_uuid(), 'criminal_offence', now(), now(), 'observer',
                        $2, 'production', now())
                    """, .text(scene.site.id), .uuid(scene.site.area)),
                Statement(
                    """
                    INSERT INTO journal (change, ordinal, event, site, subject, occurred_at, document)
                    SELECT currval('changes'), 1, 'incident.created', site, id, now(),
                        incident_document(i) FROM incidents i
                    """),
            ]
            let changing = [
                Statement("UPDATE areas SET monitored = false"),
                Statement(
                    """
                    INSERT INTO journal (change, ordinal, event, site, subject, occurred_at, document)
                    SELECT currval('changes'), 1, 'area.changed', site, id, now(), area_document(a)
                    FROM areas a
                    """),
            ]

            try await scene.database.session { connection, _ in
                _ = try await connection.execute(
                    [Database.begin, Database.nextChange] + (isImportFirst ? importing : changing))
                let second = try await connection.blocking {
                    guard isImportFirst else {
                        #expect(try await scene.report(Self.history).faults == [])
                        return
                    }
                    var change = AreaChange()
                    change.monitored = false
                    let asked = change
                    _ = try await scene.instance.run { database in
                        try await database.changeArea(
                            scene.site.area, only: nil, if: .any, to: asked,
                            by: DemonstrationSite.author, at: .now())
                    }.stored()
                }
                _ = try await connection.execute([Database.appendPosition, Database.commit])
                try await second.value
            }

            let monitored = try await scene.database.query(
                "SELECT DISTINCT monitored FROM incident_ledger WHERE area IS NOT NULL")
            #expect(monitored.rowCount == 1)
            #expect(try monitored.bool(0, 0) == isImportFirst)
            #expect(try await scene.text("SELECT monitored::text FROM areas") == "false")
            #expect(try await scene.count("ledger_differences()") == 0)
        }
    }

    @Test func `leaves rows that the server's role cannot change`() async throws {
        try await withSite { scene in
            _ = try await scene.report(Self.history)
            for table in ["imports", "imported_rows"] {
                for change in ["UPDATE \(table) SET site = site", "DELETE FROM \(table)"] {
                    let error = await #expect(throws: PostgreSQLError.self) {
                        try await scene.database.queryAsRuntime(change)
                    }
                    #expect(error?.state == .insufficientPrivilege)
                }
            }
        }
    }
}
