import ControlCentre
import Imports
import JSON
import PostgreSQL
import TestSupport
import Testing

@testable import Store

/// What nodes send to two sites and observers make of it, at random, much of it around the changes of
/// clocks and the ends of months and years; in large batches, while cameras are moved, areas, rules,
/// patterns and modes changed, detections counted and deleted.
struct RandomAnalysis: Sendable {
    private let instance: Instance
    private let database: TestDatabase
    private let author: Author
    private let begin = Timestamp.now()
    private(set) var matters: RandomMatters
    private(set) var analysis = RecordedAnalysis()
    /// Those that were taken and can be sent again.
    private var sent: [IncomingDetection] = []
    private(set) var outcomes: [Step: (taken: Int, refused: Int)] = [:]
    /// Of how many alarms one of several detections made them enough.
    private(set) var enoughCount = 0

    // The configuration as it was set, each from an instant on
    private var areas: [CameraID: [(from: Timestamp, area: AreaID)]] = [:]
    private var monitored: [AreaID: [(from: Timestamp, isMonitored: Bool)]] = [:]
    private var rules: [RuleName: [(from: Timestamp, detectionsMin: Int)]] = [:]
    private var removals: [CameraID: Timestamp] = [:]
    private var windows: [Window] = []
    private var modes: [CameraID: OperatingMode] = [:]
    private var modesOfSites: [SiteID: OperatingMode] = [:]
    /// Where pushing is not permitted.
    private var withoutPushing: Set<SiteID> = []

    private struct RuleName: Hashable {
        let site: SiteID
        let pattern: BehaviourPattern
    }

    private struct Window {
        let id: ModeWindowID
        let site: SiteID
        let camera: CameraID?
        let mode: OperatingMode
        let from: Timestamp
        var to: Timestamp
    }

    enum Step: CaseIterable {
        case delivery
        case judging
        case confirming
        case recording
        case linking
        case moving
        case removal
        case watching
        case window
        case windowEnd
        case mode
        case rule
        case permission
        case counting
        case refusals
        case retention
        case sums
        case assessing
        case matter
    }

    // 2025-10-26, 2025-12-31, 2026-02-28 and 2026-03-29, in UTC.
    private static let days: [Int64] = [
        1_761_436_800, 1_767_139_200, 1_772_236_800, 1_774_742_400,
    ]
    /// How far apart from them things happen.
    private static let spread: Int64 = 12_000
    private static let patterns: [BehaviourPattern] = [.hitting, .kicking, .pushing]

    /// Sets up both sites, of which one has heartbeats of the last three hours.
    init(in instance: Instance, _ database: TestDatabase, by author: Author) async throws {
        (self.instance, self.database, self.author) = (instance, database, author)
        matters = try await RandomMatters(in: instance, by: author, cameras: 3)
        for site in matters.sites {
            for camera in site.cameras { areas[camera] = [(.earliest, site.area)] }
            for area in matters.areas[site.id] ?? [] {
                monitored[area] = [(.earliest, area == site.area)]
            }
            modesOfSites[site.id] = .production
        }
        try await database.query("UPDATE cameras SET installed_at = '2020-01-01Z'")
        try await database.query("DELETE FROM pattern_periods WHERE pattern = 'weapon'")
        // Some of the days have a partition of their own, which retention drops as a whole.
        try await database.query("SELECT ensure_detection_partitions('2026-03-28', '2026-03-29')")
        let node = try await ReportingNode(
            of: matters.sites[0], in: instance, from: begin - .seconds(10_800))
        for second in stride(from: 0, through: 10_800, by: ReportingNode.seconds) {
            try await node.beat(second)
        }
    }

    /// What is known now.
    var standing: RecordedAnalysis.Standing { analysis.standing(beside: matters.matters) }

    // MARK: Steps

