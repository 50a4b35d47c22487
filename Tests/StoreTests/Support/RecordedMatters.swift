import ControlCentre
import JSON
import Testing

@testable import Store

/// Incidents and interventions as their documents say they are at some position, for counting them
/// one by one.
struct RecordedMatters: Sendable {
    struct Matter: Sendable {
        var occurredAt: Timestamp
        var recognisedAt: Timestamp
        var category: String
        var area: String?
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

    mutating func takeIncident(_ document: [UInt8]) throws {
        let json = try JSON.parse(document)
        matters[try id(json)] = Matter(
            occurredAt: try #require(try instant(json, "occurred_at")),
            recognisedAt: try #require(try instant(json, "recognised_at")),
            category: try #require(json["category"]?.asString), area: json["area"]?.asString,
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

    /// One case that a metric counts: its local time, its keys, its seconds.
    private struct Case {
        var instant: Timestamp
        var keys: [Dimension: [String?]]
        var mode: String
        var seconds: Int64?
    }

    /// What a question's answer must be, by its groups' keys; nil keys are those of the total.
    func count(_ question: StatisticsQuestion) -> [[String?]?: [Int64?]] {
        var counted: [[String?]?: [Int64?]] = [:]
        for one in cases(of: question) {
            let day = String(berlin(one.instant).prefix(10))
            guard case .date(let from) = question.from, case .date(let to) = question.to,
                from.description <= day, day < to.description,
                question.operatingModes?.contains(one.mode) ?? true,
                question.filters.allSatisfy({ filter in
                    one.keys[filter.dimension, default: []].contains {
                        $0.map { filter.values.contains($0) } ?? false
                    }
                })
            else { continue }
            counted[nil, default: []].append(one.seconds)
            guard !question.groups.isEmpty else { continue }
            var combinations: [[String?]] = [[]]
            for group in question.groups {
                let own = one.keys[group] ?? []
                combinations = combinations.flatMap { keys in own.map { keys + [$0] } }
            }
            for keys in combinations { counted[keys, default: []].append(one.seconds) }
        }
        return counted
    }

    private func cases(of question: StatisticsQuestion) -> [Case] {
        let sent = Dictionary(grouping: dispatches.values.filter { !$0.isCancelled }) {
            $0.incident
        }
        if question.metric == .interventions || question.clock == .dispatch {
            return dispatches.values.compactMap { dispatch in
                guard let matter = matters[dispatch.incident], !matter.isRetracted,
                    !dispatch.isCancelled
                else { return nil }
                var keys = keys(of: matter, at: dispatch.dispatchedAt)
                keys[.precinct] = [dispatch.precinct]
                keys[.immediate] = [dispatch.isImmediate ? "true" : "false"]
                let seconds = dispatch.arrivedAt.map {
                    ($0 - dispatch.dispatchedAt).components.seconds
                }
                return Case(
                    instant: dispatch.dispatchedAt, keys: keys, mode: matter.mode,
                    seconds: question.metric == .arrivalTimes ? seconds : nil)
            }
        }
        return matters.compactMap { id, matter in
            let own = sent[id] ?? []
            let isImmediate = own.contains(where: \.isImmediate)
            guard !matter.isRetracted,
                question.metric != .incidentsWithImmediateIntervention || isImmediate,
                question.metric != .arrivalTimes || !own.isEmpty
            else { return nil }
            var keys = keys(of: matter, at: matter.occurredAt)
            keys[.immediate] = [isImmediate ? "true" : "false"]
            keys[.outcome] = matter.outcomes.isEmpty ? [nil] : matter.outcomes
            let arrival = own.compactMap(\.arrivedAt).min()
            return Case(
                instant: matter.occurredAt, keys: keys, mode: matter.mode,
                seconds: question.metric == .arrivalTimes
                    ? arrival.map { ($0 - matter.recognisedAt).components.seconds } : nil)
        }
    }

    private func keys(of matter: Matter, at instant: Timestamp) -> [Dimension: [String?]] {
        let local = berlin(instant)
        let days = ["thu", "fri", "sat", "sun", "mon", "tue", "wed"]
        let day = localSeconds(instant) / 86_400
        return [
            .month: [String(local.prefix(7))], .day: [String(local.prefix(10))],
            .hourOfDay: [String(local.dropFirst(11).prefix(2))], .weekday: [days[Int(day % 7)]],
            .category: [matter.category], .area: [matter.area],
            .monitored: [matter.area.map { _ in "true" }], .operatingMode: [matter.mode],
            .source: ["observer"], .site: ["mannheim"],
        ]
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
