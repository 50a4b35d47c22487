import ControlCentre
import TestSupport
import Testing

@testable import Store

@Suite struct `Keeping frozen reports` {
    private static let statistician = DemonstrationSite.observer(1, as: .statistician)

    private static func sealed(of site: SiteID?, at instant: Timestamp = .now()) -> SealedReport {
        SealedReport(
            id: .make(at: instant), site: site, title: "Videoschutz", reference: "Drucksache 1",
            stand: "heute", position: 1, content: Array("{}".utf8),
            hash: Array(repeating: 1, count: 32), signature: Array(repeating: 2, count: 64),
            key: Array(repeating: 3, count: 32), publicKey: "PEM")
    }

    @Test func `of two persons who release a report at once, one does`() async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database, loops: 4)
            let site = try await DemonstrationSite(in: instance)
            let report = Self.sealed(of: site.id)
            _ = try await instance.run { database in
                try await database.freeze(report, by: Self.statistician, at: .now())
            }

            let outcomes = await withTaskGroup(of: String.self) { group in
                for (number, database) in instance.databases.enumerated() {
                    group.addTask {
                        let person = DemonstrationSite.observer(10 + number, as: .statistician)
                        let outcome = try? await database.run { database, _ in
                            try await database.releaseReport(
                                report.id, only: site.id, by: person, at: .now())
                        }
                        return switch outcome {
                        case .released: "released"
                        case .alreadyReleased: "already"
                        default: "\(String(describing: outcome))"
                        }
                    }
                }
                return await group.reduce(into: [String: Int]()) { $0[$1, default: 0] += 1 }
            }

            #expect(outcomes == ["released": 1, "already": 3])
            #expect(
                try await database.number(
                    "SELECT count(*) FROM journal WHERE event = 'report.released'") == 1)
        }
    }

    @Test func `whoever froze a report does not release it, and strangers do not see it`()
        async throws
    {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance)
            let report = Self.sealed(of: site.id)
            let everywhere = Self.sealed(of: nil)
            let elsewhere = try #require(SiteID("elsewhere"))
            try await instance.run { database in
                _ = try await database.freeze(report, by: Self.statistician, at: .now())
                _ = try await database.freeze(everywhere, by: nil, at: .now())
            }

            try await instance.run { database in
                let own = try await database.releaseReport(
                    report.id, only: site.id, by: Self.statistician, at: .now())
                guard case .needsAnother = own else { throw NotStored(outcome: "\(own)") }
                let foreign = try await database.releaseReport(
                    report.id, only: elsewhere, by: DemonstrationSite.observer(2), at: .now())
                guard case .unknown = foreign else { throw NotStored(outcome: "\(foreign)") }
                #expect(try await database.report(report.id, only: elsewhere) == nil)
                // One of all sites is of no single one.
                #expect(try await database.report(everywhere.id, only: site.id) == nil)
                #expect(try await database.report(everywhere.id, only: nil)?.site == nil)
            }
        }
    }
}

@Suite struct `Several questions at one position` {
    private func question(_ metric: Metric, by groups: [Dimension] = []) throws
        -> StatisticsQuestion
    {
        var question = try StatisticsQuestion(
            metric, from: "2026-03-01", to: "2026-04-01", by: groups)
        question.comparisons = [.previousSamePeriod]
        return question
    }

    private func snapshot(
        _ questions: [StatisticsQuestion], knowing knowledge: Knowledge, _ instance: Instance
    ) async throws -> StatisticsSnapshot {
        let outcome = try await instance.run { database in
            try await database.answers(questions, knowing: knowledge, at: .now())
        }
        guard case .snapshot(let snapshot) = outcome else { throw NotStored(outcome: "\(outcome)") }
        return snapshot
    }

    private struct Row: Equatable {
        let keys: [String?]
        let state: RecordingState
        let tallies: Tallies
    }

    private static func rows(_ outcome: StatisticsOutcome) throws -> [Row] {
        guard case .answer(let answer) = outcome else { throw NotStored(outcome: "\(outcome)") }
        return ([answer.period] + answer.comparisons.map(\.part)).flatMap { part in
            (part.cells + [part.total]).map {
                Row(keys: $0.keys, state: $0.state, tallies: $0.tallies)
            }
        }
    }

    @Test func `have the same answers there after everything has changed`() async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance)
            let occurredAt = try instant("2026-03-10T12:00:00Z")
            let author = DemonstrationSite.observer(1, as: .shiftSupervisor)
            var new = NewIncident(category: .criminalOffence)
            new.site = site.id
            new.occurredAt = occurredAt
            let incident = new
            let id: IncidentID = try await instance.run { database in
                try await database.createIncident(incident, by: author, at: .now())
                    .stored().id()
            }
            var sent = NewIntervention(incident: id, immediate: true)
            sent.dispatchedAt = occurredAt
            let dispatch = sent
            let sending = try await instance.run { database in
                try await database.createIntervention(dispatch, only: nil, by: author, at: .now())
            }
            guard case .done = sending else { throw NotStored(outcome: "\(sending)") }
            let questions = [
                try question(.incidents, by: [.month, .category]),
                try question(.arrivalTimes), try question(.interventions, by: [.day]),
            ]
            let before = try await snapshot(questions, knowing: .now, instance)

            _ = try await instance.run { database in
                try await database.retractIncident(
                    id, only: nil, reason: "Doppelt", by: author, at: .now()
                ).stored()
            }

            let standing = Knowledge.standing(
                position: before.position, recordedAt: before.recordedAt, knownAt: before.knownAt)
            let again = try await snapshot(questions, knowing: standing, instance)
            let now = try await snapshot(questions, knowing: .now, instance)
            #expect(again.position == before.position)
            #expect(try again.outcomes.map(Self.rows) == before.outcomes.map(Self.rows))
            for (then, now) in zip(before.outcomes, now.outcomes) {
                #expect(try Self.rows(now) != Self.rows(then))
            }
            let changes = try await instance.run { database in
                try await database.changes(
                    behind: questions[0], after: before.position, upTo: now.position)
            }
            #expect(
                changes.filter { $0.keys != nil } == [
                    ChangeBehind(
                        part: 0, keys: ["2026-03", "criminal_offence"], position: now.position,
                        event: "incident.retracted", subject: id.description)
                ])
        }
    }
}
