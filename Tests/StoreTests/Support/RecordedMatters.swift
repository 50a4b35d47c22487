import ControlCentre
import JSON
import Testing

@testable import Store

/// Incidents and interventions as their documents say they are at some position, for counting them
/// one by one.
struct RecordedMatters: Sendable {
    struct Matter: Sendable {
        var site: String
        var occurredAt: Timestamp
        var recognisedAt: Timestamp
        var category: String
        var subcategory: String?
        var source: String
        var pattern: String?
        var area: String?
        /// Whether its area was, when it was entered for it.
        var isMonitored: Bool?
        var mode: String
        var outcomes: [String]
        var isRetracted: Bool
    }

    struct Dispatch: Sendable {
        var incident: String
        var dispatchedAt: Timestamp
        var arrivedAt: Timestamp?
        var isImmediate: Bool
        var isCancelled: Bool
        var precinct: String?
    }

    var matters: [String: Matter] = [:]
    var dispatches: [String: Dispatch] = [:]
    /// Areas that are watched, and others.
    var monitored: [String: Bool] = [:]

    mutating func takeIncident(_ document: [UInt8]) throws {
        let json = try JSON.parse(document)
        let id = try id(json)
        let area = json["area"]?.asString
        let before = matters[id]
        let isMonitored =
            before != nil && before?.area == area
            ? before?.isMonitored : area.flatMap { monitored[$0] }
        matters[id] = Matter(
            site: try #require(json["site"]?.asString),
            occurredAt: try #require(try instant(json, "occurred_at")),
            recognisedAt: try #require(try instant(json, "recognised_at")),
            category: try #require(json["category"]?.asString),
            subcategory: json["subcategory"]?.asString,
            source: try #require(json["source"]?.asString), pattern: json["pattern"]?.asString,
            area: area, isMonitored: isMonitored,
            mode: try #require(json["operating_mode"]?.asString),
            outcomes: (json["outcomes"]?.asArray ?? []).compactMap(\.asString),
            isRetracted: json["retracted_at"] != .null)
    }

    mutating func takeIntervention(_ document: [UInt8]) throws {
        let json = try JSON.parse(document)
        dispatches[try id(json)] = Dispatch(
            incident: try #require(json["incident"]?.asString),
            dispatchedAt: try #require(try instant(json, "dispatched_at")),
            arrivedAt: try instant(json, "arrived_at"),
            isImmediate: try #require(json["immediate"]?.asBool as Bool?),
            isCancelled: json["status"]?.asString == "cancelled",
            precinct: json["precinct"]?.asString)
    }

