import ControlCentre
import HTTP
import JSON
import Store

extension API {
    private static let observers: Set<Role> = [.observer, .shiftSupervisor]

    func addAlarms() {
        add(.get, "/v1/alarms", for: Self.observers) { api, call in
            var query = QueryReader(call.request)
            let page = try query.page()
            let filter = try AlarmFilter(&query, for: call)
            try query.finish()
            return .page(try await api.database.alarms(filter, page), for: call.request)
        }
        add(.get, "/v1/alarms/{id}", for: Self.observers) { api, call in
            try call.rejectParameters()
            let id = try call.id(AlarmID.self, of: "alarm")
            try await api.log(.alarmRead, of: id, "alarm", by: call)
            guard let alarm = try await api.database.alarm(id, only: call.site) else {
                throw Problem.unknown("alarm")
            }
            return .json(alarm)
        }
        addHistory("/v1/alarms", of: .alarm, AlarmID.self)
        add(.get, "/v1/alarms/{id}/verdicts", for: Self.observers) { api, call in
            let id = try call.id(AlarmID.self, of: "alarm")
            var query = QueryReader(call.request)
            let limit = query.integer("limit", in: 1...500) ?? 50
            let before = try query.place()
            try query.finish()
            try await api.log(.alarmRead, of: id, "alarm", by: call)
            guard
                let verdicts = try await api.database.verdicts(
                    on: id, only: call.site, before: before, limit: limit)
            else { throw Problem.unknown("alarm") }
            return .list(
                verdicts.documents, next: verdicts.next.map { Cursor.encode($0) },
                for: call.request)
        }
    }
}

extension AlarmFilter {
    init(_ query: inout QueryReader, for call: Call) throws(Problem) {
        self.init()
        site = try query.site(for: call)
        area = query.id("area")
        camera = query.id("camera")
        patterns = query.anyOf("pattern", BehaviourPattern.self)
        operatingModes = query.anyOf("operating_mode", OperatingMode.self)
        conditions = query.anyOf("condition", Condition.self)
        handlings = query.anyOf("handling", HandlingName.self)
        suppressions = query.anyOf("suppression", Suppression.self)
        position = query.line("position", length: ObserverPosition.nameLength)
        verdicts = query.anyOf("verdict", VerdictName.self)
        priorities = query.anyOf("priority", Priority.self)
        raisedAt = query.time("raised_at")
        lastDetectionAt = query.time("last_detection_at")
        clearedAt = query.time("cleared_at")
        detectionCount = query.integer("detection_count", in: 0...Int(Int32.max))
        maxConfidence = query.value("max_confidence", expected: "a number from 0 to 1") {
            guard let number = Double($0), (0...1).contains(number) else { return nil }
            return number
        }
        late = query.bool("late")
        overdue = query.bool("overdue")
        chattering = query.bool("chattering")
        stale = query.bool("stale")
        flood = query.bool("flood")
        group = query.id("group")
        ruleVersion = query.integer("rule_version", in: 1...Int(Int32.max))
        annunciated = query.bool("annunciated")
        attentions = query.anyOf("attention", Attention.self)
        incident = query.id("incident")
        from = query.time("from")
        to = query.time("to")
    }
}
