import ControlCentre
import Imports
import JSON
import TestSupport
import Testing

@testable import Store

/// What happens to the matters of two sites, at random, most of it around the changes of clocks and
/// the ends of months and years; and what the answers to each step said.
struct RandomMatters: Sendable {
    let sites: [DemonstrationSite]
    let areas: [SiteID: [AreaID]]
    private var author: Author
    private let begin = Timestamp.now()
    /// Of things that must have names or times of their own.
    private var serial = 0
    /// As the steps' answers tell.
    var matters = RecordedMatters()
    /// How often each kind of step was taken, and how often refused.
    private(set) var outcomes: [Step: (taken: Int, refused: Int)] = [:]
    /// The kind of the step under way.
    private var current = Step.creation

    enum Step: CaseIterable {
        case creation
        case creationOfAlarm
        case watching
        case moving
        case history
        case correction
        case retraction
        case assessment
        case dispatch
        case work
        case dispatchCorrection
    }

    // 2025-10-26, 2025-12-29, 2025-12-31, 2026-02-28 and 2026-03-29, in UTC.
    private static let days: [Int64] = [
        1_761_436_800, 1_766_966_400, 1_767_139_200, 1_772_236_800, 1_774_742_400,
    ]

    /// Sets up both sites, each with a monitored area and one that is not.
    init(in instance: Instance, by author: Author, cameras: Int = 2) async throws {
        self.author = author
        var sites: [DemonstrationSite] = []
        var areas: [SiteID: [AreaID]] = [:]
        for name in ["mannheim", "hamburg"] {
            let site = try await DemonstrationSite(in: instance, named: name, cameras: cameras)
            let other: AreaID = try await instance.run { database in
                try await database.createArea(
                    NewArea(site: site.id, name: "Wasserturm", monitored: false), by: author,
                    at: .now()
                ).stored().id()
            }
            sites.append(site)
            areas[site.id] = [site.area, other]
            matters.monitored[site.area.description] = true
            matters.monitored[other.description] = false
            matters.setUp[name] = site.createdAt
        }
        self.sites = sites
        self.areas = areas
    }

    /// The same so far, gone on with by another writer, whose alarms and keys are its own.
    func continued(by writer: Int) -> RandomMatters {
        var other = self
        other.author = DemonstrationSite.observer(10 + writer, as: .shiftSupervisor)
        other.serial = 200 * writer
        return other
    }

    // MARK: Chance

    private func instant(_ generator: inout SplitMix64) -> Timestamp {
        let day = Self.days.randomElement(using: &generator) ?? Self.days[0]
        let offset = Int64.random(in: -12_000...12_000, using: &generator)
        return Timestamp.epoch + .seconds(day + offset)
    }

    private func outcomes(_ generator: inout SplitMix64) -> [IncidentOutcome] {
        [[], [.arrest], [.arrest, .proceedings], [.warning]].randomElement(using: &generator) ?? []
    }

    private func category(_ generator: inout SplitMix64) -> ControlCentre.Category {
        ControlCentre.Category.allCases.randomElement(using: &generator) ?? .criminalOffence
    }

    private func area(of site: SiteID, _ generator: inout SplitMix64) -> AreaID? {
        Int.random(in: 0..<3, using: &generator) == 0
            ? nil : areas[site]?.randomElement(using: &generator)
    }

    // MARK: Steps

    mutating func step(
        in instance: Instance, _ database: TestDatabase, _ generator: inout SplitMix64
    ) async throws {
        let step: Step =
            switch Int.random(in: 0..<30, using: &generator) {
            case 0..<7: .creation
            case 7: .creationOfAlarm
            case 8: .watching
            case 9: .moving
            case 10: .history
            case 11..<17: .correction
            case 17: .retraction
            case 18: .assessment
            case 19..<24: .dispatch
            case 24..<28: .work
            default: .dispatchCorrection
            }
        try await take(step, in: instance, database, &generator)
    }