    private func id(_ json: JSON) throws -> String { try #require(json["id"]?.asString) }

    private func instant(_ json: JSON, _ member: String) throws -> Timestamp? {
        guard let text = json[member]?.asString else { return nil }
        return try Timestamp(rfc3339: text) ?? { throw NotStored(outcome: text) }()
    }

    // MARK: Counting

    /// What a question's answer must be.
    struct Expected {
        /// The seconds of each case that counts, by its groups' keys; nil keys: of the total.
        var values: [[String?]?: [Int64?]] = [:]
        /// By operating mode.
        var otherModes: [String: Int64] = [:]
        var retracted: Int64 = 0
        var cancelled: Int64 = 0
    }

    /// One case that a metric counts or leaves out.
    private struct Case {
        var instant: Timestamp
        var keys: [Dimension: [String?]]
        var mode: String
        var seconds: Int64?
        var isRetracted: Bool
        var isCancelled = false
    }

    /// The metrics that count matters and what was done about them.
    static let metrics: [Metric] = [
        .incidents, .incidentsWithImmediateIntervention, .interventions, .arrivalTimes,
    ]

    func count(_ question: StatisticsQuestion) -> Expected {
        var expected = Expected()
        for one in cases(of: question) {
            let day = String(berlin(one.instant).prefix(10))
            guard case .date(let from) = question.from, case .date(let to) = question.to,
                from.description <= day, day < to.description,
                question.site.map({ one.keys[.site] == [$0.description] }) ?? true,
                question.filters.allSatisfy({ filter in
                    filter.dimension == .operatingMode
                        || one.keys[filter.dimension, default: []].contains {
                            $0.map { filter.values.contains($0) } ?? false
                        }
                })
            else { continue }
            if !(question.operatingModes?.contains(one.mode) ?? true) {
                expected.otherModes[one.mode, default: 0] += 1
            } else if one.isRetracted {
                expected.retracted += 1
            } else if one.isCancelled {
                expected.cancelled += 1
            } else {
                expected.values[nil, default: []].append(one.seconds)
                guard !question.groups.isEmpty else { continue }
                var combinations: [[String?]] = [[]]
                for group in question.groups {
                    let own = one.keys[group] ?? []
                    combinations = combinations.flatMap { keys in own.map { keys + [$0] } }
                }
                for keys in combinations { expected.values[keys, default: []].append(one.seconds) }
            }
        }
        return expected
    }

    private func cases(of question: StatisticsQuestion) -> [Case] {
        if question.metric == .interventions || question.clock == .dispatch {
            return dispatches.values.compactMap { dispatch in
                guard let matter = matters[dispatch.incident] else { return nil }
                var keys = keys(of: matter, at: dispatch.dispatchedAt)
                keys[.precinct] = [dispatch.precinct]
                keys[.immediate] = [dispatch.isImmediate ? "true" : "false"]
                let seconds = dispatch.arrivedAt.map {
                    ($0 - dispatch.dispatchedAt).components.seconds
                }
                return Case(
                    instant: dispatch.dispatchedAt, keys: keys, mode: matter.mode,
                    seconds: question.metric == .arrivalTimes ? seconds : nil,
                    isRetracted: matter.isRetracted, isCancelled: dispatch.isCancelled)
            }
        }
        let sent = Dictionary(grouping: dispatches.values.filter { !$0.isCancelled }) {
            $0.incident
        }
        return matters.compactMap { id, matter in
            let own = sent[id] ?? []
            let isImmediate = own.contains(where: \.isImmediate)
            guard question.metric != .incidentsWithImmediateIntervention || isImmediate,
                question.metric != .arrivalTimes || !own.isEmpty
            else { return nil }
            var keys = keys(of: matter, at: matter.occurredAt)
            keys[.immediate] = [isImmediate ? "true" : "false"]
            keys[.outcome] = matter.outcomes.isEmpty ? [nil] : matter.outcomes
            let arrival = own.compactMap(\.arrivedAt).min()
            return Case(
                instant: matter.occurredAt, keys: keys, mode: matter.mode,
                seconds: question.metric == .arrivalTimes
                    ? arrival.map { ($0 - matter.recognisedAt).components.seconds } : nil,
                isRetracted: matter.isRetracted)
        }
    }

    private func keys(of matter: Matter, at instant: Timestamp) -> [Dimension: [String?]] {
        let local = berlin(instant)
        let weekdays = ["thu", "fri", "sat", "sun", "mon", "tue", "wed"]
        let day = localSeconds(instant) / 86_400
        return [
            .month: [String(local.prefix(7))], .day: [String(local.prefix(10))],
            .week: [week(ofDay: day)],
            .hourOfDay: [String(local.dropFirst(11).prefix(2))],
            .weekday: [weekdays[Int(day % 7)]],
            .category: [matter.category], .subcategory: [matter.subcategory],
            .area: [matter.area], .monitored: [matter.isMonitored.map { $0 ? "true" : "false" }],
            .operatingMode: [matter.mode], .source: [matter.source], .pattern: [matter.pattern],
            .site: [matter.site],
        ]
    }

    /// The ISO week, which belongs to the year of its Thursday.
    ///
    /// - Parameter day: since 1970-01-01, which was a Thursday.
    private func week(ofDay day: Int64) -> String {
        let thursday = day - (day + 3) % 7 + 3
        let year = String((Timestamp.epoch + .seconds(thursday * 86_400)).rfc3339.prefix(4))
        var first = thursday
        while (Timestamp.epoch + .seconds((first - 7) * 86_400)).rfc3339.hasPrefix(year) {
            first -= 7
        }
        let number = (thursday - first) / 7 + 1
        return "\(year)-W\(number < 10 ? "0" : "")\(number)"
    }

    /// Seconds since 1970 as a clock in Berlin shows them, in the years 2025 and 2026.
    private func localSeconds(_ instant: Timestamp) -> Int64 {
        let seconds = instant.microsecondsSinceEpoch / 1_000_000
        // 2025-03-30, 2025-10-26, 2026-03-29 and 2026-10-25, each at 01:00 UTC.
        let isSummer =
            (1_743_296_400..<1_761_440_400).contains(seconds)
            || (1_774_746_000..<1_792_890_000).contains(seconds)
        return seconds + (isSummer ? 7_200 : 3_600)
    }

    private func berlin(_ instant: Timestamp) -> String {
        let shifted = Timestamp.epoch + .seconds(localSeconds(instant))
        return shifted.rfc3339
    }
}