    /// - Parameter number: how many were taken before; now and then each kind has its turn.
    mutating func step(_ number: Int, _ generator: inout SplitMix64) async throws {
        let turn = number / 8 % Step.allCases.count
        let step: Step =
            if number.isMultiple(of: 8) {
                Step.allCases[turn]
            } else {
                switch Int.random(in: 0..<90, using: &generator) {
                case 0..<27: .delivery
                case 27..<39: .judging
                case 39..<45: .confirming
                case 45..<50: .recording
                case 50..<53: .linking
                case 53..<55: .moving
                case 55: .removal
                case 56..<58: .watching
                case 58..<60: .window
                case 60..<62: .mode
                case 62..<64: .rule
                case 64..<69: .counting
                case 69..<71: .refusals
                case 71..<75: .sums
                default: .matter
                }
            }
        let site = matters.sites[Int.random(in: 0..<3, using: &generator) / 2]
        switch step {
        case .delivery: try await deliver(to: site, &generator)
        case .judging: try await judge(&generator)
        case .confirming: try await confirm(&generator)
        case .recording: try await record(at: site, &generator)
        case .linking: try await link(&generator)
        case .moving: try await move(at: site, &generator)
        case .removal: try await remove(at: site, &generator)
        case .watching: try await watch(site, &generator)
        case .window: try await openWindow(at: site, &generator)
        case .windowEnd: try await endWindow(&generator)
        case .mode: try await setMode(at: site, &generator)
        case .rule: try await version(at: site, &generator)
        case .permission: try await permit(at: site, &generator)
        case .counting: try await count(&generator)
        case .refusals: try await writeRefusals()
        case .retention: try await delete()
        case .sums:
            try await database.rollUpLedger()
            note(.sums)
        case .assessing: try await assess()
        case .matter: try await takeMatter(&generator)
        }
    }

    private mutating func takeMatter(_ generator: inout SplitMix64) async throws {
        let steps: [RandomMatters.Step] = [
            .history, .correction, .correction, .correction, .retraction, .assessment, .dispatch,
            .dispatch, .dispatch, .dispatch, .work, .work, .work, .work, .dispatchCorrection,
        ]
        let step = steps.randomElement(using: &generator) ?? .work
        try await matters.take(step, in: instance, database, &generator)
        note(.matter)
    }

    private mutating func note(_ step: Step, isTaken: Bool = true) {
        if isTaken {
            outcomes[step, default: (0, 0)].taken += 1
        } else {
            outcomes[step, default: (0, 0)].refused += 1
        }
    }

    private func head() async throws -> Int64 {
        try await instance.run { try await $0.journalHead() }.position
    }

    // MARK: Detections

    private enum Expectation {
        case taken(decile: Int64)
        case countedOnly(decile: Int64)
        case repeated
        case refused
    }

    private mutating func deliver(
        to site: DemonstrationSite, _ generator: inout SplitMix64
    ) async throws {
        // What is received now, or was while the clocks were changed.
        var receipt = Timestamp.now()
        if Int.random(in: 0..<5, using: &generator) > 1,
            let day = Self.days.randomElement(using: &generator)
        {
            receipt =
                .epoch
                + .seconds(day + Int64.random(in: -Self.spread...Self.spread, using: &generator))
        }
        var parcel: [IncomingDetection] = []
        var expected: [Expectation] = []
        for place in 0..<Int.random(in: 20...60, using: &generator) {
            let (detection, expectation) = detection(
                at: site, receivedAt: receipt + .microseconds(place), &generator)
            parcel.append(detection)
            expected.append(expectation)
        }
        let told = try await instance.submit(parcel)
        let position = try await head()
        var raising: [AlarmID: [(instant: Timestamp, detected: RecordedAnalysis.Detected)]] = [:]
        for (item, (expectation, outcome)) in zip(parcel, zip(expected, told)) {
            let detected = try detected(item, at: site)
            let instant = min(item.occurredAt, item.receivedAt)
            switch (expectation, outcome) {
            case (.taken(let decile), .created(let alarm)):
                sent.append(item)
                try analysis.take(detected, decile: decile, at: instant, position: position)
                if let alarm, analysis.sites[alarm] == nil {
                    raising[alarm, default: []].append((instant, detected))
                }
            case (.countedOnly(let decile), .countedOnly):
                sent.append(item)
                try analysis.take(detected, decile: decile, at: instant, position: position)
            case (.repeated, .duplicate): break
            case (.refused, .refused):
                try analysis.refuse(at: site.id, receivedAt: item.receivedAt)
            default: throw NotStored(outcome: "\(outcome) of \(item), not \(expectation)")
            }
        }
        for (alarm, members) in raising {
            let versions = rules[RuleName(site: site.id, pattern: members[0].detected.pattern)]
            // What raised it is the first of its group, or the one that made them enough.
            var (instant, detected) = try #require(members.min { $0.instant < $1.instant })
            if versions?.last.map({ $0.detectionsMin > 1 }) ?? false {
                let raisedAt = try await raisedAt(alarm)
                (instant, detected) = try #require(members.first { $0.instant == raisedAt })
                if members.contains(where: { $0.instant < raisedAt }) { enoughCount += 1 }
            }
            // An alarm is where its camera is by now, under the rule that is in force.
            detected.area = try #require(areas[detected.camera]?.last).area
            detected.isMonitored = try #require(monitored[detected.area]?.last).isMonitored
            detected.rule = versions?.count
            try analysis.raise(alarm, by: detected, at: instant)
            let first = matters.matters.firstAlarms[site.id.description] ?? instant
            matters.matters.firstAlarms[site.id.description] = min(first, instant)
        }
        note(.delivery)
    }