    /// Takes a step of that kind, or records a matter where there is none yet to take it on.
    mutating func take(
        _ step: Step, in instance: Instance, _ database: TestDatabase,
        _ generator: inout SplitMix64
    ) async throws {
        let incident = matters.matters.keys.sorted().randomElement(using: &generator)
            .flatMap { IncidentID($0) }
        // To most of the others nothing more can be done.
        let isOpen = Int.random(in: 0..<8, using: &generator) > 0
        let dispatch = matters.dispatches.filter {
            !isOpen || !$0.value.isCancelled && (step != .work || $0.value.arrivedAt == nil)
        }
        .keys.sorted().randomElement(using: &generator).flatMap { InterventionID($0) }
        let site = sites[Int.random(in: 0..<3, using: &generator) / 2]
        current = step
        switch (step, incident, dispatch) {
        case (.creationOfAlarm, _, _):
            try await createOfAlarm(at: site, in: instance, &generator)
        case (.watching, _, _): try await watch(site, in: instance, &generator)
        case (.moving, _, _): try await move(cameraOf: site, in: instance, &generator)
        case (.history, _, _):
            try await bringHistory(to: site, in: instance, database, &generator)
        case (.correction, let incident?, _):
            try await correct(incident, in: instance, &generator)
        case (.retraction, let incident?, _): try await retract(incident, in: instance)
        case (.assessment, let incident?, _):
            try await assess(incident, in: instance, &generator)
        case (.dispatch, let incident?, _):
            try await send(to: incident, in: instance, &generator)
        case (.work, _, let dispatch?): try await work(on: dispatch, in: instance, &generator)
        case (.dispatchCorrection, _, let dispatch?):
            try await correct(dispatch, in: instance, &generator)
        default:
            current = .creation
            try await create(at: site, in: instance, &generator)
        }
    }

    mutating func take(_ result: IncidentResult) throws {
        if case .done(let stored) = result {
            try matters.takeIncident(stored.document)
            outcomes[current, default: (0, 0)].taken += 1
        } else {
            outcomes[current, default: (0, 0)].refused += 1
        }
    }

    private mutating func take(_ result: InterventionResult) throws {
        if case .done(let stored) = result {
            try matters.takeIntervention(stored.document)
            outcomes[current, default: (0, 0)].taken += 1
        } else {
            outcomes[current, default: (0, 0)].refused += 1
        }
    }

    private mutating func create(
        at site: DemonstrationSite, in instance: Instance, _ generator: inout SplitMix64
    ) async throws {
        var new = NewIncident(category: category(&generator))
        new.site = site.id
        new.occurredAt = instant(&generator)
        new.area = area(of: site.id, &generator)
        // Then it is that of the camera, where that hangs now.
        if new.area == nil, Bool.random(using: &generator) { new.cameras = [site.cameras[0]] }
        if new.category == .hazardPrevention { new.subcategory = .drunk }
        new.pattern = [nil, .hitting, .kicking].randomElement(using: &generator) ?? nil
        new.operatingMode = Int.random(in: 0..<5, using: &generator) == 0 ? .training : .production
        new.outcomes = outcomes(&generator)
        if let occurredAt = new.occurredAt {
            new.recognitions = [
                NamedRecognition(
                    kind: Bool.random(using: &generator) ? .observer : .call,
                    at: occurredAt + .seconds(Int.random(in: 0...90, using: &generator)),
                    alarm: nil)
            ]
        }
        let (wanted, author) = (new, author)
        try take(
            try await instance.run { database in
                try await database.createIncident(wanted, by: author, at: .now())
            })
    }

    /// A matter entered for an alarm of today, which recognised it.
    private mutating func createOfAlarm(
        at site: DemonstrationSite, in instance: Instance, _ generator: inout SplitMix64
    ) async throws {
        serial += 1
        let raised = begin - .seconds(60 * 3_600) + .seconds(120 * serial)
        let outcome = try await instance.submit(site.detection(at: raised, receivedAt: .now()))
        guard case .created(let alarm?) = outcome else { throw NotStored(outcome: "\(outcome)") }
        let first = matters.firstAlarms[site.id.description] ?? raised
        matters.firstAlarms[site.id.description] = min(first, raised)
        var new = NewIncident(category: category(&generator))
        new.site = site.id
        new.occurredAt = instant(&generator)
        new.area = area(of: site.id, &generator)
        new.operatingMode = .production
        new.alarms = [alarm]
        let (wanted, author) = (new, author)
        try take(
            try await instance.run { database in
                try await database.createIncident(wanted, by: author, at: .now())
            })
    }

