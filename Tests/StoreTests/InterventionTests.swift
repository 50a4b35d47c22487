import ControlCentre
import JSON
import PostgreSQL
import TestSupport
import Testing

@testable import Store

@Suite struct `Recording interventions` {
    private let occurred = Timestamp.now() - .seconds(600)
    private let author = DemonstrationSite.observer(1)

    private func withIncident(
        _ body: (TestDatabase, Instance, IncidentID) async throws -> Void
    ) async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database, loops: 2)
            let site = try await DemonstrationSite(in: instance)
            var new = NewIncident(category: .criminalOffence)
            new.site = site.id
            new.occurredAt = occurred
            let wanted = new
            let incident = try await instance.run { database in
                try await database.createIncident(wanted, by: author, at: .now())
            }
            try await body(database, instance, try incident.stored().id())
        }
    }

    private func dispatch(
        _ incident: IncidentID, immediate: Bool = true, after second: Int, in instance: Instance
    ) async throws -> InterventionID {
        var new = NewIntervention(incident: incident, immediate: immediate)
        new.dispatchedAt = occurred + .seconds(second)
        let wanted = new
        let result = try await instance.run { database in
            try await database.createIntervention(wanted, only: nil, by: author, at: .now())
        }
        return try result.stored().id()
    }

    private func take(
        _ step: InterventionStep, on id: InterventionID, in instance: Instance, loop: Int = 0
    ) async throws -> InterventionResult {
        try await instance.databases[loop].run { database, _ in
            try await database.apply(
                step, reason: nil, to: id, only: nil, by: author, at: .now())
        }
    }

    private func arrival(after second: Int) -> InterventionStep {
        .arrive(
            Intervention.Arrival(at: occurred + .seconds(second), source: .keyed),
            isExplained: false)
    }

    private func figures(_ database: TestDatabase) async throws -> [Int64?] {
        let row = try await database.query(
            """
            SELECT intervention_count, immediate_count,
                (incident_document(i) ->> 'arrival_seconds')::bigint FROM incidents i
            """)
        return try (0..<3).map { try row.int64IfPresent(0, $0) }
    }

    @Test func `an incident shows its first arrival and whether units were sent at once`()
        async throws
    {
        try await withIncident { database, instance, incident in
            #expect(try await figures(database) == [0, 0, nil])
            let first = try await dispatch(incident, after: 10, in: instance)
            let second = try await dispatch(incident, immediate: false, after: 20, in: instance)
            #expect(try await figures(database) == [2, 1, nil])
            _ = try await take(arrival(after: 200), on: second, in: instance).stored()
            _ = try await take(arrival(after: 150), on: first, in: instance).stored()
            #expect(try await figures(database) == [2, 1, 150])

            // The last immediate intervention is taken back, and with it what it brought.
            _ = try await take(.cancel, on: first, in: instance).stored()
            #expect(try await figures(database) == [1, 0, 200])
        }
    }

    @Test func `of two arrivals at once one wins, the other is told when`() async throws {
        try await withIncident { database, instance, incident in
            for second in 1...5 {
                let id = try await dispatch(incident, after: second, in: instance)

                async let left = take(arrival(after: 100), on: id, in: instance, loop: 0)
                async let right = take(arrival(after: 200), on: id, in: instance, loop: 1)

                switch (try await left, try await right) {
                case (.done(let winner), .refused(.rule(let refusal), let current)),
                    (.refused(.rule(let refusal), let current), .done(let winner)):
                    let arrivedAt = Timestamp(rfc3339: try text(winner.document, "arrived_at"))
                    #expect(refusal == .alreadyArrived(at: try #require(arrivedAt)))
                    #expect(current == winner.document)
                case let other: Issue.record("\(other)")
                }
            }
            let arrivals = try await database.number(
                "SELECT count(*) FROM journal WHERE event = 'intervention.arrived'")
            #expect(arrivals == 5)
        }
    }

    @Test func `a recognition is not corrected past the first dispatch`() async throws {
        try await withIncident { _, instance, incident in
            _ = try await dispatch(incident, after: 10, in: instance)
            var change = IncidentChange()
            change.recognisedAt = occurred + .seconds(11)
            let wanted = change

            let result = try await instance.run { database in
                try await database.changeIncident(
                    incident, only: nil, if: .any, to: wanted, reason: "Nachgetragen", by: author,
                    at: .now())
            }

            guard case .refused(let obstacle, _) = result else {
                Issue.record("\(result)")
                return
            }
            #expect(
                obstacle
                    == .rule(.recognisedAfterDispatch(dispatchedAt: occurred + .seconds(10))))
        }
    }
}

extension InterventionResult {
    func stored() throws -> Stored {
        switch self {
        case .done(let stored), .unchanged(let stored): return stored
        default: throw NotStored(outcome: "\(self)")
        }
    }
}
