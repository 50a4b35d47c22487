import ControlCentre
import Imports
import JSON
import PostgreSQL
import TestSupport
import Testing

@testable import Store

@Suite struct `Assessing incidents` {
    private let begin = Timestamp.now() - .seconds(1_200)
    private let author = DemonstrationSite.observer(1)

    private func withNode(
        _ body: (TestDatabase, Instance, ReportingNode) async throws -> Void
    ) async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance, cameras: 2)
            try await database.query("UPDATE cameras SET installed_at = '2020-01-01Z'")
            try await body(
                database, instance, try await ReportingNode(of: site, in: instance, from: begin))
        }
    }

    /// Records a matter ten minutes after the begin, which the first camera had in view.
    private func record(
        of node: ReportingNode, in instance: Instance, _ set: (inout NewIncident) -> Void = { _ in }
    ) async throws -> Stored {
        var new = NewIncident(category: .criminalOffence)
        new.site = node.site.id
        new.occurredAt = begin + .seconds(600)
        new.pattern = .hitting
        new.cameras = [node.site.cameras[0]]
        set(&new)
        let wanted = new
        return try await instance.run { database in
            try await database.createIncident(wanted, by: author, at: .now())
        }.stored()
    }

    private func assessment(_ stored: Stored) throws -> String {
        let document = try JSON.parse(stored.document)
        let reason = document["assessment_reason"]?.asString
        return [document["assessment"]?.asString, reason].compactMap(\.self)
            .joined(separator: " ")
    }

    @Test func `what an analysed camera did not tell of is missed`() async throws {
        try await withNode { _, instance, node in
            try await node.beat(0)
            try await node.beat(601)

            let missed = try await record(of: node, in: instance)
            #expect(try assessment(missed) == "missed")
            #expect(try JSON.parse(missed.document)["computed"]?["model"]?.asString == "v1")
        }
    }

    @Test func `what could not be seen is not assessable, and why is told`() async throws {
        try await withNode { database, instance, node in
            try await node.beat(0, .blind)
            try await node.beat(601, .blind)

            let blind = try await record(of: node, in: instance)
            #expect(try assessment(blind) == "not_assessable not_analysed")
            let coverage = try JSON.parse(blind.document)["computed"]?["coverage"]?.asArray
            #expect(coverage?.compactMap(\.asString) == ["blind"])

            let nobody = try await record(of: node, in: instance) { $0.cameras = [] }
            #expect(try assessment(nobody) == "not_assessable no_camera")
            let nothing = try await record(of: node, in: instance) { $0.pattern = nil }
            #expect(try assessment(nothing) == "not_assessable no_pattern")
            // What is withdrawn today was permitted then.
            try await database.query("DELETE FROM site_patterns WHERE pattern = 'hitting'")
            let withdrawn = try await record(of: node, in: instance)
            #expect(try assessment(withdrawn) == "not_assessable not_analysed")
            try await database.query("DELETE FROM pattern_periods WHERE pattern = 'hitting'")
            let forbidden = try await record(of: node, in: instance)
            #expect(try assessment(forbidden) == "not_assessable not_permitted")
        }
    }

    @Test(arguments: [(539, "missed"), (540, "detected"), (720, "detected"), (721, "missed")])
    func `an alarm from a minute before to two minutes after detects it`(
        second: Int, expected: String
    ) async throws {
        try await withNode { _, instance, node in
            try await node.beat(0)
            try await node.beat(601)
            _ = try await instance.submit(
                node.site.detection(mode: .parallel, at: begin + .seconds(second)))

            #expect(try assessment(await record(of: node, in: instance)) == expected)
        }
    }

    @Test func `an alarm that comes late makes a missed matter detected, and that is journaled`()
        async throws
    {
        try await withNode { database, instance, node in
            try await node.beat(0)
            try await node.beat(601)
            let id: IncidentID = try await record(of: node, in: instance).id()
            try await instance.run { try await $0.assessDueIncidents() }
            #expect(try await assessed(database) == 0)
            _ = try await instance.submit(
                node.site.detection(at: begin + .seconds(610), receivedAt: .now()))

            try await database.query("UPDATE incidents SET assess_after = now()")
            try await instance.run { try await $0.assessDueIncidents() }
            let stored = try #require(
                try await instance.run { try await $0.incident(id, only: nil) })
            #expect(try assessment(stored) == "detected")
            #expect(try await assessed(database) == 1)

            // What changes nothing leaves no trace.
            try await database.query("UPDATE incidents SET assess_after = now()")
            try await instance.run { try await $0.assessDueIncidents() }
            #expect(try await assessed(database) == 1)
        }
    }

    @Test func `what is taken over from before is assessed by the same rule`() async throws {
        try await withNode { database, instance, node in
            try await node.beat(0)
            try await node.beat(601)
            _ = try await instance.submit(
                node.site.detection(pattern: .kicking, at: begin + .seconds(600)))
            try await database.query("DELETE FROM pattern_periods WHERE pattern = 'weapon'")
            let seen = (begin + .seconds(600)).rfc3339
            let history = """
                key,category,occurred_at,pattern,cameras,note
                1,criminal_offence,\(seen),hitting,camera-0,missed
                2,criminal_offence,\(seen),kicking,camera-0,detected
                3,criminal_offence,\(seen),hitting,,not_assessable no_camera
                4,criminal_offence,\(seen),weapon,camera-0,not_assessable not_permitted
                5,criminal_offence,\(seen),,camera-0,not_assessable no_pattern
                6,criminal_offence,2022-06-04T01:20,hitting,camera-0,not_assessable not_analysed

                """

            let outcome = try await instance.run { database in
                try await database.importHistory(
                    HistoryFile(HistoryFile.Bytes(Array(history.utf8)), format: .csv),
                    into: node.site.id, ImportOptions(), by: author, at: .now())
            }

            guard case .done(let report) = outcome else { throw NotStored(outcome: "\(outcome)") }
            #expect(report.faults == [])
            let rows = try await database.query(
                """
                SELECT r.text, concat_ws(' ', i.assessment, i.computed_reason),
                    array_to_string(i.computed_coverage, ' '),
                    concat_ws(' ', j.document ->> 'assessment', j.document ->> 'assessment_reason')
                FROM incidents i JOIN remarks r ON r.id = i.note
                JOIN journal j ON j.subject = i.id::text
                """)
            #expect(rows.rowCount == 6)
            for row in 0..<rows.rowCount {
                let expected = try rows.text(row, 0)
                #expect(try rows.text(row, 1) == expected)
                #expect(try rows.text(row, 3) == expected)
                if expected.hasSuffix("not_analysed") {
                    #expect(try rows.text(row, 2) == "unknown")
                }
            }
        }
    }

    private func assessed(_ database: TestDatabase) async throws -> Int {
        try await database.number(
            "SELECT count(*) FROM journal WHERE event = 'incident.assessed' AND actor IS NULL")
    }

    @Test func `a person's word stands, and what was computed stays visible`() async throws {
        try await withNode { database, instance, node in
            let id: IncidentID = try await record(of: node, in: instance).id()
            _ = try await instance.run { database in
                try await database.assessIncident(
                    id, only: nil, as: .missed, reason: "Klar zu sehen", by: author, at: .now())
            }.stored()
            _ = try await instance.submit(
                node.site.detection(at: begin + .seconds(610), receivedAt: .now()))
            try await database.query("UPDATE incidents SET assess_after = now()")
            try await instance.run { try await $0.assessDueIncidents() }

            let stored = try #require(
                try await instance.run { try await $0.incident(id, only: nil) })
            #expect(try assessment(stored) == "missed overruled")
            let computed = try JSON.parse(stored.document)["computed"]?["assessment"]?.asString
            #expect(computed == "detected")
        }
    }
}
