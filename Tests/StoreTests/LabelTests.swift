import ControlCentre
import JSON
import PostgreSQL
import TestSupport
import Testing

@testable import Store

@Suite(.timeLimit(.minutes(5))) struct `Labels for training` {
    private let now = Timestamp.now()
    private let disclosure = LabelDisclosure(
        recipient: "Fraunhofer IOSB, Dr. Muster", legalBasis: "§ 57 PolG BW")

    private func labels(
        after: EventID = .origin, limit: Int = 50, _ instance: Instance
    ) async throws -> LabelPage {
        try await instance.run { database in
            try await database.discloseLabels(
                after: after, of: nil, limit: limit, disclosure,
                by: DemonstrationSite.observer(9, as: .administrator), at: now)
        }
    }

    private func judge(
        _ alarm: AlarmID, _ step: AlarmStep, by observer: Int = 1, _ instance: Instance
    ) async throws {
        _ = try await instance.run { database in
            try await database.apply(
                step, to: alarm, only: nil, by: DemonstrationSite.observer(observer),
                at: now)
        }
    }

    private func raise(
        _ camera: Int, age: Duration, _ site: DemonstrationSite, _ instance: Instance
    ) async throws -> AlarmID {
        let outcome = try await instance.submit(
            site.detection(camera: camera, confidence: 0.75, at: now - age))
        guard case .created(let alarm?) = outcome else {
            throw NotStored(outcome: "\(outcome)")
        }
        return alarm
    }

    @Test func `carry verdict, reason and detections, and a changed verdict supersedes`()
        async throws
    {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance, cameras: 2)
            let first = try await raise(0, age: .seconds(20), site, instance)
            let second = try await raise(1, age: .seconds(10), site, instance)
            try await judge(first, .confirm(note: "Herr Muster"), instance)
            try await judge(second, .dismiss(.play, note: nil), instance)
            // The same word again makes no label; another does.
            try await judge(first, .confirm(note: "noch einmal"), instance)
            try await judge(first, .dismiss(.sport, note: nil), by: 2, instance)

            let page = try await labels(instance)

            let documents = try page.documents.map { try JSON.parse($0) }
            #expect(
                documents.map { $0["verdict"]?.asString } == [
                    "confirmed", "dismissed", "dismissed",
                ])
            #expect(documents.map { $0["reason"]?.asString } == [nil, "play", "sport"])
            #expect(
                documents.map { $0["subject"]?.asString }
                    == [first, second, first].map(\.description))
            #expect(documents[2]["supersedes"]?.asString == documents[0]["id"]?.asString)
            #expect(documents[0]["supersedes"]?.asString == nil)
            for document in documents {
                #expect(document["detections"]?.asArray?.count == 1)
                #expect(document["detections"]?.asArray?[0]["confidence"]?.asDouble == 0.75)
                #expect(document["model"]?.asString == DemonstrationSite.model)
            }
            let bytes = page.documents.map { String(decoding: $0, as: UTF8.self) }.joined()
            #expect(!bytes.contains("Muster"))
            #expect(!bytes.contains("judged_by"))
            #expect(!bytes.contains(DemonstrationSite.observer(1).token.description))
            #expect(page.next == nil)
        }
    }

    @Test func `have all that their alarm counts, before its raise and ahead of our clock too`()
        async throws
    {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance)
            let rule = NewRule(
                site: site.id, pattern: .hitting, confidenceMin: 0.5, detectionsMin: 3,
                detectionsWindow: .seconds(10), quiet: .seconds(30), priority: .medium,
                escalateAfter: nil)
            _ = try await instance.run { database in
                try await database.createRule(rule, by: DemonstrationSite.author, at: now)
            }
            let begin = now - .seconds(2 * 3_600)
            let counted = [
                site.detection(at: begin), site.detection(at: begin + .seconds(4)),
                // The node's clock is a minute ahead.
                site.detection(at: begin + .seconds(70), receivedAt: begin + .seconds(10)),
            ]
            // Too early for the rule's window, and of another pattern.
            let others = [
                site.detection(at: begin - .seconds(60)),
                site.detection(pattern: .kicking, at: begin + .seconds(5)),
            ]
            _ = try await instance.submit(others)
            var outcomes: [IngestOutcome] = []
            for detection in counted { outcomes.append(try await instance.submit(detection)) }
            guard case .created(let alarm?) = outcomes[2] else {
                Issue.record("\(outcomes)")
                return
            }
            try await judge(alarm, .confirm(note: nil), instance)

            let fresh = try await labels(instance)
            try await database.query("UPDATE sites SET retention_hours = 1")
            try await instance.run { database in while try await database.deleteDue().isMore {} }
            #expect(try await database.number("SELECT count(*) FROM detections") == 0)
            let later = try await labels(instance)

            for page in [fresh, later] {
                let documents = try page.documents.map { try JSON.parse($0) }
                #expect(documents.count == 1)
                let seen = documents.first?["detections"]?.asArray ?? []
                #expect(seen.map { $0["id"]?.asString } == counted.map(\.id.description))
                #expect(seen.map { $0["raised"]?.asBool } == [true, true, true])
            }
            #expect(try await database.number("SELECT count(*) FROM evidence_holds") == 1)
            #expect(try await database.number("SELECT count(*) FROM held_detections") == 3)
        }
    }

    @Test func `are given out only with their pins, whatever is judged meanwhile`() async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance, cameras: 2)
            let first = try await raise(0, age: .seconds(20), site, instance)
            let second = try await raise(1, age: .seconds(10), site, instance)
            try await judge(first, .confirm(note: nil), instance)

            let page = try await database.session { connection, _ in
                // As ingest does while it stores something: the pin waits for it.
                _ = try await connection.execute([
                    Statement("BEGIN"), Statement("LOCK correlation IN ROW EXCLUSIVE MODE"),
                ])
                let giving = try await connection.blocking { try await labels(instance) }
                try await judge(second, .confirm(note: nil), instance)
                _ = try await connection.execute([Statement("ROLLBACK")])
                return try await giving.value
            }
            let rest = try await labels(
                after: try #require(EventID(try text(page.documents[0], "id"))), instance)

            #expect(try page.documents.map { try text($0, "subject") } == [first.description])
            #expect(try rest.documents.map { try text($0, "subject") } == [second.description])
            #expect(try await database.number("SELECT count(*) FROM evidence_holds") == 2)
        }
    }

    @Test func `show nothing that is not pinned for them`() async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance)
            let alarm = try await raise(0, age: .seconds(40), site, instance)
            try await judge(alarm, .confirm(note: nil), instance)
            _ = try await labels(instance)
            // It extends the alarm beyond its pin, where something else holds it.
            let hold = NewHold(
                camera: site.cameras[0], from: now - .seconds(60), to: now, ground: "offence")
            _ = try await instance.run { database in
                try await database.createHold(
                    hold, only: nil, by: DemonstrationSite.observer(1), at: now)
            }
            _ = try await instance.submit(site.detection(at: now - .seconds(20)))
            let label = Statement(
                "SELECT label_document(l, $1, 1000)::text FROM labels l",
                .text(disclosure.legalBasis))

            let shown = try await database.session { connection, _ in
                try await connection.execute(label).bytes(0, 0)
            }
            let pinned = try await labels(instance).documents[0]

            #expect(try JSON.parse(shown)["detections"]?.asArray?.count == 1)
            #expect(try JSON.parse(shown)["complete"]?.asBool == false)
            #expect(try JSON.parse(pinned)["detections"]?.asArray?.count == 2)
            #expect(try JSON.parse(pinned)["complete"]?.asBool == true)
        }
    }

    @Test func `go on by position, and pin their detections once`() async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance, cameras: 3)
            for camera in 0..<3 {
                let alarm = try await raise(camera, age: .seconds(10), site, instance)
                try await judge(alarm, .confirm(note: nil), instance)
            }

            let first = try await labels(limit: 2, instance)
            let again = try await labels(limit: 2, instance)
            let rest = try await labels(after: try #require(first.next), limit: 2, instance)
            let none = try await labels(after: EventID(position: 9_999, ordinal: 0), instance)

            #expect(first.documents == again.documents)
            #expect(
                (first.documents.count, rest.documents.count, none.documents.count) == (2, 1, 0))
            #expect(rest.next == nil)
            #expect(
                try await database.number(
                    """
                    SELECT count(*) FROM evidence_holds
                    WHERE ground = 'training' AND legal_basis = '§ 57 PolG BW'
                    """) == 3)
            #expect(try await database.number("SELECT count(*) FROM held_detections") == 3)
            let disclosed = try await database.query(
                """
                SELECT (j.document ->> 'count')::bigint, r.text
                FROM journal j JOIN remarks r ON r.id = j.remark
                WHERE j.event = 'labels.disclosed' ORDER BY j.change
                """)
            #expect(disclosed.rowCount == 3)
            #expect(try (0..<3).map { try disclosed.int64($0, 0) } == [2, 2, 1])
            #expect(try disclosed.text(0, 1) == disclosure.recipient)
            #expect(
                try await database.number(
                    "SELECT count(*) FROM journal WHERE document::text LIKE '%Muster%'") == 0)
        }
    }

    @Test func `tell of missed matters, and take back what is missed no more`() async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance)
            let rule = NewRule(
                site: site.id, pattern: .hitting, confidenceMin: 0.5, detectionsMin: 1,
                detectionsWindow: .seconds(10), quiet: .seconds(30), priority: .medium,
                escalateAfter: nil)
            _ = try await instance.run { database in
                try await database.createRule(
                    rule, by: DemonstrationSite.author, at: now - .seconds(900))
            }
            try await database.query("UPDATE cameras SET installed_at = '2020-01-01Z'")
            let node = try await ReportingNode(
                of: site, in: instance, from: now - .seconds(700))
            try await node.beat(0)
            // Too unsure to raise an alarm, 30 s before the matter.
            _ = try await instance.submit(
                site.detection(confidence: 0.2, at: now - .seconds(630)))
            var new = NewIncident(category: .criminalOffence)
            new.site = site.id
            new.occurredAt = now - .seconds(600)
            new.pattern = .hitting
            new.cameras = site.cameras
            let matter = new
            _ = try await instance.run { database in
                try await database.createIncident(
                    matter, by: DemonstrationSite.observer(1), at: now)
            }.stored()
            func journal(_ event: String) async throws {
                try await database.session { connection, _ in
                    _ = try await connection.execute([
                        Statement("BEGIN"), Statement("SELECT nextval('changes')"),
                        Statement(
                            """
                            INSERT INTO journal (change, ordinal, event, site, subject,
                                occurred_at, document)
                            SELECT currval('changes'), 1, $1, site, id, now(),
                                incident_document(i)
                            FROM incidents i
                            """, .text(event)),
                        Statement("SELECT append_position(currval('changes'))"),
                        Statement("COMMIT"),
                    ])
                }
            }
            try await journal("incident.changed")
            try await database.query(
                """
                UPDATE incidents SET assessment = 'detected'
                FROM (SELECT nextval('changes')) change
                """)
            try await journal("incident.assessed")
            try await journal("incident.changed")

            let page = try await labels(instance)

            let documents = try page.documents.map { try JSON.parse($0) }
            #expect(documents.map { $0["verdict"]?.asString } == ["missed", "withdrawn"])
            #expect(documents[0]["detections"]?.asArray?.count == 1)
            #expect(documents[0]["model"]?.asString == DemonstrationSite.model)
            #expect(documents[0]["rule_version"]?.asInteger == 1)
            #expect(documents[0]["complete"]?.asBool == true)
            #expect(documents[1]["supersedes"]?.asString == documents[0]["id"]?.asString)
        }
    }

    @Test func `name the models and the rule that missed a matter as its figures do`()
        async throws
    {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance, cameras: 2)
            try await database.query("UPDATE cameras SET installed_at = '2020-01-01Z'")
            let node = try await ReportingNode(of: site, in: instance, from: now - .seconds(700))
            let other = try await ReportingNode(besides: node, model: "v2")
            func entry(_ camera: Int, _ status: AnalysisStatus) -> Heartbeat.Entry {
                Heartbeat.Entry(
                    camera: site.cameras[camera].description, pattern: nil, status: status)
            }
            try await node.beat(0, [entry(0, .analysing)])
            try await other.beat(0, [entry(1, .analysing)])
            func record(_ second: Int) async throws -> IncidentID {
                var new = NewIncident(category: .criminalOffence)
                new.site = site.id
                new.occurredAt = node.begin + .seconds(second)
                new.pattern = .hitting
                new.cameras = site.cameras
                let matter = new
                return try await instance.run { database in
                    try await database.createIncident(
                        matter, by: DemonstrationSite.observer(1), at: now)
                }.stored().id()
            }
            let missed = try await record(100)
            try await node.beat(200, [entry(0, .blind)])
            try await other.beat(200, [entry(1, .blind)])
            let blind = try await record(300)
            // A person may say so all the same; but no model missed it.
            _ = try await instance.run { database in
                try await database.assessIncident(
                    blind, only: nil, as: .missed, reason: "Klar zu sehen",
                    by: DemonstrationSite.observer(1), at: now)
            }.stored()

            let documents = try await labels(instance).documents.map { try JSON.parse($0) }

            #expect(
                documents.map { $0["subject"]?.asString } == [missed, blind].map(\.description))
            #expect(documents.map { $0["verdict"]?.asString } == ["missed", "missed"])
            #expect(documents.map { $0["model"]?.asString } == ["v1, v2", nil])
            let counted = try await database.query(
                """
                SELECT DISTINCT ON (incident) incident::text, coalesce(model, '-') FROM incident_ledger
                WHERE amount = 1 ORDER BY incident, ordinal DESC
                """)
            let models = try Dictionary(
                uniqueKeysWithValues: (0..<counted.rowCount).map {
                    (try counted.text($0, 0), try counted.text($0, 1))
                })
            #expect(models == [missed.description: "v1, v2", blind.description: "-"])
        }
    }
}