    private func detection(
        at site: DemonstrationSite, receivedAt: Timestamp, _ generator: inout SplitMix64
    ) -> (IncomingDetection, Expectation) {
        let kind = Int.random(in: 0..<30, using: &generator)
        if kind < 3, let old = sent.filter({ $0.site == site.id }).randomElement(using: &generator),
            old.pattern != BehaviourPattern.pushing.rawValue,
            !isRemoved(old.camera, at: old.occurredAt)
        {
            var again = old
            // Retention looks for what is young by no other clock than ours.
            again.receivedAt = .now()
            guard kind == 0 else { return (again, .repeated) }
            again.content += [0x20]
            return (again, .refused)
        }
        let age: Duration =
            switch Int.random(in: 0..<20, using: &generator) {
            case 0: .seconds(Int.random(in: -280...(-1), using: &generator))
            case 1...4: .milliseconds(Int.random(in: 61_000...200_000_000, using: &generator))
            case 5: .seconds(Int.random(in: 259_300...20_000_000, using: &generator))
            default: .milliseconds(Int.random(in: 0...50_000, using: &generator))
            }
        let decile = Int64.random(in: 0...9, using: &generator)
        let percent =
            decile * 10
            + Int64.random(in: 0...(decile == 9 ? 10 : 9), using: &generator)
        var detection = site.detection(
            // The time in an id says nothing here.
            DetectionID(UUID(high: generator.next(), low: generator.next())),
            camera: Int.random(in: 0..<site.cameras.count, using: &generator),
            pattern: Self.patterns.randomElement(using: &generator) ?? .hitting,
            mode: [nil, nil, nil, .parallel, .training].randomElement(using: &generator) ?? nil,
            model: [nil, "v1", "v2"].randomElement(using: &generator) ?? nil,
            confidence: Double(percent) / 100, at: receivedAt - age, receivedAt: receivedAt)
        if kind == 3 {
            detection.camera = "no such camera"
            return (detection, .refused)
        }
        if kind == 4 {
            detection.occurredAt = receivedAt + .seconds(301)
            return (detection, .refused)
        }
        if withoutPushing.contains(site.id), detection.pattern == BehaviourPattern.pushing.rawValue
        {
            return (detection, .refused)
        }
        if isRemoved(detection.camera, at: detection.occurredAt) { return (detection, .refused) }
        return (
            detection,
            age > .seconds(259_200) ? .countedOnly(decile: decile) : .taken(decile: decile)
        )
    }

    private func isRemoved(_ camera: String, at instant: Timestamp) -> Bool {
        CameraID(camera).flatMap { removals[$0] }.map { $0 <= instant } ?? false
    }

