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
        /// Also those of a retracted one.
        var alarms: Set<String>
        var assessment: String
        var assessmentReason: String?
        /// Which model saw or missed it.
        var model: String?
        /// Under which version of the rule.
        var rule: String?
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
    /// When each site was set up.
    var setUp: [String: Timestamp] = [:]
    /// When its first alarm was raised.
    var firstAlarms: [String: Timestamp] = [:]

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
            isRetracted: json["retracted_at"] != .null,
            alarms: Set((json["alarms"]?.asArray ?? []).compactMap(\.asString)),
            assessment: try #require(json["assessment"]?.asString),
            assessmentReason: json["assessment_reason"]?.asString,
            model: json["computed"]?["model"]?.asString,
            rule: json["computed"]?["rule_version"]?.asInteger.map { String($0) })
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

    /// The metrics that count matters and what was done about them.
    static let metrics: [Metric] = [
        .incidents, .incidentsWithImmediateIntervention, .interventions, .arrivalTimes,
    ]

    /// What there is to count for a question about one of these metrics.
    func recount(for question: StatisticsQuestion, knownAt: Timestamp) throws -> Recount {
        let isOfDispatches = question.metric == .interventions || question.clock == .dispatch
        // Those that stand: a corrected or retracted one says nothing of when recording began.
        let standing = matters.values.filter { !$0.isRetracted }
        let incidents = firsts(of: standing.map { ($0.site, $0.occurredAt) })
        let automatic = firsts(
            of: standing.filter { $0.source == "automatic" }.map { ($0.site, $0.occurredAt) })
        let firstDispatches = firsts(
            of: dispatches.values.compactMap { dispatch in
                guard let matter = matters[dispatch.incident], !matter.isRetracted else {
                    return nil
                }
                return (matter.site, dispatch.dispatchedAt)
            })
        return Recount(
            cases: try isOfDispatches ? dispatchCases(question) : matterCases(question),
            beginnings: try setUp.reduce(into: [:]) { beginnings, site in
                var recorded = site.value
                let firsts = isOfDispatches ? firstDispatches : incidents
                if let first = firsts[site.key] {
                    let day = try BerlinCalendar.place(of: first).day
                    recorded = min(recorded, try BerlinCalendar.midnight(day))
                }
                beginnings[site.key] = Recount.Beginning(
                    recorded: recorded,
                    automatic: [firstAlarms[site.key], automatic[site.key]]
                        .compactMap { $0?.quarterHour }.min())
            }, knownAt: knownAt)
    }

    /// The earliest of each site.
    private func firsts(of instants: [(site: String, at: Timestamp)]) -> [String: Timestamp] {
        Dictionary(instants.map { ($0.site, $0.at) }, uniquingKeysWith: min)
    }

    private func dispatchCases(_ question: StatisticsQuestion) throws -> [Recount.Case] {
        try dispatches.values.compactMap { dispatch in
            guard let matter = matters[dispatch.incident] else { return nil }
            var one = try oneCase(of: matter, at: dispatch.dispatchedAt)
            one.keys[.precinct] = [dispatch.precinct]
            one.keys[.immediate] = [dispatch.isImmediate ? "true" : "false"]
            let seconds = dispatch.arrivedAt.map { ($0 - dispatch.dispatchedAt).components.seconds }
            one.tallies = [(.cases, question.metric == .arrivalTimes ? seconds : nil)]
            one.leftOut =
                matter.isRetracted ? .retracted : dispatch.isCancelled ? .cancelled : nil
            return one
        }
    }

    private func matterCases(_ question: StatisticsQuestion) throws -> [Recount.Case] {
        let sent = Dictionary(grouping: dispatches.values.filter { !$0.isCancelled }) {
            $0.incident
        }
        return try matters.compactMap { id, matter in
            let own = sent[id] ?? []
            let isImmediate = own.contains(where: \.isImmediate)
            guard question.metric != .incidentsWithImmediateIntervention || isImmediate,
                question.metric != .arrivalTimes || !own.isEmpty
            else { return nil }
            var one = try oneCase(of: matter, at: matter.occurredAt)
            one.keys[.immediate] = [isImmediate ? "true" : "false"]
            one.keys[.outcome] = matter.outcomes.isEmpty ? [nil] : matter.outcomes
            let arrival = own.compactMap(\.arrivedAt).min()
            let seconds = arrival.map { ($0 - matter.recognisedAt).components.seconds }
            one.tallies = [(.cases, question.metric == .arrivalTimes ? seconds : nil)]
            return one
        }
    }

    /// The matters by what the analysis made of them.
    func assessments() throws -> [Recount.Case] {
        try matters.values.map { matter in
            var one = try oneCase(of: matter, at: matter.occurredAt)
            one.isToldOfOtherModes = false
            one.keys[.model] = [matter.model]
            one.keys[.rule] = [matter.rule]
            one.tallies = [(try #require(FigureTally(rawValue: matter.assessment)), nil)]
            if matter.assessment == "not_assessable" {
                let reason = try #require(matter.assessmentReason)
                one.tallies.append(
                    (try #require(FigureTally(rawValue: "not_assessable_\(reason)")), nil))
            }
            return one
        }
    }

    private func oneCase(of matter: Matter, at instant: Timestamp) throws -> Recount.Case {
        var keys = try BerlinCalendar.keys(of: instant)
        keys[.category] = [matter.category]
        keys[.subcategory] = [matter.subcategory]
        keys[.area] = [matter.area]
        keys[.monitored] = [matter.isMonitored.map { $0 ? "true" : "false" }]
        keys[.operatingMode] = [matter.mode]
        keys[.source] = [matter.source]
        keys[.pattern] = [matter.pattern]
        keys[.site] = [matter.site]
        return Recount.Case(
            site: matter.site, day: try BerlinCalendar.place(of: instant).day, keys: keys,
            leftOut: matter.isRetracted ? .retracted : nil, isToldOfOtherModes: true)
    }
}
