import ControlCentre
import JSON
import PostgreSQL
import TestSupport
import Testing

@testable import Store

@Suite struct `Many steps in one request` {
    private let now = Timestamp.now()
    private let author = DemonstrationSite.observer(1)

    private struct Scene {
        let database: TestDatabase
        let instance: Instance
        let site: DemonstrationSite
        let alarms: [AlarmID]
    }

    private func withAlarms(_ count: Int, _ body: (Scene) async throws -> Void) async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance, cameras: count)
            let outcomes = try await instance.submit(
                (0..<count).map { site.detection(camera: $0, at: now) })
            let alarms = outcomes.compactMap { outcome in
                if case .created(let alarm) = outcome { alarm } else { nil }
            }
            try #require(alarms.count == count)
            try await body(
                Scene(database: database, instance: instance, site: site, alarms: alarms))
        }
    }

    private func take(_ steps: [RequestedStep], of scene: Scene) async throws -> [StepResult] {
        let (author, now, site) = (author, now, scene.site.id)
        return try await scene.instance.run { database in
            try await database.apply(steps, only: site, by: author, at: now)
        }
    }

    /// What came of it, and the named member of the alarm at that moment.
    private func told(_ result: StepResult, _ member: String = "handling") throws -> String {
        switch result {
        case .done(let alarm): "done \(try text(alarm, member))"
        case .unchanged(let alarm): "unchanged \(try text(#require(alarm), member))"
        case .refused(_, let current, _): "refused \(try text(#require(current), member))"
        case .refusedMatter(let obstacle): "refused \(obstacle)"
        case .unknown: "unknown"
        case .unknownPosition: "unknown position"
        }
    }

    /// How many positions the journal has, which is how many changes were committed.
    private func positions(_ scene: Scene) async throws -> Int {
        try await scene.database.number("SELECT count(*) FROM positions")
    }

    private func newMatter(_ alarms: [AlarmID] = []) -> MatterOfAlarm {
        var incident = NewIncident(category: .criminalOffence)
        incident.alarms = alarms
        return .new(incident)
    }

    @Test func `are taken each by itself, and each tells of its alarm as it was then`()
        async throws
    {
        try await withAlarms(2) { scene in
            let (one, two) = (scene.alarms[0], scene.alarms[1])
            let before = try await positions(scene)

            let results = try await take(
                [
                    RequestedStep(.acknowledge, on: one),
                    RequestedStep(.acknowledge, on: one),
                    RequestedStep(.close(), on: one),
                    RequestedStep(.acknowledge, on: one),
                    RequestedStep(.assign(position: "Platz 9", from: nil), on: two),
                    RequestedStep(.reopen(), on: one),
                    RequestedStep(.close(), on: .make(at: now)),
                    RequestedStep(.reopen(), on: two),
                    RequestedStep(.acknowledge, on: two),
                ], of: scene)

            #expect(
                try results.map { try told($0) } == [
                    "done acknowledged", "unchanged acknowledged", "done closed",
                    "refused closed", "unknown position", "done new", "unknown", "refused new",
                    "done acknowledged",
                ])
            #expect(try await positions(scene) == before + 1)
            let rows = try await scene.database.query(
                """
                SELECT event FROM journal WHERE actor = $1 AND event LIKE 'alarm.%'
                ORDER BY ordinal
                """, .uuid(author.token))
            #expect(
                try (0..<rows.rowCount).map { try rows.text($0, 0) } == [
                    "alarm.acknowledged", "alarm.closed", "alarm.reopened", "alarm.acknowledged",
                ])
        }
    }

    @Test func `are each a row of the journal, five hundred at once too`() async throws {
        try await withAlarms(5) { scene in
            let results = try await take(
                (0..<500).map { number in
                    RequestedStep(.comment(text: "\(number)"), on: scene.alarms[number % 5])
                }, of: scene)

            #expect(results.count == 500)
            let rows = try await scene.database.query(
                """
                SELECT r.text FROM journal j JOIN remarks r ON r.id = j.remark
                WHERE j.event = 'alarm.commented' ORDER BY j.ordinal
                """)
            #expect(
                try (0..<rows.rowCount).map { try rows.text($0, 0) } == (0..<500).map { "\($0)" })
        }
    }

    @Test func `record and join matters, each in a change of its own, the others together`()
        async throws
    {
        try await withAlarms(4) { scene in
            let before = try await positions(scene)

            let results = try await take(
                [
                    RequestedStep(.acknowledge, on: scene.alarms[0]),
                    RequestedStep(.acknowledge, on: scene.alarms[1]),
                    RequestedStep(
                        .confirm(), on: scene.alarms[0], joining: newMatter([scene.alarms[1]])),
                    RequestedStep(.confirm(), on: scene.alarms[1], joining: newMatter()),
                    RequestedStep(.confirm(note: "Zwei Personen"), on: scene.alarms[2]),
                    RequestedStep(.close(), on: scene.alarms[0]),
                    RequestedStep(.confirm(), on: scene.alarms[0], joining: newMatter()),
                ], of: scene)

            let incident = try #require(
                IncidentID(try told(results[2], "incident").replacing("done ", with: "")))
            #expect(try told(results[0]) == "done acknowledged")
            #expect(try told(results[2], "verdict") == "done confirmed")
            #expect(
                try told(results[3])
                    == "refused \(IncidentObstacle.alarmTaken(scene.alarms[1], by: incident))")
            #expect(try told(results[4], "verdict") == "done confirmed")
            #expect(try told(results[5], "incident") == "done \(incident)")
            #expect(try told(results[6]) == "refused closed")
            // The first two, the one matter, and the two before the last.
            #expect(try await positions(scene) == before + 3)
            // What was refused left its alarm alone.
            #expect(
                try await scene.database.number(
                    "SELECT count(*) FROM alarms WHERE verdict = 'confirmed'") == 2)

            let joined = try await take(
                [
                    RequestedStep(.confirm(), on: scene.alarms[3], joining: .recorded(incident)),
                    RequestedStep(.confirm(), on: scene.alarms[3], joining: .recorded(incident)),
                    RequestedStep(
                        .confirm(), on: scene.alarms[3], joining: .recorded(.make(at: now))),
                ], of: scene)

            #expect(
                try joined.map { try told($0, "incident") } == [
                    "done \(incident)", "unchanged \(incident)",
                    "refused \(IncidentObstacle.unknownIncident)",
                ])
        }
    }
}