    /// What a detection is of when it is received.
    private func detected(_ item: IncomingDetection, at site: DemonstrationSite) throws
        -> RecordedAnalysis.Detected
    {
        // Of a camera that nobody knows nothing is asked.
        let camera = CameraID(item.camera) ?? site.cameras[0]
        let pattern = try #require(BehaviourPattern(rawValue: item.pattern))
        let area = try #require(areas[camera]?.last { $0.from <= item.receivedAt }).area
        let versions = rules[RuleName(site: site.id, pattern: pattern)] ?? []
        let version = versions.count { $0.from <= item.receivedAt }
        func window(of camera: CameraID?) -> OperatingMode? {
            windows.first {
                $0.site == site.id && $0.camera == camera
                    && ($0.from..<$0.to).contains(item.occurredAt)
            }?.mode
        }
        return RecordedAnalysis.Detected(
            site: site.id, area: area,
            isMonitored: try #require(monitored[area]?.last { $0.from <= item.receivedAt })
                .isMonitored,
            camera: camera, pattern: pattern, model: item.model ?? DemonstrationSite.model,
            rule: version > 0 ? version : nil,
            mode: window(of: camera) ?? window(of: nil) ?? item.operatingMode ?? modes[camera]
                ?? modesOfSites[site.id] ?? .production,
            isLate: item.receivedAt - item.occurredAt > .seconds(60))
    }

    // MARK: Alarms

    private func alarm(_ generator: inout SplitMix64) -> AlarmID? {
        analysis.sites.keys.sorted().randomElement(using: &generator)
    }

    /// One that belongs to no matter, and seldom one that does.
    private func freeAlarm(of site: SiteID?, _ generator: inout SplitMix64) -> AlarmID? {
        var taken: Set<String> = []
        if Int.random(in: 0..<8, using: &generator) > 0 {
            for matter in matters.matters.matters.values where !matter.isRetracted {
                taken.formUnion(matter.alarms)
            }
        }
        return analysis.sites.filter { alarm, own in
            (site == nil || own == site) && !taken.contains(alarm.description)
        }.keys.sorted().randomElement(using: &generator)
    }

    private func verdict(_ generator: inout SplitMix64) -> AlarmStep {
        Bool.random(using: &generator)
            ? .confirm()
            : .dismiss(
                DismissalReason.allCases.randomElement(using: &generator) ?? .other, note: nil)
    }

    private mutating func judge(_ generator: inout SplitMix64) async throws {
        var steps: [RequestedStep] = []
        for _ in 0..<Int.random(in: 10...40, using: &generator) {
            guard let alarm = alarm(&generator) else { return }
            let step: AlarmStep =
                switch Int.random(in: 0..<20, using: &generator) {
                case 0: .acknowledge
                case 1: .comment(text: "Gesehen")
                case 2: .close()
                case 3: .reopen()
                default: verdict(&generator)
                }
            steps.append(RequestedStep(step, on: alarm))
        }
        let (asked, author) = (
            steps,
            DemonstrationSite.observer(
                Int.random(in: 1...3, using: &generator), as: .shiftSupervisor)
        )
        let results = try await instance.run { database in
            try await database.apply(asked, only: nil, by: author, at: .now())
        }
        for (step, result) in zip(steps, results) {
            switch result {
            case .done, .unchanged:
                analysis.judge(step.alarm, by: step.step)
                note(.judging)
            default: note(.judging, isTaken: false)
            }
        }
    }

