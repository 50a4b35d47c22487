import ControlCentre
import PostgreSQL
import TestSupport
import Testing

@testable import Store

@Suite struct `Who reads and what is erased` {
    private let now = Timestamp.now()

    private struct Scene {
        let database: TestDatabase
        let instance: Instance
        let site: DemonstrationSite
        let alarm: AlarmID
        /// An observer with a token of this site.
        let observer: Author
    }

    private func withAlarm(_ body: (Scene) async throws -> Void) async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance)
            let outcome = try await instance.submit(site.detection(at: now))
            guard case .created(let alarm?) = outcome else {
                throw NotStored(outcome: "\(outcome)")
            }
            let observer = try await makeObserver("Platz 3", at: site.id, in: instance)
            try await body(
                Scene(
                    database: database, instance: instance, site: site, alarm: alarm,
                    observer: observer))
        }
    }

    private func makeObserver(
        _ name: String, at site: SiteID, as role: Role = .observer, in instance: Instance
    ) async throws -> Author {
        let outcome = try await instance.run { database in
            try await database.createToken(
                NewToken(name: name, role: role, site: site, node: nil, expiresAt: nil), by: nil,
                at: .now())
        }
        guard case .created(let document, _) = outcome else {
            throw NotStored(outcome: "\(outcome)")
        }
        let id = try #require(TokenID(try text(document, "id")))
        return Author(token: id, role: role, requestID: "request-17")
    }

    /// Records that the alarm is about to be read.
    private func read(
        _ scene: Scene, reason: String? = nil, by reader: Author? = nil, only site: SiteID? = nil,
        at instant: Timestamp? = nil
    ) async throws -> AccessOutcome {
        let access = Access(
            .alarmRead, scene.alarm, only: site, by: reader ?? scene.observer, reason: reason,
            at: instant ?? now)
        return try await scene.instance.run { try await $0.log(access) }
    }

    private func demandReason(_ rule: AccessReason, _ scene: Scene) async throws {
        try await scene.database.query(
            "UPDATE sites SET access_reason = $1", .text(rule.rawValue))
    }

    private func startShift(
        _ scene: Scene, by author: Author? = nil, lasting duration: Duration = .seconds(3_600)
    ) async throws -> ShiftStartOutcome {
        let shift = NewShift(
            site: scene.site.id, position: nil, reason: "Nachtdienst", until: now + duration)
        let author = author ?? scene.observer
        return try await scene.instance.run { database in
            try await database.startShift(shift, by: author, at: now)
        }
    }

    // MARK: Access log

    @Test func `each reading is logged with reader, role, subject, request and time`()
        async throws
    {
        try await withAlarm { scene in
            guard case .logged = try await read(scene, reason: "Nachfrage") else {
                Issue.record("not granted")
                return
            }

            let rows = try await scene.database.query(
                """
                SELECT action, subject, actor, role, reason, request_id, accessed_at
                FROM accesses
                """)
            #expect(rows.rowCount == 1)
            #expect(try rows.text(0, 0) == "alarm.read")
            #expect(try rows.text(0, 1) == scene.alarm.description)
            let actor: TokenID = try rows.id(0, 2)
            #expect(actor == scene.observer.token)
            #expect(try rows.text(0, 3) == "observer")
            #expect(try rows.text(0, 4) == "Nachfrage")
            #expect(try rows.text(0, 5) == "request-17")
            #expect(try rows.time(0, 6) == now)
        }
    }

    @Test func `what a reader may not know is unknown and leaves no trace`() async throws {
        try await withAlarm { scene in
            let hamburg = try await DemonstrationSite(in: scene.instance, named: "hamburg")

            guard case .unknown = try await read(scene, only: hamburg.id) else {
                Issue.record("known at another site")
                return
            }
            #expect(try await scene.database.number("SELECT count(*) FROM accesses") == 0)
        }
    }

    @Test func `a site that wants a reason for each request gets none from a shift`()
        async throws
    {
        try await withAlarm { scene in
            try await demandReason(.request, scene)
            _ = try await startShift(scene)

            guard case .withoutReason(.request) = try await read(scene) else {
                Issue.record("granted without a reason")
                return
            }
            guard case .logged = try await read(scene, reason: "Nachfrage") else {
                Issue.record("refused in spite of a reason")
                return
            }
            #expect(try await scene.database.number("SELECT count(*) FROM accesses") == 1)
        }
    }

    @Test func `a shift gives the reason from its start to its end, to its bearer alone`()
        async throws
    {
        try await withAlarm { scene in
            try await demandReason(.shift, scene)
            guard case .withoutReason(.shift) = try await read(scene) else {
                Issue.record("granted before the shift")
                return
            }
            _ = try await startShift(scene)
            let colleague = try await makeObserver(
                "Platz 4", at: scene.site.id, in: scene.instance)

            guard case .logged = try await read(scene),
                case .withoutReason = try await read(scene, by: colleague),
                case .logged = try await read(scene, at: now + .seconds(3_599)),
                case .withoutReason = try await read(scene, at: now + .seconds(3_600))
            else {
                Issue.record("the shift does not decide")
                return
            }
            let page = try await scene.instance.run { database in
                try await database.accesses(AccessFilter(), PageRequest(limit: 10))
            }
            #expect(
                try page.documents.map { try text($0, "reason") } == ["Nachtdienst", "Nachtdienst"])
        }
    }

    @Test func `expired accesses are deleted per site, and the journal says how many`()
        async throws
    {
        try await withAlarm { scene in
            try await scene.database.query("UPDATE sites SET access_log_days = 30")
            for days in [29, 31, 400] {
                _ = try await read(scene, at: now - .seconds(days * 86_400))
            }

            let expired = try await scene.instance.run { try await $0.expireAccesses() }
            let again = try await scene.instance.run { try await $0.expireAccesses() }

            #expect(expired == 2)
            #expect(again == 0)
            #expect(try await scene.database.number("SELECT count(*) FROM accesses") == 1)
            let journaled = try await scene.database.query(
                """
                SELECT document ->> 'count' FROM journal JOIN positions USING (change)
                WHERE event = 'access-log.expired'
                """)
            #expect(journaled.rowCount == 1)
            #expect(try journaled.text(0, 0) == "2")
        }
    }

    @Test func `the server's role can neither change nor remove what was read or which shift`()
        async throws
    {
        try await TestDatabase.with { database in
            for change in [
                "UPDATE accesses SET reason = ''", "DELETE FROM accesses", "TRUNCATE accesses",
                "UPDATE shifts SET remark = gen_random_uuid()", "DELETE FROM shifts",
            ] {
                let error = await #expect(throws: PostgreSQLError.self) {
                    try await database.queryAsRuntime(change)
                }
                #expect(error?.state == .insufficientPrivilege, "\(change)")
            }
        }
    }

    // MARK: Shifts

    @Test func `a person has one shift at a time, and may start anew when its time is up`()
        async throws
    {
        try await withAlarm { scene in
            guard case .started(let first) = try await startShift(scene, lasting: .seconds(60)),
                case .running(let running) = try await startShift(scene)
            else {
                Issue.record("two shifts at once")
                return
            }
            #expect(try text(running, "id") == text(first, "id"))

            let next = NewShift(
                site: scene.site.id, position: nil, reason: "Frühdienst", until: now + .seconds(120)
            )
            let outcome = try await scene.instance.run { database in
                try await database.startShift(next, by: scene.observer, at: now + .seconds(60))
            }
            guard case .started(let second) = outcome else {
                Issue.record("\(outcome)")
                return
            }
            #expect(try text(second, "reason") == "Frühdienst")
        }
    }

    @Test func `only a shift supervisor ends another's shift`() async throws {
        try await withAlarm { scene in
            guard case .started(let document) = try await startShift(scene) else {
                Issue.record("not started")
                return
            }
            let id = try #require(ShiftID(try text(document, "id")))
            let colleague = try await makeObserver(
                "Platz 4", at: scene.site.id, in: scene.instance)
            let supervisor = try await makeObserver(
                "Leitung", at: scene.site.id, as: .shiftSupervisor, in: scene.instance)
            func end(by author: Author, at instant: Timestamp) async throws -> ShiftEndOutcome {
                try await scene.instance.run { database in
                    try await database.endShift(id, only: nil, by: author, at: instant)
                }
            }

            guard case .othersShift = try await end(by: colleague, at: now + .seconds(1)),
                case .ended(let ended) = try await end(by: supervisor, at: now + .seconds(2)),
                case .ended(let later) = try await end(by: scene.observer, at: now + .seconds(3))
            else {
                Issue.record("ended by the wrong person")
                return
            }
            #expect(try text(ended, "ended_at") == (now + .seconds(2)).rfc3339)
            #expect(try text(later, "ended_at") == (now + .seconds(2)).rfc3339)
        }
    }

    // MARK: Erasure

    private func comment(_ text: String, _ scene: Scene) async throws {
        _ = try await scene.instance.run { database in
            try await database.apply(
                .comment(text: text), to: scene.alarm, only: nil, by: scene.observer,
                at: now)
        }
    }

    private func erase(
        _ kind: ErasureKind, _ id: UUID, only site: SiteID? = nil, _ scene: Scene
    ) async throws -> [UInt8]? {
        try await scene.instance.run { database in
            try await database.erase(
                kind, id, reason: "Antrag", only: site, by: DemonstrationSite.author, at: now)
        }
    }

    @Test func `a text goes with its salt, its row of the journal stays`() async throws {
        try await withAlarm { scene in
            try await comment("Herr M. war dabei.", scene)
            try await comment("Ein Zweiter lief weg.", scene)
            let remark: TokenID = try await scene.database.query(
                "SELECT id FROM remarks WHERE text LIKE 'Herr%'"
            ).id(0, 0)

            #expect(try await erase(.remark, remark.uuid, scene) != nil)

            let rows = try await scene.database.query(
                """
                SELECT r.text IS NULL AND r.salt IS NULL, j.remark_hash IS NOT NULL
                FROM journal j JOIN remarks r ON r.id = j.remark
                WHERE j.event = 'alarm.commented' ORDER BY j.change
                """)
            #expect(try rows.bool(0, 0))
            #expect(try rows.bool(0, 1))
            #expect(try !rows.bool(1, 0))
            let journaled = try await scene.database.number(
                "SELECT count(*) FROM journal WHERE event = 'erasure.completed'")
            #expect(journaled == 1)
        }
    }

    @Test func `all that was written about an alarm goes at once, reasons for reading it too`()
        async throws
    {
        try await withAlarm { scene in
            try await comment("Herr M. war dabei.", scene)
            try await comment("Ein Zweiter lief weg.", scene)
            _ = try await read(scene, reason: "Nachfrage zu Herrn M.")

            let erasure = try #require(try await erase(.remarks, scene.alarm.uuid, scene))

            #expect(String(decoding: erasure, as: UTF8.self).contains("\"erased\" : 3"))
            let left = try await scene.database.number(
                """
                SELECT (SELECT count(*) FROM remarks WHERE text <> 'Antrag')
                    + (SELECT count(*) FROM accesses WHERE reason IS NOT NULL)
                """)
            #expect(left == 0)
        }
    }

    @Test func `a name goes from all histories at once and was never in the journal`()
        async throws
    {
        try await withAlarm { scene in
            try await comment("Gesehen.", scene)
            _ = try await erase(.staff, scene.observer.token.uuid, scene)

            let history = try await scene.instance.run { database in
                try await database.history(
                    of: scene.alarm, in: .alarm, only: nil, after: nil, limit: 10)
            }
            let texts = try #require(history).documents.map { String(decoding: $0, as: UTF8.self) }
            #expect(texts.contains { $0.contains("alarm.commented") })
            #expect(!texts.contains { $0.contains("Platz 3") })
            let journaled = try await scene.database.number(
                "SELECT count(*) FROM journal WHERE document::text LIKE '%Platz 3%'")
            #expect(journaled == 0)
        }
    }

    @Test func `nobody erases without a row of the journal, the server's role by itself neither`()
        async throws
    {
        try await withAlarm { scene in
            try await comment("Herr M. war dabei.", scene)

            try await scene.database.queryAsRuntime(
                """
                SELECT erase('remarks', '\(scene.alarm)', NULL, gen_random_uuid(),
                    gen_random_uuid(), 'Antrag', '\(scene.observer.token)', 'administrator',
                    'request-18', clock_timestamp())
                """)

            let rows = try await scene.database.query(
                """
                SELECT j.actor, j.role, j.request_id, j.document ->> 'erased', r.text,
                    j.remark_hash = sha256(r.salt || convert_to(r.text, 'UTF8'))
                FROM journal j JOIN positions p USING (change) JOIN remarks r ON r.id = j.remark
                WHERE j.event = 'erasure.completed'
                """)
            #expect(rows.rowCount == 1)
            let actor: TokenID = try rows.id(0, 0)
            #expect(actor == scene.observer.token)
            #expect(try rows.text(0, 1) == "administrator")
            #expect(try rows.text(0, 2) == "request-18")
            #expect(try rows.text(0, 3) == "1")
            #expect(try rows.text(0, 4) == "Antrag")
            #expect(try rows.bool(0, 5))
        }
    }

    @Test func `nothing of another site is erased`() async throws {
        try await withAlarm { scene in
            try await comment("Herr M. war dabei.", scene)
            let hamburg = try await DemonstrationSite(in: scene.instance, named: "hamburg")

            #expect(try await erase(.remarks, scene.alarm.uuid, only: hamburg.id, scene) == nil)
            #expect(
                try await erase(.staff, scene.observer.token.uuid, only: hamburg.id, scene) == nil)
            #expect(try await scene.database.number("SELECT count(*) FROM remarks") == 1)
        }
    }

    // MARK: Audit

    private func audit(
        _ filter: AuditFilter, before: EventID?, limit: Int, _ scene: Scene
    ) async throws -> JournalPage {
        let outcome = try await scene.instance.run { database in
            try await database.audit(
                filter, before: before, limit: limit,
                by: DemonstrationSite.observer(9, as: .auditor), reason: nil, at: now)
        }
        guard case .page(let page) = outcome else { throw NotStored(outcome: "\(outcome)") }
        return page
    }

    @Test func `the journal is listed newest first, page by page, without gap or repetition`()
        async throws
    {
        try await withAlarm { scene in
            for number in 0..<7 { try await comment("Bemerkung \(number)", scene) }
            let total = try await scene.database.number("SELECT count(*) FROM journal")

            var ids: [EventID] = []
            var before: EventID?
            repeat {
                let page = try await audit(AuditFilter(), before: before, limit: 3, scene)
                ids += try page.documents.map { try #require(EventID(try text($0, "id"))) }
                before = page.next
            } while before != nil

            #expect(ids.count == total)
            #expect(ids == ids.sorted(by: >))
            #expect(Set(ids).count == total)
        }
    }

    @Test func `the journal is found by actor, event, subject and request`() async throws {
        try await withAlarm { scene in
            try await comment("Bemerkung", scene)
            func count(_ set: (inout AuditFilter) -> Void) async throws -> Int {
                var filter = AuditFilter()
                set(&filter)
                let page = try await audit(filter, before: nil, limit: 100, scene)
                return page.documents.count
            }

            #expect(try await count { $0.actor = scene.observer.token } == 1)
            #expect(try await count { $0.event = "alarm.raised" } == 1)
            #expect(try await count { $0.subject = scene.alarm.description } == 2)
            #expect(try await count { $0.requestID = "request-17" } == 1)
            #expect(try await count { $0.requestID = "request-18" } == 0)
            // A request may make several changes, as steps that join alarms to matters do.
            for _ in 0..<3 { try await comment("Bemerkung", scene) }
            #expect(try await count { $0.requestID = "request-17" } == 4)
            #expect(
                try await count {
                    $0.requestID = "request-17"
                    $0.event = "alarm.raised"
                } == 0)
            #expect(try await count { $0.roles = [.auditor] } == 0)
            #expect(try await count { $0.to = now - .seconds(3_600) } == 0)
        }
    }
}