    private mutating func watch(
        _ site: DemonstrationSite, in instance: Instance, _ generator: inout SplitMix64
    ) async throws {
        let areas = areas[site.id] ?? []
        guard let area = areas.randomElement(using: &generator) else { return }
        var change = AreaChange()
        change.monitored = Bool.random(using: &generator)
        let (wanted, author) = (change, author)
        _ = try await instance.run { database in
            try await database.changeArea(
                area, only: nil, if: .any, to: wanted, by: author, at: .now()
            ).stored()
        }
        matters.monitored[area.description] = wanted.monitored
        outcomes[current, default: (0, 0)].taken += 1
    }

    private mutating func move(
        cameraOf site: DemonstrationSite, in instance: Instance, _ generator: inout SplitMix64
    ) async throws {
        var change = CameraChange()
        change.area = areas[site.id]?.randomElement(using: &generator)
        let (wanted, author) = (change, author)
        _ = try await instance.run { database in
            try await database.changeCamera(
                site.cameras[0], only: nil, if: .any, to: wanted, by: author, at: .now()
            ).stored()
        }
        outcomes[current, default: (0, 0)].taken += 1
    }

    private mutating func bringHistory(
        to site: DemonstrationSite, in instance: Instance, _ database: TestDatabase,
        _ generator: inout SplitMix64
    ) async throws {
        let before = try await instance.run { try await $0.journalHead() }.position
        var lines = [
            "kind,key,category,occurred_at,area,incident,immediate,dispatched_at,arrived_at,"
                + "cancelled_at,precinct"
        ]
        for _ in 0..<Int.random(in: 1...4, using: &generator) {
            serial += 1
            let key = "\(author.requestID)-\(serial)"
            let occurred = instant(&generator)
            let area = area(of: site.id, &generator)?.description ?? ""
            lines.append(
                "incident,E-\(key),\(category(&generator).rawValue),\(occurred.rfc3339),\(area),"
                    + ",,,,,")
            for unit in 0..<Int.random(in: 0...2, using: &generator) {
                let sent = occurred + .seconds(Int.random(in: 0...4_000, using: &generator))
                let there = sent + .seconds(Int.random(in: 0...900, using: &generator))
                let isCancelled = Bool.random(using: &generator)
                lines.append(
                    "intervention,I-\(key)-\(unit),,,,E-\(key),"
                        + "\(Bool.random(using: &generator)),\(sent.rfc3339),"
                        + (isCancelled ? ",\(there.rfc3339)" : "\(there.rfc3339),")
                        + ",Innenstadt")
            }
        }
        let (file, author) = (lines.joined(separator: "\n") + "\n", author)
        let outcome = try await instance.run { database in
            try await database.importHistory(
                HistoryFile(HistoryFile.Bytes(Array(file.utf8)), format: .csv), into: site.id,
                ImportOptions(), by: author, at: .now())
        }
        // Another writer brings history at this moment.
        if case .alreadyRunning = outcome { return }
        guard case .done(let report) = outcome, report.faults.isEmpty else {
            throw NotStored(outcome: "\(outcome) of \(file)")
        }
        // The report names none of the rows.
        let documents = try await database.query(
            """
            SELECT j.event, j.document::text FROM journal j JOIN positions p USING (change)
            WHERE p.position > $1 AND j.event IN ('incident.imported', 'intervention.imported')
            """, .int64(before))
        for row in 0..<documents.rowCount {
            let document = Array(try documents.text(row, 1).utf8)
            if try documents.text(row, 0) == "incident.imported" {
                try matters.takeIncident(document)
            } else {
                try matters.takeIntervention(document)
            }
        }
        outcomes[current, default: (0, 0)].taken += 1
    }

