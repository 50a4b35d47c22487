import ControlCentre
import Testing

@testable import Store

/// Detections as they were handed in, alarms, and what was done about them, as whoever did it noted
/// it, for counting them one by one.
struct RecordedAnalysis: Sendable {
    /// A detection that was taken.
    private struct Taken: Sendable {
        let one: Recount.Case
        let decile: Int64
        let at: Timestamp
        /// Of its commit.
        let position: Int64
    }

    /// A detection that was refused.
    private struct Refused: Sendable {
        let one: Recount.Case
        /// From where on it is told of.
        var position: Int64?
    }

    fileprivate struct Alarm: Sendable {
        var one: Recount.Case
        let raisedAt: Timestamp
        var verdict = FigureTally.unjudged
    }

    /// A counting of the detections up to a position.
    struct Run: Sendable {
        /// From where on it is known.
        let position: Int64
        let last: Int64
        /// What was recorded before it is counted.
        let before: Timestamp
    }

    /// What an alarm's detections were of.
    struct Detected: Sendable {
        var site: SiteID
        var area: AreaID
        var isMonitored: Bool
        var camera: CameraID
        var pattern: BehaviourPattern
        var model: String
        var rule: Int?
        var mode: OperatingMode
        var isLate: Bool
    }

    private var taken: [Taken] = []
    private var refused: [Refused] = []
    private var alarms: [AlarmID: Alarm] = [:]
    private(set) var runs: [Run] = []

    var takenCount: Int { taken.count }
    var refusedCount: Int { refused.count }
    var judgedCount: Int { alarms.values.count { $0.verdict != .unjudged } }
    /// Of all alarms.
    var sites: [AlarmID: SiteID] = [:]

    // MARK: Noting

    mutating func take(
        _ detected: Detected, decile: Int64, at instant: Timestamp, position: Int64
    ) throws {
        taken.append(
            Taken(
                one: try Self.oneCase(of: detected, at: instant), decile: decile, at: instant,
                position: position))
    }

    mutating func refuse(at site: SiteID, receivedAt: Timestamp) throws {
        refused.append(
            Refused(
                one: Recount.Case(
                    site: site.description, day: try BerlinCalendar.place(of: receivedAt).day,
                    keys: [:], leftOut: .refused, isUnfiltered: true)))
    }

    /// What was refused so far is written down.
    mutating func tellRefused(from position: Int64) {
        for place in refused.indices where refused[place].position == nil {
            refused[place].position = position
        }
    }

    mutating func count(_ run: Run) { runs.append(run) }

    mutating func raise(_ alarm: AlarmID, by detected: Detected, at instant: Timestamp) throws {
        var one = try Self.oneCase(of: detected, at: instant)
        one.isToldOfOtherModes = true
        alarms[alarm] = Alarm(one: one, raisedAt: instant)
        sites[alarm] = detected.site
    }

    mutating func judge(_ alarm: AlarmID, by step: AlarmStep) {
        switch step {
        case .confirm:
            alarms[alarm]?.verdict = .confirmed
            alarms[alarm]?.one.keys[.dismissalReason] = [nil]
        case .dismiss(let reason, _):
            alarms[alarm]?.verdict = .dismissed
            alarms[alarm]?.one.keys[.dismissalReason] = [reason.rawValue]
        default: break
        }
    }

    private static func oneCase(of detected: Detected, at instant: Timestamp) throws
        -> Recount.Case
    {
        var keys = try BerlinCalendar.keys(of: instant)
        keys[.site] = [detected.site.description]
        keys[.area] = [detected.area.description]
        keys[.monitored] = [detected.isMonitored ? "true" : "false"]
        keys[.camera] = [detected.camera.description]
        keys[.pattern] = [detected.pattern.rawValue]
        keys[.model] = [detected.model]
        keys[.rule] = [detected.rule.map { String($0) }]
        keys[.operatingMode] = [detected.mode.rawValue]
        keys[.dismissalReason] = [nil]
        keys[.late] = [detected.isLate ? "true" : "false"]
        return Recount.Case(
            site: detected.site.description, day: try BerlinCalendar.place(of: instant).day,
            keys: keys)
    }

    // MARK: Counting

    /// The alarms as they are now; all else can be told from the end as well.
    struct Standing: Sendable {
        fileprivate let alarms: [AlarmID: Alarm]
        let matters: RecordedMatters
    }

    func standing(beside matters: RecordedMatters) -> Standing {
        Standing(alarms: alarms, matters: matters)
    }

    /// What there is to count for a question about the analysis, as it was known at a position.
    func recount(
        for question: StatisticsQuestion, _ standing: Standing, at position: Int64,
        knownAt: Timestamp
    ) throws -> Recount {
        let isQuality = question.metric == .detectionQuality
        let run = runs.last { $0.position <= position }
        let counted = taken.filter { $0.position <= run?.last ?? 0 }
        var cases = Self.alarmCases(standing, isQuality: isQuality)
        cases += counted.map { taken in
            var one = taken.one
            one.tallies = [(.detections, isQuality ? taken.decile : nil)]
            return one
        }
        cases += refused.compactMap { refused in
            refused.position.flatMap { $0 <= position ? refused.one : nil }
        }
        if isQuality { cases += try standing.matters.assessments() }
        var firsts: [String: Timestamp] = [:]
        for (site, at) in counted.map({ ($0.one.site, $0.at) })
            + standing.alarms.values.map({ ($0.one.site, $0.raisedAt) })
        {
            firsts[site] = min(firsts[site] ?? at, at)
        }
        return Recount(
            cases: cases,
            beginnings: standing.matters.setUp.reduce(into: [:]) { beginnings, site in
                beginnings[site.key] = Recount.Beginning(
                    recorded: site.value, automatic: firsts[site.key]?.quarterHour)
            }, knownAt: knownAt, detectionsBefore: run?.before)
    }

    private static func alarmCases(_ standing: Standing, isQuality: Bool) -> [Recount.Case] {
        let sent = Dictionary(
            grouping: standing.matters.dispatches.values.filter { !$0.isCancelled }
        ) { $0.incident }
        var incidents: [String: String] = [:]
        for (id, matter) in standing.matters.matters where !matter.isRetracted {
            for alarm in matter.alarms { incidents[alarm] = id }
        }
        return standing.alarms.map { id, alarm in
            var one = alarm.one
            one.tallies = [(alarm.verdict, nil)]
            guard !isQuality else {
                one.isUnjudged = alarm.verdict == .unjudged
                return one
            }
            one.tallies.append((.alarms, nil))
            guard let incident = incidents[id.description] else { return one }
            one.tallies.append((.withIncident, nil))
            guard let own = sent[incident] else { return one }
            one.tallies.append((.dispatched, nil))
            if own.contains(where: { $0.arrivedAt != nil }) { one.tallies.append((.arrived, nil)) }
            return one
        }
    }
}
