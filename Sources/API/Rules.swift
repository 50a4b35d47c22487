import ControlCentre
import HTTP
import JSON
import Store

extension API {
    private static let ruleWriters: Set<Role> = [.shiftSupervisor, .administrator]

    func addRules() {
        add(.get, "/v1/rules", for: ConfigurationRoles.readers) { api, call in
            var query = QueryReader(call.request)
            let page = try query.page()
            var filter = RuleFilter()
            filter.site = try query.site(for: call)
            filter.patterns = query.anyOf("pattern", BehaviourPattern.self)
            filter.current = query.bool("current")
            filter.from = query.time("from")
            filter.to = query.time("to")
            try query.finish()
            return .page(try await api.database.rules(filter, page), for: call.request)
        }
        add(.post, "/v1/rules", for: Self.ruleWriters) { api, call in
            try call.rejectParameters()
            let rule = try call.body { NewRule(&$0) }
            _ = try call.checkedSite(rule.site)
            let created = try await api.database.createRule(
                rule, by: call.author(), at: call.receivedAt)
            guard let created else { throw Problem(.unknownSite, resource: "rule") }
            let id = (try? JSON.parse(created))?["id"]?.asString ?? ""
            return .json(created, status: 201, fields: [("location", "/v1/rules/\(id)")])
        }
        add(.get, "/v1/rules/{id}", for: ConfigurationRoles.readers) { api, call in
            try call.rejectParameters()
            let id = try call.id(RuleID.self, of: "rule")
            guard let rule = try await api.database.rule(id, only: call.site) else {
                throw Problem.unknown("rule")
            }
            return .json(rule)
        }
    }
}

extension NewRule {
    /// An hour: an alarm that has been quiet for longer is another matter.
    private static let secondsMax = 3_600
    private static let detectionsMax = 100
    private static let escalationSecondsMax = 86_400

    init?(_ reader: inout ObjectReader) {
        let defaults = CorrelationRule()
        let site = reader.required("site", expected: "a site's id") { SiteID($0) }
        let pattern = reader.requiredCase("pattern", of: BehaviourPattern.self)
        let confidence =
            reader.optionalNumber("confidence_min", in: 0...1) ?? defaults.confidenceMin
        let detections =
            reader.optionalInteger("detections_min", in: 1...Self.detectionsMax)
            ?? defaults.detectionsMin
        let window = reader.seconds(
            "detections_window_seconds", max: Self.secondsMax, else: defaults.detectionsWindow)
        let quiet = reader.seconds(
            "quiet_seconds", max: Self.secondsMax, else: defaults.quiet)
        let priority =
            reader.optionalCase("priority", of: Priority.self) ?? defaults.priority
        let escalation = reader.nullableInteger(
            "escalate_after_seconds", in: 1...Self.escalationSecondsMax)
        guard let site, let pattern else { return nil }
        self.init(
            site: site, pattern: pattern, confidenceMin: confidence, detectionsMin: detections,
            detectionsWindow: window, quiet: quiet, priority: priority,
            escalateAfter: escalation.map { .seconds($0) })
    }
}

extension ObjectReader {
    fileprivate mutating func seconds(_ name: String, max: Int, else fallback: Duration)
        -> Duration
    {
        optionalInteger(name, in: 1...max).map { .seconds($0) } ?? fallback
    }
}