    private mutating func correct(
        _ id: IncidentID, in instance: Instance, _ generator: inout SplitMix64
    ) async throws {
        guard let matter = matters.matters[id.description], let site = SiteID(matter.site) else {
            return
        }
        var change = IncidentChange()
        switch Int.random(in: 0..<7, using: &generator) {
        case 0: change.category = .administrativeOffence
        case 1: change.occurredAt = instant(&generator)
        case 2: change.area = .some(area(of: site, &generator))
        case 3: change.operatingMode = Bool.random(using: &generator) ? .production : .exercise
        case 4: change.pattern = .some(Bool.random(using: &generator) ? .hitting : nil)
        case 5:
            change.recognisedAt =
                matter.occurredAt + .seconds(Int.random(in: 0...600, using: &generator))
        default: change.outcomes = outcomes(&generator)
        }
        let (wanted, author) = (change, author)
        try take(
            try await instance.run { database in
                try await database.changeIncident(
                    id, only: nil, if: .any, to: wanted, reason: "Nachgetragen", by: author,
                    at: .now())
            })
    }

    private mutating func retract(_ id: IncidentID, in instance: Instance) async throws {
        let author = author
        try take(
            try await instance.run { database in
                try await database.retractIncident(
                    id, only: nil, reason: "Doppelt", by: author, at: .now())
            })
    }

    private mutating func assess(
        _ id: IncidentID, in instance: Instance, _ generator: inout SplitMix64
    ) async throws {
        let assessment = Assessment.allCases.randomElement(using: &generator) ?? .missed
        let author = author
        try take(
            try await instance.run { database in
                try await database.assessIncident(
                    id, only: nil, as: assessment, reason: "Gesehen", by: author, at: .now())
            })
    }

    private mutating func send(
        to incident: IncidentID, in instance: Instance, _ generator: inout SplitMix64
    ) async throws {
        guard let matter = matters.matters[incident.description] else { return }
        var new = NewIntervention(
            incident: incident, immediate: Bool.random(using: &generator))
        new.dispatchedAt =
            matter.recognisedAt + .seconds(Int.random(in: 0...4_000, using: &generator))
        new.precinct = ["Innenstadt", "Neckarstadt", nil].randomElement(using: &generator) ?? nil
        let (wanted, author) = (new, author)
        try take(
            try await instance.run { database in
                try await database.createIntervention(wanted, only: nil, by: author, at: .now())
            })
    }

    private mutating func work(
        on id: InterventionID, in instance: Instance, _ generator: inout SplitMix64
    ) async throws {
        guard let dispatch = matters.dispatches[id.description] else { return }
        let step: InterventionStep =
            switch Int.random(in: 0..<4, using: &generator) {
            case 0: .cancel
            case 1: .complete
            default:
                .arrive(
                    Intervention.Arrival(
                        at: dispatch.dispatchedAt
                            + .milliseconds(Int.random(in: 0...900_000, using: &generator)),
                        source: .keyed), isExplained: false)
            }
        let author = author
        try take(
            try await instance.run { database in
                try await database.apply(
                    step, reason: nil, to: id, only: nil, by: author, at: .now())
            })
    }

    private mutating func correct(
        _ id: InterventionID, in instance: Instance, _ generator: inout SplitMix64
    ) async throws {
        guard let dispatch = matters.dispatches[id.description] else { return }
        var change = InterventionChange()
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: change.immediate = !dispatch.isImmediate
        case 1: change.precinct = .some(Bool.random(using: &generator) ? "Innenstadt" : nil)
        case 2:
            // Later than known, or never.
            change.arrivedAt = .some(dispatch.arrivedAt.map { $0 + .seconds(61) })
        default:
            change.dispatchedAt =
                dispatch.dispatchedAt
                + .seconds(Int.random(in: -1_000...4_000, using: &generator))
        }
        let (wanted, author) = (change, author)
        try take(
            try await instance.run { database in
                try await database.changeIntervention(
                    id, only: nil, if: .any, to: wanted, reason: "Nachgetragen", by: author,
                    at: .now())
            })
    }
}
