import ControlCentre
import JSON
import PostgreSQL
import TestSupport
import Testing

@testable import Store

@Suite struct `Steps on alarms` {
    private let now = Timestamp.now()

    /// Raises so many alarms, each of a camera of its own.
    private func withAlarms(
        _ count: Int,
        _ body: (TestDatabase, Instance, DemonstrationSite, [AlarmID]) async throws -> Void
    ) async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database, loops: 2)
            let site = try await DemonstrationSite(in: instance, cameras: count)
            let outcomes = try await instance.submit(
                (0..<count).map { site.detection(camera: $0, at: now) })
            let alarms = outcomes.compactMap { outcome in
                if case .created(let alarm) = outcome { alarm } else { nil }
            }
            try #require(alarms.count == count)
            try await body(database, instance, site, alarms)
        }
    }

    private func take(
        _ step: AlarmStep, on alarm: AlarmID, by author: Author,
        only site: SiteID? = nil, at instant: Timestamp? = nil, in instance: Instance,
        loop: Int = 0
    ) async throws -> StepResult {
        let instant = instant ?? now
        return try await instance.databases[loop].run { database, _ in
            try await database.apply(
                step, to: alarm, only: site, by: author, at: instant)
        }
    }

    // MARK: Two at once

    @Test func `of two observers at once one wins, the other is told who`() async throws {
        try await withAlarms(8) { database, instance, site, alarms in
            var observers: [Author] = []
            for name in ["Dienst 1", "Dienst 2"] {
                let token = NewToken(
                    name: name, role: .observer, site: site.id, node: nil, expiresAt: nil)
                let outcome = try await instance.run { database in
                    try await database.createToken(token, by: nil, at: .now())
                }
                guard case .created(let document, _) = outcome else {
                    throw NotStored(outcome: "\(outcome)")
                }
                let id = try #require(TokenID(try text(document, "id")))
                observers.append(Author(token: id, role: .observer, requestID: name))
            }
            let contenders = observers

            for alarm in alarms {
                async let first = take(
                    .acknowledge, on: alarm, by: contenders[0], in: instance, loop: 0)
                async let second = take(
                    .acknowledge, on: alarm, by: contenders[1], in: instance, loop: 1)

                switch (try await first, try await second) {
                case (.done, .refused(let refusal, let current, let holder)):
                    #expect(refusal == .acknowledgedBy(actor(contenders[0]), since: now))
                    #expect(holder == "Dienst 1")
                    #expect(try text(try #require(current), "handling") == "acknowledged")
                case (.refused(let refusal, let current, let holder), .done):
                    #expect(refusal == .acknowledgedBy(actor(contenders[1]), since: now))
                    #expect(holder == "Dienst 2")
                    #expect(try text(try #require(current), "handling") == "acknowledged")
                case let other: Issue.record("\(other)")
                }
            }
            let journaled = try await database.number(
                "SELECT count(*) FROM journal WHERE event = 'alarm.acknowledged'")
            #expect(journaled == 8)
        }
    }

    @Test func `of two assignments to different positions at once one wins`() async throws {
        try await withAlarms(8) { database, instance, _, alarms in
            try await givePositions(in: database)
            let authors = [DemonstrationSite.observer(1), DemonstrationSite.observer(2)]

            for alarm in alarms {
                async let first = take(
                    .assign(position: "Platz 1", from: nil), on: alarm, by: authors[0],
                    in: instance, loop: 0)
                async let second = take(
                    .assign(position: "Platz 2", from: nil), on: alarm, by: authors[1],
                    in: instance, loop: 1)

                switch (try await first, try await second) {
                case (.done, .refused(let refusal, let current, _)):
                    #expect(try text(try #require(current), "position") == "Platz 1")
                    #expect(refusal.holder == actor(authors[0]))
                    #expect(refusal.since == now)
                case (.refused(let refusal, let current, _), .done):
                    #expect(try text(try #require(current), "position") == "Platz 2")
                    #expect(refusal.holder == actor(authors[1]))
                    #expect(refusal.since == now)
                case let other: Issue.record("\(other)")
                }
            }
        }
    }

    @Test func `of two verdicts at once both are kept`() async throws {
        try await withAlarms(4) { database, instance, _, alarms in
            for alarm in alarms {
                async let first = take(
                    .confirm(), on: alarm, by: DemonstrationSite.observer(1), in: instance)
                async let second = take(
                    .dismiss(.play, note: nil), on: alarm, by: DemonstrationSite.observer(2),
                    in: instance, loop: 1)
                _ = try await (first, second)
            }

            let kept = try await database.number(
                """
                SELECT count(*) FROM (SELECT FROM verdicts GROUP BY alarm
                    HAVING count(DISTINCT verdict) = 2 AND max(ordinal) = 2) alarms
                """)
            #expect(kept == 4)
        }
    }

    private func givePositions(in database: TestDatabase) async throws {
        _ = try await database.query(
            """
            INSERT INTO observer_positions (site, name, ordinal)
            VALUES ('mannheim', 'Platz 1', 1), ('mannheim', 'Platz 2', 2)
            """)
    }

    private func actor(_ author: Author) -> ActorID { ActorID(author.token.description) }

    // MARK: Many at once

    @Test(arguments: [UInt64(1), 2, 3])
    func `at random and at once never reach a state that the rules forbid`(
        seed: UInt64
    ) async throws {
        try await withAlarms(20) { database, instance, _, alarms in
            try await givePositions(in: database)
            var generator = SplitMix64(seed: seed)
            let plan = (0..<200).map { number in
                let observer = Int.random(in: 0..<3, using: &generator)
                return (
                    step: randomStep(using: &generator),
                    alarm: alarms.randomElement(using: &generator) ?? alarms[0],
                    author: Author(
                        token: DemonstrationSite.observer(observer).token,
                        role: observer == 0 ? .shiftSupervisor : .observer,
                        requestID: "step-\(number)"),
                    instant: now + .microseconds(number)
                )
            }

            let results = try await withThrowingTaskGroup(of: StepResult.self) { group in
                for (number, planned) in plan.enumerated() {
                    group.addTask {
                        try await take(
                            planned.step, on: planned.alarm, by: planned.author,
                            at: planned.instant, in: instance, loop: number % 2)
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }

            var states = Dictionary(uniqueKeysWithValues: alarms.map { ($0, AlarmHandling()) })
            let journal = try await database.query(
                """
                SELECT subject::uuid, event, actor, role, request_id, occurred_at, ordinal
                FROM journal JOIN positions USING (change)
                WHERE actor IS NOT NULL AND event LIKE 'alarm.%'
                    AND event <> 'alarm.annunciated'
                ORDER BY position, ordinal
                """)
            for row in 0..<journal.rowCount {
                let request = try journal.text(row, 4)
                let number = try #require(Int(request.dropFirst("step-".count)))
                let planned = plan[number]
                #expect(try journal.id(row, 0) == planned.alarm)
                #expect(try journal.text(row, 1) == planned.step.event)
                #expect(try journal.id(row, 2) == planned.author.token)
                #expect(try journal.text(row, 3) == planned.author.role.rawValue)
                #expect(try journal.time(row, 5) == planned.instant)
                let outcome = states[planned.alarm]?.apply(
                    planned.step, by: actor(planned.author), as: planned.author.role,
                    at: planned.instant)
                #expect(outcome == .changed, "\(planned.step)")
            }
            let requests = try (0..<journal.rowCount).map { try journal.text($0, 4) }
            #expect(Set(requests).count == journal.rowCount)
            let done = results.count { if case .done = $0 { true } else { false } }
            #expect(done == journal.rowCount)
            #expect(done > 50 && done < 200)
            try await expectStored(states, in: database)
        }
    }

    private func randomStep(using generator: inout SplitMix64) -> AlarmStep {
        let position = "Platz \(Int.random(in: 1...2, using: &generator))"
        let hours = Int64.random(in: 1...20, using: &generator)
        let holder = Int.random(in: 0..<3, using: &generator)
        return switch Int.random(in: 0..<14, using: &generator) {
        case 0, 1: .acknowledge
        case 2: .release
        case 3: .confirm()
        case 4: .dismiss(Bool.random(using: &generator) ? .play : .crowd, note: nil)
        case 5: .comment(text: "gesehen")
        case 6: .close()
        case 7: .takeOver(from: nil)
        case 8:
            .takeOver(from: actor(DemonstrationSite.observer(holder)))
        case 9: .assign(position: position, from: nil)
        case 10: .assign(position: position, from: "Platz 1")
        case 11:
            .shelve(.make(at: now), until: now + .seconds(hours * 3_600), reason: "Aufbau")
        case 12: .unshelve()
        default: .reopen()
        }
    }

    private func expectStored(
        _ states: [AlarmID: AlarmHandling], in database: TestDatabase
    ) async throws {
        let rows = try await database.query(
            """
            SELECT id, handling, coalesce(acknowledged_by, closed_by),
                coalesce(acknowledged_at, closed_at), verdict, dismissal_reason, judged_by,
                judged_at, taken_over_from, position, assigned_by, assigned_at, shelving,
                shelved_until
            FROM alarms
            """)
        #expect(rows.rowCount == states.count)
        for row in 0..<rows.rowCount {
            let state = try #require(states[try rows.id(row, 0)])
            let holder: TokenID? = try rows.idIfPresent(row, 2)
            #expect(try rows.text(row, 1) == name(of: state.handling))
            #expect(holder?.description == state.handling.holder?.description)
            #expect(try rows.timeIfPresent(row, 3) == state.handling.since)
            let judge: TokenID? = try rows.idIfPresent(row, 6)
            #expect(try rows.text(row, 4) == name(of: state.judgement?.verdict))
            #expect(try rows.textIfPresent(row, 5) == reason(of: state.judgement?.verdict))
            #expect(judge?.description == state.judgement?.by.description)
            #expect(try rows.timeIfPresent(row, 7) == state.judgement?.at)
            let former: TokenID? = try rows.idIfPresent(row, 8)
            let assigner: TokenID? = try rows.idIfPresent(row, 10)
            let shelving: ShelvingID? = try rows.idIfPresent(row, 12)
            #expect(former?.description == state.takenOverFrom?.description)
            #expect(try rows.textIfPresent(row, 9) == state.assignment?.position)
            #expect(assigner?.description == state.assignment?.by.description)
            #expect(try rows.timeIfPresent(row, 11) == state.assignment?.at)
            #expect(shelving == state.shelving?.id)
            #expect(try rows.timeIfPresent(row, 13) == state.shelving?.until)
        }
    }

    private func name(of handling: Handling) -> String {
        switch handling {
        case .new: "new"
        case .acknowledged: "acknowledged"
        case .closed: "closed"
        }
    }

    private func name(of verdict: Verdict?) -> String {
        switch verdict {
        case nil: "none"
        case .confirmed: "confirmed"
        case .dismissed: "dismissed"
        }
    }

    private func reason(of verdict: Verdict?) -> String? {
        if case .dismissed(let reason) = verdict { reason.rawValue } else { nil }
    }

    // MARK: What is recorded

    @Test func `keep what a person wrote out of the journal, which has its salted hash`()
        async throws
    {
        try await withAlarms(1) { database, instance, site, alarms in
            let author = DemonstrationSite.observer(1)
            let texts = ["Zwei Personen", "Nur ein Spiel", "Streife ist da"]
            _ = try await take(
                .comment(text: texts[0]), on: alarms[0], by: author, in: instance)
            _ = try await take(
                .dismiss(.play, note: texts[1]), on: alarms[0], by: author, in: instance)
            _ = try await take(
                .confirm(note: texts[2]), on: alarms[0], by: author, in: instance)

            let rows = try await database.query(
                """
                SELECT r.text, j.reason, j.remark_hash = sha256(r.salt || convert_to(r.text, 'UTF8')),
                    j.remark_hash = sha256(convert_to(r.text, 'UTF8')), r.site,
                    length(r.salt), j::text LIKE '%' || r.text || '%'
                FROM journal j JOIN remarks r ON r.id = j.remark JOIN positions USING (change)
                ORDER BY position
                """)

            #expect(try (0..<rows.rowCount).map { try rows.text($0, 0) } == texts)
            for row in 0..<rows.rowCount {
                #expect(try rows.bool(row, 2))
                #expect(try !rows.bool(row, 3))
                #expect(try rows.site(row, 4) == site.id)
                #expect(try rows.int64(row, 5) >= 16)
                #expect(try !rows.bool(row, 6))
            }
            #expect(try rows.textIfPresent(1, 1) == "play")
        }
    }

    @Test func `are told by the alarm's history, page by page, oldest first`() async throws {
        try await withAlarms(2) { _, instance, site, alarms in
            let author = DemonstrationSite.observer(1)
            for step in [
                AlarmStep.acknowledge, .acknowledge, .confirm(), .close(), .reopen(),
            ] {
                _ = try await take(step, on: alarms[0], by: author, in: instance)
            }

            var events: [String] = []
            var after: EventID?
            repeat {
                let (id, cursor) = (alarms[0], after)
                let history = try await instance.run { database in
                    try await database.history(
                        of: id, in: .alarm, only: site.id, after: cursor, limit: 2)
                }
                let page = try #require(history)
                events += try page.documents.map { try text($0, "event") }
                after = page.next
            } while after != nil

            #expect(
                events == [
                    "alarm.raised", "alarm.acknowledged", "alarm.confirmed", "alarm.closed",
                    "alarm.reopened",
                ])
        }
    }

    @Test func `that change nothing or are refused leave no trace`() async throws {
        try await withAlarms(1) { database, instance, _, alarms in
            let author = DemonstrationSite.observer(1)
            _ = try await take(.acknowledge, on: alarms[0], by: author, in: instance)
            let before = try await instance.run { try await $0.journalHead() }

            let unchanged = try await take(.acknowledge, on: alarms[0], by: author, in: instance)
            let refused = try await take(.reopen(), on: alarms[0], by: author, in: instance)

            guard case (.unchanged, .refused) = (unchanged, refused) else {
                Issue.record("\(unchanged), \(refused)")
                return
            }
            let after = try await instance.run { try await $0.journalHead() }
            #expect(after == before)
            #expect(try await database.number("SELECT count(*) FROM remarks") == 0)
        }
    }

    @Test func `name whoever took them, whatever else people have written`() async throws {
        try await withAlarms(1) { database, instance, site, alarms in
            let name = #"Platz "1""#
            let token = NewToken(
                name: name, role: .observer, site: site.id, node: nil, expiresAt: nil)
            let outcome = try await instance.run { database in
                try await database.createToken(token, by: nil, at: .now())
            }
            guard case .created(let document, _) = outcome else {
                throw NotStored(outcome: "\(outcome)")
            }
            let id = try #require(TokenID(try text(document, "id")))
            let author = Author(token: id, role: .observer, requestID: "request")
            // As a reference to a token looks in a document.
            let position = #"{"token" : "\#(id)"}"#
            _ = try await database.query(
                "INSERT INTO observer_positions (site, name, ordinal) VALUES ('mannheim', $1, 1)",
                .text(position))

            _ = try await take(
                .assign(position: position, from: nil), on: alarms[0], by: author, in: instance)
            let result = try await take(
                .confirm(), on: alarms[0], by: DemonstrationSite.observer(1), in: instance)

            guard case .done(let alarm) = result else { throw NotStored(outcome: "\(result)") }
            let told = try JSON.parse(alarm)
            #expect(told["position"] == .string(position))
            #expect(told["assigned_by"]?["token"] == .string(id.description))
            #expect(told["assigned_by"]?["name"] == .string(name))
            // No token of the tests' own author exists.
            #expect(told["judged_by"]?["name"] == .null)
            #expect(told["closed_by"] == .null)
        }
    }

    @Test func `on another site's alarm are as on none`() async throws {
        try await withAlarms(1) { database, instance, _, alarms in
            let other = try await DemonstrationSite(in: instance, named: "hamburg")
            let (alarm, hamburg) = (alarms[0], other.id)

            let step = try await take(
                .acknowledge, on: alarm, by: DemonstrationSite.observer(1), only: hamburg,
                in: instance)
            let document = try await instance.run { try await $0.alarm(alarm, only: hamburg) }
            let history = try await instance.run { database in
                try await database.history(
                    of: alarm, in: .alarm, only: hamburg, after: nil, limit: 10)
            }

            guard case .unknown = step else {
                Issue.record("\(step)")
                return
            }
            #expect(document == nil)
            #expect(history == nil)
            let untouched = try await database.number(
                "SELECT count(*) FROM alarms WHERE handling = 'new'")
            #expect(untouched == 1)
        }
    }

    @Test func `on an alarm that is closed while active raise no second alarm`() async throws {
        try await withAlarms(1) { database, instance, site, alarms in
            _ = try await take(
                .close(), on: alarms[0], by: DemonstrationSite.observer(1), in: instance)

            let outcome = try await instance.submit(site.detection(at: now + .seconds(20)))

            #expect(outcome == .created(alarms[0]))
            try await expectWhole(database, detections: 2)
        }
    }
}
