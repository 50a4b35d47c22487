import ControlCentre
import JSON
import PostgreSQL
import TestSupport
import Testing

@testable import Store

/// Figures of detections, alarms and what became of them.
@Suite(.timeLimit(.minutes(5))) struct `Figures of the analysis` {
    private let author = DemonstrationSite.observer(1)

    // MARK: Doing

    private func withSite(
        _ body: (TestDatabase, Instance, DemonstrationSite) async throws -> Void
    ) async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            try await body(
                database, instance, try await DemonstrationSite(in: instance, cameras: 2))
        }
    }

    private func raise(
        at text: String, _ site: DemonstrationSite, _ instance: Instance,
        _ pattern: BehaviourPattern = .hitting, confidence: Double = 0.95,
        mode: OperatingMode? = nil, receivedAt: String? = nil
    ) async throws -> AlarmID {
        let outcome = try await instance.submit(
            site.detection(
                pattern: pattern, mode: mode, confidence: confidence, at: try instant(text),
                receivedAt: try receivedAt.map { try instant($0) }))
        guard case .created(let alarm?) = outcome else { throw NotStored(outcome: "\(outcome)") }
        return alarm
    }

    private func judge(_ alarm: AlarmID, _ step: AlarmStep, _ instance: Instance) async throws {
        let result = try await instance.run { database in
            try await database.apply(
                step, to: alarm, only: nil, by: author, at: .now())
        }
        guard case .done = result else { throw NotStored(outcome: "\(result)") }
    }

    private func record(
        _ alarm: AlarmID, _ site: DemonstrationSite, _ instance: Instance
    ) async throws -> IncidentID {
        var new = NewIncident(category: .criminalOffence)
        new.site = site.id
        new.alarms = [alarm]
        let wanted = new
        return try await instance.run { database in
            try await database.createIncident(wanted, by: author, at: .now()).stored().id()
        }
    }

    private func retract(_ incident: IncidentID, _ instance: Instance) async throws {
        let result = try await instance.run { database in
            try await database.retractIncident(
                incident, only: nil, reason: "Doppelt", by: author, at: .now())
        }
        guard case .done = result else { throw NotStored(outcome: "\(result)") }
    }

    private func send(
        to incident: IncidentID, at text: String, _ instance: Instance
    ) async throws -> InterventionID {
        var new = NewIntervention(incident: incident, immediate: true)
        new.dispatchedAt = try instant(text)
        let wanted = new
        let result = try await instance.run { database in
            try await database.createIntervention(wanted, only: nil, by: author, at: .now())
        }
        guard case .done(let stored) = result else { throw NotStored(outcome: "\(result)") }
        return try stored.id()
    }

    private func take(
        _ step: InterventionStep, on intervention: InterventionID, _ instance: Instance
    ) async throws {
        let result = try await instance.run { database in
            try await database.apply(
                step, reason: nil, to: intervention, only: nil, by: author, at: .now())
        }
        guard case .done = result else { throw NotStored(outcome: "\(result)") }
    }

    private func countDetections(_ database: TestDatabase) async throws {
        try await database.queryAsRuntime("SELECT count_detections()")
    }

    // MARK: Asking

    private func question(_ metric: Metric, by groups: [Dimension] = []) throws
        -> StatisticsQuestion
    {
        try StatisticsQuestion(metric, from: "2026-02-01", to: "2026-04-01", by: groups)
    }

    private static let stages: [Measure] = MetricDefinition.current(of: .alarmFunnel).measures

    /// The stages of the funnel, from detections to arrivals.
    private func stages(_ cell: StatisticsAnswer.Cell) -> [Double?] {
        Self.stages.map { cell.tallies.number(of: $0) }
    }

    private func stages(_ part: StatisticsAnswer.Part) -> [String?: [Double?]] {
        Dictionary(uniqueKeysWithValues: part.cells.map { ($0.keys[0], stages($0)) })
    }

    /// The total and the cells, each with what can be told of alarms and of detections.
    private func lines(_ part: StatisticsAnswer.Part) -> [String] {
        ([part.total] + part.cells).map { cell in
            "\(cell.keys) \(stages(cell)) \(cell.state) \(cell.detectionState as Any)"
        }
    }

    /// The cells in which anything was counted.
    private func counted(_ part: StatisticsAnswer.Part) -> [[String?]: [Double?]] {
        Dictionary(uniqueKeysWithValues: part.cells.map { ($0.keys, stages($0)) })
            .filter { $0.value.contains { $0 != 0 } }
    }

    /// The same of an answer by day, whose days are summed up as the groups ask.
    private func sumsOfMonths(_ days: StatisticsAnswer.Part, by groups: [Dimension])
        -> [[String?]: [Double?]]
    {
        guard !groups.isEmpty else { return [:] }
        var sums: [[String?]: Tallies] = [:]
        for cell in days.cells {
            var rest = cell.keys.dropFirst()
            let month = cell.keys[0].map { String($0.prefix("YYYY-MM".count)) }
            let keys = groups.map { $0 == .month ? month : rest.removeFirst() }
            sums[keys, default: Tallies()].add(cell.tallies)
        }
        return sums.mapValues { tallies in Self.stages.map { tallies.number(of: $0) } }
            .filter { $0.value.contains { $0 != 0 } }
    }

    // MARK: The funnel

    @Test func `narrow from detections to arrivals, each on the day of the raise`() async throws {
        try await withSite { database, instance, site in
            // February: three detections make one alarm, of which one is below its threshold.
            let confirmed = try await raise(
                at: "2026-02-28T22:59:50Z", site, instance)
            for (second, confidence) in [(5, 0.3), (9, 0.9)] {
                _ = try await instance.submit(
                    site.detection(
                        confidence: confidence,
                        at: try instant("2026-02-28T22:59:50Z") + .seconds(second)))
            }
            // March, which begins in Mannheim at 23:00 UTC: one dismissed, one unjudged and late.
            let dismissed = try await raise(
                at: "2026-02-28T23:00:30Z", site, instance, .kicking, confidence: 0.55)
            _ = try await raise(
                at: "2026-03-10T12:00:00Z", site, instance, receivedAt: "2026-03-10T14:00:00Z")
            _ = try await raise(
                at: "2026-03-11T12:00:00Z", site, instance, mode: .parallel)
            try await judge(dismissed, .dismiss(.play, note: nil), instance)
            try await judge(confirmed, .confirm(note: nil), instance)
            let incident = try await record(confirmed, site, instance)
            let sent = try await send(to: incident, at: "2026-03-01T06:00:00Z", instance)
            try await take(
                .arrive(
                    Intervention.Arrival(at: try instant("2026-03-01T06:05:00Z"), source: .keyed),
                    isExplained: true), on: sent, instance)
            try await countDetections(database)

            let answer = try await instance.answer(question(.alarmFunnel, by: [.month]))

            #expect(
                stages(answer.period) == [
                    "2026-02": [3, 1, 1, 0, 0, 1, 1, 1], "2026-03": [2, 2, 0, 1, 1, 0, 0, 0],
                ])
            #expect(stages(answer.period.total) == [5, 3, 1, 1, 1, 1, 1, 1])
            #expect(answer.period.leftOut.operatingModes == ["parallel": 1])
            #expect(answer.period.leftOut[.refused] == 0)
            #expect(answer.period.leftOut[.unjudged] == nil)
            let total = answer.period.total
            #expect(total.state(of: .alarms) == .partial)
            #expect(total.state(of: .detections) == .partial)

            let reasons = try await instance.answer(
                question(.alarmFunnel, by: [.dismissalReason, .late]))
            let told = reasons.period.cells.filter { stages($0) != Array(repeating: 0, count: 8) }
            #expect(
                told.map(\.keys) == [["play", "false"], [nil, "true"], [nil, "false"]])
            #expect(
                told.map { stages($0) } == [
                    [0, 1, 0, 1, 0, 0, 0, 0], [1, 1, 0, 0, 1, 0, 0, 0], [4, 1, 1, 0, 0, 1, 1, 1],
                ])
            #expect(told.map { $0.state(of: .detections) } == [nil, .partial, .partial])
            // The sums of runs say the same as the rows: those of whole months, and each day's.
            let groupings: [[Dimension]] = [
                [], [.month], [.month, .late], [.dismissalReason], [.area, .month], [.camera],
                [.pattern, .rule], [.site, .operatingMode],
            ]
            var before: [StatisticsAnswer.Part] = []
            for groups in groupings {
                before.append(
                    try await instance.answer(question(.alarmFunnel, by: groups)).period)
            }
            try await database.rollUpLedger()
            for (groups, rows) in zip(groupings, before) {
                let sums = try await instance.answer(question(.alarmFunnel, by: groups)).period
                #expect(lines(sums) == lines(rows), "\(groups)")
                #expect(sums.leftOut.operatingModes == rows.leftOut.operatingModes)
                #expect(
                    sums.leftOut.operatingModes["parallel"]
                        == (groups.contains(.operatingMode) ? nil : 1))
                // No run has days.
                let parts = groups.filter { !$0.isCalendar }
                let days = try await instance.answer(question(.alarmFunnel, by: [.day] + parts))
                    .period
                #expect(sumsOfMonths(days, by: groups) == counted(sums), "\(groups)")
            }
            #expect(answer.period.late == .number(1))
            let earlier = try await instance.answer(
                StatisticsQuestion(.alarmFunnel, from: "2020-01-01", to: "2021-01-01"))
            #expect(earlier.period.total.state == .notRecorded && earlier.period.late == nil)
            let models = try await instance.answer(question(.alarmFunnel, by: [.model, .pattern]))
            #expect(models.period.cells.map(\.keys) == [["v1", "hitting"], ["v1", "kicking"]])
            try await instance.expectAgreement()
        }
    }

    @Test func `move no other month when a verdict changes, and keep what was known before`()
        async throws
    {
        try await withSite { database, instance, site in
            let february = try await raise(
                at: "2026-02-10T12:00:00Z", site, instance)
            let march = try await raise(
                at: "2026-03-10T12:00:00Z", site, instance)
            try await judge(february, .dismiss(.sport, note: nil), instance)
            try await judge(march, .confirm(note: nil), instance)
            var question = try question(.alarmFunnel, by: [.month])
            let before = try await instance.answer(question)
            try await database.rollUpLedger()

            try await judge(february, .confirm(note: nil), instance)
            // Whoever says the same again changes nothing that counts.
            let rows = try await database.number("SELECT count(*) FROM alarm_ledger")
            try await judge(february, .comment(text: "Noch einmal gesehen"), instance)
            #expect(try await database.number("SELECT count(*) FROM alarm_ledger") == rows)

            let after = try await instance.answer(question)
            question.asOf = before.recordedAt
            let again = try await instance.answer(question)
            try await database.rollUpLedger()
            let summed = try await instance.answer(question)
            #expect(stages(summed.period) == stages(before.period))
            #expect(
                stages(after.period) == [
                    "2026-02": [0, 1, 1, 0, 0, 0, 0, 0], "2026-03": [0, 1, 1, 0, 0, 0, 0, 0],
                ])
            #expect(stages(before.period)["2026-02"] == [0, 1, 0, 1, 0, 0, 0, 0])
            #expect(stages(again.period) == stages(before.period))
            try await instance.expectAgreement()
        }
    }

    @Test func `take a stage back with a retracted matter or a recalled unit`() async throws {
        try await withSite { _, instance, site in
            let alarm = try await raise(
                at: "2026-02-10T12:00:00Z", site, instance)
            let incident = try await record(alarm, site, instance)
            let sent = try await send(to: incident, at: "2026-02-10T12:10:00Z", instance)
            let question = try question(.alarmFunnel)
            #expect(
                stages(try await instance.answer(question).period.total) == [
                    0, 1, 0, 0, 1, 1, 1, 0,
                ])

            try await take(.cancel, on: sent, instance)
            #expect(
                stages(try await instance.answer(question).period.total) == [
                    0, 1, 0, 0, 1, 1, 0, 0,
                ])

            _ = try await send(to: incident, at: "2026-02-10T12:20:00Z", instance)
            try await retract(incident, instance)
            #expect(
                stages(try await instance.answer(question).period.total) == [
                    0, 1, 0, 0, 1, 0, 0, 0,
                ])

            // It may belong to another matter then.
            _ = try await record(alarm, site, instance)
            #expect(
                stages(try await instance.answer(question).period.total) == [
                    0, 1, 0, 0, 1, 1, 0, 0,
                ])
            try await instance.expectAgreement()
        }
    }

    @Test func `count a verdict and a matter that come at the same time`() async throws {
        try await withSite { database, instance, site in
            let other = try await Instance(on: database)
            for minute in 10..<30 {
                let alarm = try await raise(at: "2026-02-10T12:\(minute):00Z", site, instance)
                async let verdict: Void = judge(alarm, .confirm(note: nil), instance)
                async let incident = record(alarm, site, other)
                _ = try await (verdict, incident)
            }

            let answer = try await instance.answer(question(.alarmFunnel))
            #expect(stages(answer.period.total) == [0, 20, 20, 0, 0, 20, 0, 0])
            try await instance.expectAgreement()
        }
    }

    // MARK: Detections

    @Test func `of detections are the same after retention, and as known before it`() async throws {
        try await withSite { database, instance, site in
            try await database.query(
                "SELECT ensure_detection_partitions('2026-02-10', '2026-02-11')")
            _ = try await raise(
                at: "2026-02-10T12:00:00Z", site, instance)
            // Late by a day, and late beyond the retention period: counted, but no alarm.
            _ = try await raise(
                at: "2026-02-10T18:00:00Z", site, instance, receivedAt: "2026-02-11T18:00:00Z")
            try await countDetections(database)
            var question = try question(.alarmFunnel, by: [.day])
            let before = try await instance.answer(question)
            let counted = try await instance.submit(
                site.detection(
                    at: try instant("2026-02-11T12:00:00Z"),
                    receivedAt: try instant("2026-03-11T12:00:00Z")))
            #expect(counted == .countedOnly)

            // What came after the count is not told yet, but retention deletes nothing uncounted.
            #expect(stages(try await instance.answer(question).period)["2026-02-11"]?[0] == 0)
            try await runRetention(instance)
            #expect(try await database.number("SELECT count(*) FROM detections") == 0)
            #expect(
                try await database.number("SELECT sum(amount)::bigint FROM detection_ledger") == 3)

            let after = try await instance.answer(question)
            #expect(stages(after.period)["2026-02-10"] == [2, 2, 0, 0, 2, 0, 0, 0])
            #expect(stages(after.period)["2026-02-11"] == [1, 0, 0, 0, 0, 0, 0, 0])
            #expect(
                try #require(after.detectionsBefore) > (try #require(before.detectionsBefore)))
            question.asOf = before.recordedAt
            let again = try await instance.answer(question)
            #expect(again.detectionsBefore == before.detectionsBefore)
            #expect(stages(again.period) == stages(before.period))
            try await instance.expectAgreement()
        }
    }

    private func runRetention(_ instance: Instance) async throws {
        try await instance.run { database in while try await database.deleteDue().isMore {} }
    }

    @Test func `are counted once by any number of runs at once`() async throws {
        try await withSite { database, instance, site in
            for minute in 0..<20 {
                _ = try await instance.submit(
                    site.detection(
                        camera: minute % 2,
                        at: try instant("2026-02-10T12:00:00Z") + .seconds(minute * 60)))
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 {
                    group.addTask { try await countDetections(database) }
                }
                try await group.waitForAll()
            }
            // Another finds nothing but the run before it, and makes none of its own.
            let runs = try await database.number("SELECT count(*) FROM detection_runs")
            try await countDetections(database)

            #expect(try await database.number("SELECT count(*) FROM detection_runs") == runs)
            #expect(
                try await database.number("SELECT sum(amount)::bigint FROM detection_ledger") == 20)
            try await instance.expectAgreement()
        }
    }

    @Test func `tell how many detections were refused, by their receipt`() async throws {
        try await withSite { _, instance, site in
            var question = try question(.alarmFunnel)
            _ = try await raise(at: "2026-02-10T12:00:00Z", site, instance)
            let before = try await instance.answer(question)
            // Two on the last day of the period, and one after it.
            for (second, day) in [
                "2026-03-31T21:59:00Z", "2026-03-31T21:59:30Z", "2026-04-01T12:00:00Z",
            ]
            .enumerated() {
                var unknown = site.detection(
                    at: try instant("2026-03-01T12:00:00Z") + .seconds(second),
                    receivedAt: try instant(day))
                unknown.camera = "no such camera"
                #expect(try await instance.submit(unknown) == .refused(.unknownCamera))
            }
            try await instance.lane.run { lane, _ in try await lane.writeRefusals() }

            let after = try await instance.answer(question)
            question.asOf = before.recordedAt
            let again = try await instance.answer(question)
            #expect(after.period.leftOut[.refused] == 2)
            #expect(again.period.leftOut[.refused] == 0)
        }
    }

    @Test func `that the journal does not bear out are found`() async throws {
        try await withSite { database, instance, site in
            _ = try await raise(
                at: "2026-02-10T12:00:00Z", site, instance)
            try await countDetections(database)
            try await instance.expectAgreement()

            try await database.query("UPDATE detection_ledger SET amount = 2")
            try await database.query("UPDATE alarm_ledger SET verdict = 'confirmed'")

            let differences = try await instance.run { try await $0.ledgerDifferences() }
            #expect(differences.map(\.kind) == ["alarm", "alarm", "detections", "detections"])
            #expect(differences.map(\.amount) == [-1, 1, -1, 1])
        }
    }

    // MARK: Quality

    @Test func `say how good the recognition is`() async throws {
        try await withSite { database, instance, site in
            for (day, verdict) in [
                (10, AlarmStep.confirm(note: nil)), (11, .confirm(note: nil)),
                (12, .dismiss(.crowd, note: nil)),
            ] {
                let alarm = try await raise(at: "2026-02-\(day)T12:00:00Z", site, instance)
                try await judge(alarm, verdict, instance)
            }
            _ = try await raise(
                at: "2026-02-13T12:00:00Z", site, instance, .kicking, confidence: 0.5)
            // A matter within the time of an alarm of its pattern, and one without any pattern.
            for (text, pattern) in [
                ("2026-02-10T12:00:30Z", BehaviourPattern.hitting),
                ("2026-02-20T12:00:00Z", nil),
            ] {
                var new = NewIncident(category: .criminalOffence)
                new.site = site.id
                new.cameras = [site.cameras[0]]
                new.occurredAt = try instant(text)
                new.pattern = pattern
                let wanted = new
                _ = try await instance.run { database in
                    try await database.createIncident(wanted, by: author, at: .now()).stored()
                }
            }
            try await countDetections(database)

            let answer = try await instance.answer(question(.detectionQuality, by: [.pattern]))

            func number(_ measure: Measure, _ pattern: String?) -> Double? {
                answer.period.cells.first { $0.keys == [pattern] }?.tallies.number(of: measure)
            }
            #expect(number(.precision, "hitting") == 2.0 / 3)
            #expect(number(.precision, "kicking") == nil)
            #expect(number(.unjudged, "kicking") == 1)
            #expect(number(.detected, "hitting") == 1)
            #expect(number(.recallEstimate, "hitting") == 1)
            #expect(number(.noPattern, nil) == 1)
            #expect(number(.notAssessable, nil) == 1)
            #expect(number(.decile9, "hitting") == 3)
            #expect(number(.decile5, "kicking") == 1)
            let models = try await instance.answer(question(.detectionQuality, by: [.model]))
            #expect(
                models.period.cells.map { $0.tallies.number(of: .recallEstimate) } == [1, nil])
            let total = answer.period.total.tallies
            #expect(Measure.deciles.compactMap { total.number(of: $0) }.reduce(0, +) == 4)
            #expect(answer.period.leftOut[.unjudged] == 1)
            #expect(answer.period.leftOut[.retracted] == 0)
            try await instance.expectAgreement()
        }
    }
}
