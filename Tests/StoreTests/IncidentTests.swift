import ControlCentre
import JSON
import PostgreSQL
import TestSupport
import Testing

@testable import Store

@Suite struct `Recording incidents` {
    /// Late enough in the past for all that follows it to be past too.
    private let occurred = Timestamp.now() - .seconds(600)
    private let author = DemonstrationSite.observer(1)

    private func withSite(
        cameras: Int = 2, _ body: (TestDatabase, Instance, DemonstrationSite) async throws -> Void
    ) async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database, loops: 2)
            let site = try await DemonstrationSite(in: instance, cameras: cameras)
            try await body(database, instance, site)
        }
    }

    private func raise(
        _ camera: Int, of site: DemonstrationSite, at instant: Timestamp,
        receivedAt: Timestamp? = nil, in instance: Instance
    ) async throws -> AlarmID {
        let outcome = try await instance.submit(
            site.detection(camera: camera, at: instant, receivedAt: receivedAt))
        guard case .created(let alarm?) = outcome else { throw NotStored(outcome: "\(outcome)") }
        return alarm
    }

    private func new(_ site: DemonstrationSite) -> NewIncident {
        var new = NewIncident(category: .criminalOffence)
        new.site = site.id
        new.occurredAt = occurred
        return new
    }

    private func record(_ new: NewIncident, in instance: Instance, loop: Int = 0)
        async throws -> IncidentResult
    {
        try await instance.databases[loop].run { database, _ in
            try await database.createIncident(new, by: author, at: .now())
        }
    }

    private func change(
        _ id: IncidentID, to change: IncidentChange, if precondition: Precondition = .any,
        in instance: Instance, loop: Int = 0
    ) async throws -> IncidentResult {
        try await instance.databases[loop].run { database, _ in
            try await database.changeIncident(
                id, only: nil, if: precondition, to: change, reason: "Nachgetragen", by: author,
                at: .now())
        }
    }

    // MARK: Recognition

    @Test func `an incident that nobody else saw was seen by an observer as it happened`()
        async throws
    {
        try await withSite { database, instance, site in
            let stored = try await record(new(site), in: instance).stored()

            #expect(try text(stored.document, "source") == "observer")
            #expect(try text(stored.document, "recognised_at") == occurred.rfc3339)
            let rows = try await database.query(
                "SELECT event, actor, document ->> 'id' FROM journal WHERE event LIKE 'incident.%'")
            #expect(rows.rowCount == 1)
            #expect(try rows.text(0, 0) == "incident.created")
            #expect(try rows.id(0, 1) == author.token)
            #expect(try rows.text(0, 2) == text(stored.document, "id"))
        }
    }

    @Test func `the earliest recognition counts, and all are kept`() async throws {
        try await withSite { _, instance, site in
            let alarm = try await raise(
                0, of: site, at: occurred, receivedAt: occurred + .seconds(5), in: instance)
            var new = new(site)
            new.alarms = [alarm]
            new.recognitions = [
                NamedRecognition(kind: .observer, at: occurred + .seconds(9), alarm: nil),
                NamedRecognition(kind: .call, at: occurred + .seconds(3), alarm: nil),
            ]

            let reported = try await record(new, in: instance).stored()

            #expect(try text(reported.document, "source") == "reported")
            #expect(
                try text(reported.document, "recognised_at") == (occurred + .seconds(3)).rfc3339)
            #expect(try recognitions(reported) == ["call", "alarm", "observer"])

            var withoutCall = IncidentChange()
            withoutCall.recognitions = [new.recognitions[0]]
            let id: IncidentID = try reported.id()
            let automatic = try await change(id, to: withoutCall, in: instance).stored()

            #expect(try text(automatic.document, "source") == "automatic")
            #expect(
                try text(automatic.document, "recognised_at") == (occurred + .seconds(5)).rfc3339)
            #expect(try recognitions(automatic) == ["alarm", "observer"])
        }
    }

    private func recognitions(_ stored: Stored) throws -> [String] {
        try #require(try JSON.parse(stored.document)["recognitions"]?.asArray)
            .compactMap { $0["kind"]?.asString }
    }

    @Test func `a recognition that is withdrawn is not removed`() async throws {
        try await withSite { database, instance, site in
            var new = new(site)
            new.recognisedAt = occurred + .seconds(10)
            let id: IncidentID = try await record(new, in: instance).stored().id()
            var moved = IncidentChange()
            moved.recognisedAt = occurred + .seconds(20)

            let stored = try await change(id, to: moved, in: instance).stored()

            #expect(try text(stored.document, "recognised_at") == (occurred + .seconds(20)).rfc3339)
            let kept = try await database.number("SELECT count(*) FROM recognitions")
            let current = try await database.number(
                "SELECT count(*) FROM recognitions WHERE withdrawn_at IS NULL")
            #expect((kept, current) == (2, 1))
        }
    }

    // MARK: Alarms

    @Test func `an alarm belongs to one incident until that is retracted`() async throws {
        try await withSite { _, instance, site in
            let alarm = try await raise(0, of: site, at: occurred, in: instance)
            var new = new(site)
            new.alarms = [alarm]
            let first: IncidentID = try await record(new, in: instance).stored().id()

            guard case .refused(let obstacle, _) = try await record(new, in: instance) else {
                Issue.record("a second incident took the alarm")
                return
            }
            #expect(obstacle == .alarmTaken(alarm, by: first))

            let supervisor = DemonstrationSite.observer(0, as: .shiftSupervisor)
            let retracted = try await instance.run { database in
                try await database.retractIncident(
                    first, only: nil, reason: "Doppelt", by: supervisor, at: .now())
            }
            #expect(try text(retracted.stored().document, "retracted_at").isEmpty == false)
            _ = try await record(new, in: instance).stored()
        }
    }

    @Test func `of two incidents at once one gets the alarm`() async throws {
        try await withSite { _, instance, site in
            for second in 0..<5 {
                let instant = occurred + .seconds(second * 100)
                let alarm = try await raise(0, of: site, at: instant, in: instance)
                var new = new(site)
                new.alarms = [alarm]
                let wanted = new

                async let left = record(wanted, in: instance, loop: 0)
                async let right = record(wanted, in: instance, loop: 1)

                switch (try await left, try await right) {
                case (.done(let winner), .refused(let obstacle, _)),
                    (.refused(let obstacle, _), .done(let winner)):
                    #expect(obstacle == .alarmTaken(alarm, by: try winner.id()))
                case let other: Issue.record("\(other)")
                }
            }
        }
    }

    @Test func `another site's alarm, camera and area do not exist`() async throws {
        try await withSite { _, instance, site in
            let other = try await DemonstrationSite(in: instance, named: "hamburg")
            let alarm = try await raise(0, of: other, at: occurred, in: instance)
            var wrongs: [(NewIncident, IncidentObstacle)] = []
            var wrong = new(site)
            wrong.alarms = [alarm]
            wrongs.append((wrong, .unknownAlarm(alarm)))
            wrong = new(site)
            wrong.cameras = other.cameras
            wrongs.append((wrong, .unknownCamera(other.cameras[0])))
            wrong = new(site)
            wrong.area = other.area
            wrongs.append((wrong, .unknownArea))

            for (wrong, expected) in wrongs {
                guard case .refused(let obstacle, _) = try await record(wrong, in: instance) else {
                    Issue.record("\(expected) was taken")
                    continue
                }
                #expect(obstacle == expected)
            }
        }
    }

    // MARK: Corrections

    @Test func `a request is known again for a day`() async throws {
        try await withSite { database, instance, site in
            let request = RepeatableRequest(key: "0199a2b4-9000-7000", content: [1])
            let other = RepeatableRequest(key: "0199a2b4-9000-7000", content: [2])
            _ = try await database.query(
                """
                INSERT INTO tokens (id, name, role, prefix, hash, created_at)
                VALUES ('\(author.token)', 'Platz 1', 'observer', 'abcd', 'abcd', now())
                """)
            let new = new(site)
            let made = try await instance.databases[0].run { database, _ in
                var sender = author
                sender.request = request
                return try await database.createIncident(new, by: sender, at: .now())
            }.stored()

            func remembered(_ request: RepeatableRequest) async throws -> RememberedRequest {
                try await instance.databases[0].run { database, _ in
                    try await database.remembered(request, by: author.token)
                }
            }
            guard case .created(let document) = try await remembered(request) else {
                Issue.record("the request is not remembered")
                return
            }
            #expect(try JSON.parse(document) == JSON.parse(made.document))
            guard case .another = try await remembered(other) else {
                Issue.record("another request is taken for it")
                return
            }

            for (age, isKnown) in [(23, true), (25, false)] {
                _ = try await database.query(
                    """
                    UPDATE remembered_requests
                    SET remembered_at = clock_timestamp() - make_interval(hours => \(age))
                    """)
                try await instance.databases[0].run { database, _ in
                    try await database.forgetRequests()
                }
                if case .none = try await remembered(request) {
                    #expect(!isKnown)
                } else {
                    #expect(isKnown)
                }
            }
        }
    }

    @Test func `of two corrections of one state one wins, the other is told`() async throws {
        try await withSite { database, instance, site in
            let first = try await record(new(site), in: instance).stored()
            let id: IncidentID = try first.id()
            var drunk = IncidentChange()
            drunk.category = .hazardPrevention
            var brawl = IncidentChange()
            brawl.subcategory = .brawl
            let changes = [drunk, brawl]
            let revision = first.revision

            async let left = change(
                id, to: changes[0], if: .revisions([revision]), in: instance, loop: 0)
            async let right = change(
                id, to: changes[1], if: .revisions([revision]), in: instance, loop: 1)

            switch (try await left, try await right) {
            case (.done(let winner), .stale(let now)), (.stale(let now), .done(let winner)):
                #expect(winner.revision == now)
            case let other: Issue.record("\(other)")
            }
            let corrections = try await database.number(
                "SELECT count(*) FROM journal WHERE event = 'incident.changed'")
            #expect(corrections == 1)
        }
    }

    @Test func `what is so already is no correction`() async throws {
        try await withSite { database, instance, site in
            var new = new(site)
            new.note = "Zwei Personen"
            let first = try await record(new, in: instance).stored()
            var same = IncidentChange()
            same.category = .criminalOffence
            same.note = .some("Zwei Personen")

            let second = try await change(try first.id(), to: same, in: instance).stored()

            #expect(second.revision == first.revision)
            #expect(try text(second.document, "note") == "Zwei Personen")
            let journaled = try await database.number(
                "SELECT count(*) FROM journal WHERE event LIKE 'incident.%'")
            #expect(journaled == 1)
        }
    }

    @Test func `what a person wrote is not in the journal, only its salted hash`() async throws {
        try await withSite { database, instance, site in
            var new = new(site)
            new.note = "Frau mit rotem Schal"
            let first = try await record(new, in: instance).stored()
            var change = IncidentChange()
            change.subcategory = .some(.theft)
            _ = try await self.change(try first.id(), to: change, in: instance).stored()

            let written = try await database.number(
                "SELECT count(*) FROM journal j WHERE j::text ~ 'Schal|Nachgetragen'")
            #expect(written == 0)
            let hashed = try await database.number(
                """
                SELECT count(*) FROM journal j JOIN remarks r ON
                    j.remark_hash = sha256(r.salt || convert_to(r.text, 'UTF8'))
                    OR j.document #>> '{note,hash}' =
                        encode(sha256(r.salt || convert_to(r.text, 'UTF8')), 'hex')
                WHERE j.event LIKE 'incident.%'
                """)
            // The note in both documents, and the correction's reason.
            #expect(hashed == 3)
        }
    }

    @Test func `a retracted incident takes nothing more`() async throws {
        try await withSite { _, instance, site in
            let id: IncidentID = try await record(new(site), in: instance).stored().id()
            let supervisor = DemonstrationSite.observer(0, as: .shiftSupervisor)
            for attempt in 1...2 {
                let result = try await instance.run { database in
                    try await database.retractIncident(
                        id, only: nil, reason: "Falsch", by: supervisor, at: .now())
                }
                switch (attempt, result) {
                case (1, .done), (2, .refused(.retracted, .some)): break
                default: Issue.record("\(attempt): \(result)")
                }
            }
            var correction = IncidentChange()
            correction.category = .hazardPrevention
            guard case .refused(.retracted, _) = try await change(id, to: correction, in: instance)
            else {
                Issue.record("a retracted incident was corrected")
                return
            }
        }
    }

    // MARK: Alarms

    @Test func `an alarm tells to which incident it belongs, and each change of that`()
        async throws
    {
        try await withSite { database, instance, site in
            let one = try await raise(0, of: site, at: occurred, in: instance)
            let two = try await raise(1, of: site, at: occurred, in: instance)
            var new = new(site)
            new.alarms = [one]
            let id: IncidentID = try await record(new, in: instance).stored().id()
            var moved = IncidentChange()
            moved.alarms = [two]
            _ = try await change(id, to: moved, in: instance).stored()
            // What says the same again is no change of the alarm.
            moved.category = .hazardPrevention
            _ = try await change(id, to: moved, in: instance).stored()
            _ = try await instance.run { database in
                try await database.retractIncident(
                    id, only: nil, reason: "Doppelt", by: author, at: .now())
            }.stored()
            new.alarms = [one, two]
            let again: IncidentID = try await record(new, in: instance).stored().id()

            let rows = try await database.query(
                """
                SELECT j.event, j.subject::uuid, j.document ->> 'incident', j.actor
                FROM journal j JOIN positions p USING (change)
                WHERE j.event IN ('alarm.linked', 'alarm.unlinked')
                ORDER BY p.position, j.ordinal
                """)
            let told = try (0..<rows.rowCount).map { row in
                #expect(try rows.id(row, 3) == author.token)
                let alarm: AlarmID = try rows.id(row, 1)
                return try [
                    rows.text(row, 0), alarm == one ? "one" : "two",
                    rows.textIfPresent(row, 2).map { $0 == again.description ? "again" : "first" },
                ].compactMap(\.self).joined(separator: " ")
            }
            #expect(
                told == [
                    "alarm.linked one first", "alarm.unlinked one", "alarm.linked two first",
                    "alarm.unlinked two", "alarm.linked one again", "alarm.linked two again",
                ])
            for alarm in [one, two] {
                let document = try #require(
                    try await instance.run { try await $0.alarm(alarm, only: nil) })
                #expect(try text(document, "incident") == again.description)
            }
            var filter = AlarmFilter()
            filter.incident = again
            let wanted = filter
            let page = try await instance.run { database in
                try await database.alarms(wanted, PageRequest(limit: 50))
            }
            #expect(page.documents.count == 2)
        }
    }

    // MARK: Clock change

    @Test func `half past two twice on the last Sunday of October is told apart`() async throws {
        try await withSite { database, instance, site in
            // The first year whose clock change is past, whenever this runs.
            let before = try #require(Timestamp(rfc3339: "2025-10-26T02:30:00+02:00"))
            let after = try #require(Timestamp(rfc3339: "2025-10-26T02:30:00+01:00"))
            var ids: [IncidentID] = []
            for instant in [before, after] {
                var new = new(site)
                new.occurredAt = instant
                ids.append(try await record(new, in: instance).stored().id())
            }

            let rows = try await database.query(
                """
                SELECT to_char(i.occurred_at AT TIME ZONE s.time_zone, 'YYYY-MM-DD HH24:MI'),
                    i.occurred_at
                FROM incidents i JOIN sites s ON s.id = i.site ORDER BY i.occurred_at
                """)
            #expect(try rows.text(0, 0) == "2025-10-26 02:30")
            #expect(try rows.text(1, 0) == "2025-10-26 02:30")
            #expect(try rows.time(1, 1) - rows.time(0, 1) == .seconds(3_600))

            // The week of the change has 169 hours; its hours together list what the week lists.
            let start = try #require(Timestamp(rfc3339: "2025-10-20T00:00:00+02:00"))
            let end = try #require(Timestamp(rfc3339: "2025-10-27T00:00:00+01:00"))
            #expect(end - start == .seconds(169 * 3_600))
            let week = try await list(site, from: start, to: end, in: instance)
            var hours: [IncidentID] = []
            for hour in 0..<169 {
                let from = start + .seconds(hour * 3_600)
                hours += try await list(site, from: from, to: from + .seconds(3_600), in: instance)
            }
            #expect(hours == ids)
            #expect(week == ids.reversed())
        }
    }

    private func list(
        _ site: DemonstrationSite, from: Timestamp, to: Timestamp, in instance: Instance
    ) async throws -> [IncidentID] {
        var filter = IncidentFilter()
        (filter.site, filter.from, filter.to) = (site.id, from, to)
        let wanted = filter
        let page = try await instance.run { database in
            try await database.incidents(wanted, PageRequest(limit: 50))
        }
        return try page.documents.map { try #require(IncidentID(try text($0, "id"))) }
    }
}

extension IncidentResult {
    func stored() throws -> Stored {
        switch self {
        case .done(let stored), .unchanged(let stored): return stored
        default: throw NotStored(outcome: "\(self)")
        }
    }
}