    /// Confirms an alarm and records its matter, or has it join one.
    private mutating func confirm(_ generator: inout SplitMix64) async throws {
        guard let alarm = freeAlarm(of: nil, &generator), let site = analysis.sites[alarm]
        else { return }
        var matter = MatterOfAlarm.new(NewIncident(category: .criminalOffence))
        let others = matters.matters.matters.filter {
            $0.value.site == site.description && !$0.value.isRetracted
        }
        if Int.random(in: 0..<3, using: &generator) == 0,
            let other = others.keys.sorted().randomElement(using: &generator)
        {
            matter = .recorded(try #require(IncidentID(other)))
        }
        let (step, author) = (RequestedStep(.confirm(), on: alarm, joining: matter), author)
        let result = try await instance.run { database in
            try await database.apply([step], only: nil, by: author, at: .now())
        }[0]
        switch result {
        case .done(let document), .unchanged(let document?):
            analysis.judge(alarm, by: .confirm())
            if let id = try JSON.parse(document)["incident"]?.asString {
                try await read(try #require(IncidentID(id)))
            }
            note(.confirming)
        default: note(.confirming, isTaken: false)
        }
    }

    private mutating func read(_ id: IncidentID) async throws {
        let stored = try await instance.run { try await $0.incident(id, only: nil) }
        try matters.matters.takeIncident(try #require(stored).document)
    }

    /// Records a matter that alarms or cameras have seen, or none.
    private mutating func record(
        at site: DemonstrationSite, _ generator: inout SplitMix64
    ) async throws {
        var new = NewIncident(category: .hazardPrevention)
        new.site = site.id
        new.pattern =
            [nil, .hitting, .kicking, .kicking, .robbery, .weapon].randomElement(using: &generator)
            ?? nil
        if Bool.random(using: &generator),
            let camera = site.cameras.randomElement(using: &generator)
        {
            new.cameras = [camera]
        }
        if Bool.random(using: &generator) {
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                guard let alarm = freeAlarm(of: site.id, &generator), !new.alarms.contains(alarm)
                else { continue }
                new.alarms.append(alarm)
            }
        }
        if new.alarms.isEmpty {
            // In the time of the heartbeats.
            new.occurredAt =
                begin - .seconds(Int.random(in: 60...10_000, using: &generator))
        }
        let (wanted, author) = (new, author)
        let result = try await instance.run { database in
            try await database.createIncident(wanted, by: author, at: .now())
        }
        try take(result, .recording)
    }

    private mutating func take(_ result: IncidentResult, _ step: Step) throws {
        guard case .done(let stored) = result else {
            note(step, isTaken: false)
            return
        }
        try matters.matters.takeIncident(stored.document)
        note(step)
    }

    /// Gives a matter other alarms than it has: some are released, others join.
    private mutating func link(_ generator: inout SplitMix64) async throws {
        let open = matters.matters.matters.filter { !$0.value.isRetracted }
        guard let id = open.keys.sorted().randomElement(using: &generator), let matter = open[id]
        else { return }
        var alarms = matter.alarms.sorted().filter { _ in Bool.random(using: &generator) }
        if alarms.count == matter.alarms.count || Bool.random(using: &generator),
            let other = freeAlarm(of: SiteID(matter.site), &generator)?.description,
            !alarms.contains(other)
        {
            alarms.append(other)
        }
        var change = IncidentChange()
        change.alarms = alarms.compactMap { AlarmID($0) }
        let (incident, wanted, author) = (try #require(IncidentID(id)), change, author)
        let result = try await instance.run { database in
            try await database.changeIncident(
                incident, only: nil, if: .any, to: wanted, reason: "Nachgetragen", by: author,
                at: .now())
        }
        try take(result, .linking)
    }

    // MARK: Configuration

    private mutating func move(
        at site: DemonstrationSite, _ generator: inout SplitMix64
    ) async throws {
        guard let camera = site.cameras.randomElement(using: &generator),
            let area = matters.areas[site.id]?.randomElement(using: &generator)
        else { return }
        var change = CameraChange()
        change.area = area
        try await set(change, of: camera)
        areas[camera]?.append((.now(), area))
        note(.moving)
    }

    /// Removes a camera from some instant on, or brings one back.
    private mutating func remove(
        at site: DemonstrationSite, _ generator: inout SplitMix64
    ) async throws {
        guard let camera = site.cameras.randomElement(using: &generator) else { return }
        var removal: Timestamp?
        if removals[camera] == nil, Bool.random(using: &generator) {
            removal = .now()
        } else if removals[camera] == nil {
            let day = Self.days[Self.days.count - 1]
            removal =
                .epoch
                + .seconds(day + Int64.random(in: -Self.spread...Self.spread, using: &generator))
        }
        var change = CameraChange()
        change.removedAt = .some(removal)
        try await set(change, of: camera)
        removals[camera] = removal
        note(.removal)
    }

    private func set(_ change: CameraChange, of camera: CameraID) async throws {
        let author = author
        _ = try await instance.run { database in
            try await database.changeCamera(
                camera, only: nil, if: .any, to: change, by: author, at: .now()
            ).stored()
        }
    }

    private mutating func watch(
        _ site: DemonstrationSite, _ generator: inout SplitMix64
    ) async throws {
        guard let area = matters.areas[site.id]?.randomElement(using: &generator) else { return }
        let isMonitored = Bool.random(using: &generator)
        var change = AreaChange()
        change.monitored = isMonitored
        let (wanted, author) = (change, author)
        _ = try await instance.run { database in
            try await database.changeArea(
                area, only: nil, if: .any, to: wanted, by: author, at: .now()
            ).stored()
        }
        monitored[area]?.append((.now(), isMonitored))
        matters.matters.monitored[area.description] = isMonitored
        note(.watching)
    }

    private mutating func openWindow(
        at site: DemonstrationSite, _ generator: inout SplitMix64
    ) async throws {
        var from = begin - .seconds(Int.random(in: 0...7_200, using: &generator))
        if Bool.random(using: &generator), let day = Self.days.randomElement(using: &generator) {
            from =
                .epoch
                + .seconds(day + Int64.random(in: -Self.spread...Self.spread, using: &generator))
        }
        let to = from + .seconds(Int.random(in: 600...10_800, using: &generator))
        let camera =
            Bool.random(using: &generator) ? site.cameras.randomElement(using: &generator) : nil
        let mode = OperatingMode.allCases.randomElement(using: &generator) ?? .exercise
        let author = author
        let window = NewModeWindow(
            site: site.id, camera: camera, operatingMode: mode, from: from, to: to, note: nil)
        let outcome = try await instance.run { database in
            try await database.createModeWindow(window, by: author, at: .now())
        }
        guard case .created(let stored) = outcome else {
            // It overlaps another.
            note(.window, isTaken: false)
            return
        }
        windows.append(
            Window(
                id: try stored.id(), site: site.id, camera: camera, mode: mode, from: from, to: to))
        note(.window)
    }

    private mutating func endWindow(_ generator: inout SplitMix64) async throws {
        let now = Timestamp.now()
        guard
            let place = windows.indices.filter({ windows[$0].to > now + .seconds(60) })
                .randomElement(using: &generator)
        else {
            // One that can be ended next time.
            return try await openWindow(at: matters.sites[0], &generator)
        }
        let (id, author) = (windows[place].id, author)
        let outcome = try await instance.run { database in
            try await database.endModeWindow(id, only: nil, by: author, at: now)
        }
        guard case .ended = outcome else { throw NotStored(outcome: "\(outcome)") }
        windows[place].to = max(now, windows[place].from)
        note(.windowEnd)
    }

    private mutating func setMode(
        at site: DemonstrationSite, _ generator: inout SplitMix64
    ) async throws {
        if Bool.random(using: &generator) {
            let camera = site.cameras[Int.random(in: 0..<site.cameras.count, using: &generator)]
            let mode: OperatingMode? =
                [nil, .production, .parallel].randomElement(using: &generator) ?? nil
            var change = CameraChange()
            change.operatingMode = .some(mode)
            try await set(change, of: camera)
            modes[camera] = mode
        } else {
            let mode: OperatingMode = Bool.random(using: &generator) ? .production : .parallel
            var change = SiteChange()
            change.operatingMode = mode
            try await set(change, of: site.id)
            modesOfSites[site.id] = mode
        }
        note(.mode)
    }

    private func set(_ change: SiteChange, of site: SiteID) async throws {
        let author = author
        _ = try await instance.run { database in
            try await database.changeSite(
                site, only: nil, if: .any, to: change, by: author, at: .now()
            ).stored()
        }
    }

    private mutating func version(
        at site: DemonstrationSite, _ generator: inout SplitMix64
    ) async throws {
        let pattern = Self.patterns.randomElement(using: &generator) ?? .hitting
        let rule = NewRule(
            site: site.id, pattern: pattern,
            confidenceMin: [0.3, 0.5, 0.7].randomElement(using: &generator) ?? 0.5,
            detectionsMin: [1, 2, 2, 3].randomElement(using: &generator) ?? 2,
            detectionsWindow: .seconds(Int.random(in: 10...60, using: &generator)),
            quiet: .seconds(Int.random(in: 10...60, using: &generator)), priority: .high,
            escalateAfter: nil)
        let now = Timestamp.now()
        let author = author
        _ = try #require(
            try await instance.run { database in
                try await database.createRule(rule, by: author, at: now)
            })
        rules[RuleName(site: site.id, pattern: pattern), default: []].append(
            (now, rule.detectionsMin))
        note(.rule)
    }

    private mutating func permit(
        at site: DemonstrationSite, _ generator: inout SplitMix64
    ) async throws {
        let isPermitted = withoutPushing.contains(site.id)
        var change = SiteChange()
        change.patterns = BehaviourPattern.allCases.filter { isPermitted || $0 != .pushing }
            .map { PermittedPattern(pattern: $0, legalBasis: nil) }
        try await set(change, of: site.id)
        if isPermitted {
            withoutPushing.remove(site.id)
        } else {
            withoutPushing.insert(site.id)
        }
        note(.permission)
    }

    // MARK: House-keeping

    /// Counts the detections, all or those that were recorded before some position.
    private mutating func count(_ generator: inout SplitMix64) async throws {
        let last = try await head()
        let counted = analysis.runs.last?.last ?? 0
        guard last > counted else { return }
        let before = analysis.runs.count
        if Bool.random(using: &generator) {
            try await database.queryAsRuntime("SELECT count_detections()")
            try await takeRuns()
            #expect(analysis.runs.last?.last == last || analysis.runs.last?.position == last)
        } else {
            let bound = Int64.random(in: (counted + 1)...last, using: &generator)
            let recordedAt = try await recordedAt(bound)
            try await database.queryAsRuntime(
                "SELECT count_detections('\(recordedAt.rfc3339)')")
            try await takeRuns()
            if analysis.runs.count > before, let run = analysis.runs.last {
                #expect(run.last == bound - 1)
                #expect(run.before == recordedAt)
            }
        }
        note(.counting)
    }

    private func raisedAt(_ alarm: AlarmID) async throws -> Timestamp {
        try await database.query("SELECT raised_at FROM alarms WHERE id = $1", .uuid(alarm))
            .time(0, 0)
    }

    /// When a position was recorded.
    func recordedAt(_ position: Int64) async throws -> Timestamp {
        try await database.query(
            "SELECT recorded_at FROM positions WHERE position = $1", .int64(position)
        ).time(0, 0)
    }

    private mutating func takeRuns() async throws {
        let rows = try await database.query(
            """
            SELECT p.position, r.to_position, r.counted_before
            FROM detection_runs r JOIN positions p USING (change)
            WHERE p.position > $1 ORDER BY p.position
            """, .int64(analysis.runs.last?.position ?? 0))
        for row in 0..<rows.rowCount {
            analysis.count(
                RecordedAnalysis.Run(
                    position: try rows.int64(row, 0), last: try rows.int64(row, 1),
                    before: try rows.time(row, 2)))
        }
    }

    private mutating func writeRefusals() async throws {
        try await instance.lane.run { lane, _ in try await lane.writeRefusals() }
        analysis.tellRefused(from: try await head())
        note(.refusals)
    }

    private mutating func delete() async throws {
        try await instance.run { database in while try await database.deleteDue().isMore {} }
        try await takeRuns()
        note(.retention)
    }

    /// Assesses all matters anew, for alarms that came since.
    private mutating func assess() async throws {
        try await database.query("UPDATE incidents SET assess_after = now()")
        let pages = try await instance.run { database in
            try await database.assessDueIncidents()
            return try await database.incidents(IncidentFilter(), PageRequest(limit: 500))
        }
        for document in pages.documents { try matters.matters.takeIncident(document) }
        note(.assessing)
    }
}
