import ControlCentre
import HTTP
import JSON
import Store

extension API {
    private static let observers: Set<Role> = [.observer, .shiftSupervisor]

    func addIncidents() {
        add(.get, "/v1/incidents", for: Self.observers) { api, call in
            var query = QueryReader(call.request)
            let page = try query.page()
            let filter = try IncidentFilter(&query, for: call)
            try query.finish()
            return .page(try await api.database.incidents(filter, page), for: call.request)
        }
        add(.post, "/v1/incidents", for: Self.observers) { api, call in
            try call.rejectParameters()
            let new = try call.body { reader in
                let site = reader.required("site", expected: SiteID.expectation) { SiteID($0) }
                let occurredAt = reader.requiredTime("occurred_at")
                var new = NewIncident(&reader)
                new?.site = site
                new?.occurredAt = occurredAt
                return new
            }
            if let site = new.site { _ = try call.checkedSite(site) }
            return try await api.once(call, path: "/v1/incidents") { author in
                try await api.answer(
                    api.database.createIncident(new, by: author, at: call.receivedAt), call,
                    isNew: true)
            }
        }
        add(.get, "/v1/incidents/{id}", for: Self.observers) { api, call in
            try call.rejectParameters()
            let id = try call.id(IncidentID.self, of: "incident")
            try await api.log(.incidentRead, of: id, "incident", by: call)
            return try .found(
                try await api.database.incident(id, only: call.site), resource: "incident")
        }
        add(.patch, "/v1/incidents/{id}", for: Self.observers) { api, call in
            try call.rejectParameters()
            let id = try call.id(IncidentID.self, of: "incident")
            let precondition = try call.precondition()
            let (change, reason) = try call.body(mediaTypes: patchMediaTypes) { reader in
                let reason = reader.requiredReason()
                let change = IncidentChange(&reader)
                return reason.map { (change, $0) }
            }
            return try await api.answer(
                api.database.changeIncident(
                    id, only: call.site, if: precondition, to: change, reason: reason,
                    by: call.author(), at: call.receivedAt), call)
        }
        addHistory("/v1/incidents", of: .incident, IncidentID.self)
        add(.post, "/v1/incidents/{id}/retract", for: [.shiftSupervisor]) { api, call in
            try call.rejectParameters()
            let id = try call.id(IncidentID.self, of: "incident")
            let reason = try call.body { $0.requiredReason() }
            return try await api.answer(
                api.database.retractIncident(
                    id, only: call.site, reason: reason, by: call.author(), at: call.receivedAt),
                call)
        }
        add(.post, "/v1/incidents/{id}/assess", for: Self.observers) { api, call in
            try call.rejectParameters()
            let id = try call.id(IncidentID.self, of: "incident")
            let (assessment, reason) = try call.body { reader -> (Assessment, String)? in
                let assessment = reader.requiredCase("assessment", of: Assessment.self)
                let reason = reader.requiredReason()
                guard let assessment, let reason else { return nil }
                return (assessment, reason)
            }
            return try await api.answer(
                api.database.assessIncident(
                    id, only: call.site, as: assessment, reason: reason, by: call.author(),
                    at: call.receivedAt), call)
        }
    }

    /// What came of a change of an incident. An incident that it did not change is read.
    private func answer(_ result: IncidentResult, _ call: Call, isNew: Bool = false) async throws
        -> Response
    {
        switch result {
        case .done(let stored):
            return isNew ? .created(stored, path: "/v1/incidents") : .stored(stored)
        case .unchanged(let stored):
            let id = try call.id(IncidentID.self, of: "incident")
            try await log(.incidentRead, of: id, "incident", by: call)
            return .stored(stored)
        case .unknown: throw Problem.unknown("incident")
        case .stale(let revision):
            let id = try call.id(IncidentID.self, of: "incident")
            throw try await stale("incident", id, revision)
        case .refused(.retracted, let current):
            let id = try call.id(IncidentID.self, of: "incident")
            var problem = Problem(.retracted)
            problem.members = [
                Problem.current(try await shown(current, .incidentRead, of: id, by: call))
            ]
            throw problem
        case .refused(let obstacle, _): throw Problem(obstacle)
        }
    }
}

extension ObjectReader {
    /// Items of an array, of which none may stand in it twice.
    fileprivate mutating func optionalSet<Item: Hashable>(
        _ name: String, atMost count: Int, expected: String, _ read: (String) -> Item?
    ) -> [Item]? {
        guard let items = optionalItems(name, count: 0...count, expected: expected, read) else {
            return nil
        }
        guard Set(items).count == items.count else {
            refuse(name, code: "duplicate", "must name each once")
            return nil
        }
        return items
    }

    fileprivate mutating func optionalOutcomes() -> [IncidentOutcome]? {
        let names = IncidentOutcome.allCases.map(\.rawValue).joined(separator: ", ")
        return optionalSet(
            "outcomes", atMost: IncidentOutcome.allCases.count, expected: "one of \(names)"
        ) { IncidentOutcome(rawValue: $0) }
    }

    fileprivate mutating func optionalRecognitions() -> [NamedRecognition]? {
        optionalObjects("recognitions", count: 0...Incident.recognitionsMax) {
            reader -> NamedRecognition? in
            let kind = reader.requiredCase("kind", of: Recognition.Kind.self)
            let instant = reader.nullableTime("at")
            let alarm = reader.nullable("alarm", expected: "an alarm's id") { AlarmID($0) }
            guard let kind else { return nil }
            if kind == .alarm, alarm == nil {
                reader.refuse("alarm", code: "missing", "is required of the kind alarm")
            }
            if kind != .alarm, alarm != nil {
                reader.refuse("alarm", "is for the kind alarm only")
            }
            if kind != .alarm, instant == nil {
                reader.refuse("at", code: "missing", "is required of the kind \(kind.rawValue)")
            }
            return reader.isValid ? NamedRecognition(kind: kind, at: instant, alarm: alarm) : nil
        }
    }

    /// A note; an empty one is none.
    fileprivate mutating func nullableIncidentNote() -> String? {
        let note = nullableString("note", length: 0...4_000)
        return note?.isEmpty == true ? nil : note
    }
}

extension NewIncident {
    /// Reads all members but `site` and `occurred_at`.
    init?(_ reader: inout ObjectReader) {
        let category = reader.requiredCase("category", of: ControlCentre.Category.self)
        let subcategory = reader.nullableCase("subcategory", of: Subcategory.self)
        let recognisedAt = reader.nullableTime("recognised_at")
        let pattern = reader.nullableCase("pattern", of: BehaviourPattern.self)
        let area = reader.nullable("area", expected: "an area's id") { AreaID($0) }
        let mode = reader.optionalCase("operating_mode", of: OperatingMode.self)
        let cameras = reader.optionalSet(
            "cameras", atMost: Incident.camerasMax, expected: "a camera's id"
        ) { CameraID($0) }
        let alarms = reader.optionalSet(
            "alarms", atMost: Incident.alarmsMax, expected: "an alarm's id"
        ) { AlarmID($0) }
        let recognitions = reader.optionalRecognitions()
        let outcomes = reader.optionalOutcomes()
        let note = reader.nullableIncidentNote()
        guard let category else { return nil }
        self.init(category: category)
        self.subcategory = subcategory
        self.recognisedAt = recognisedAt
        self.pattern = pattern
        self.area = area
        self.operatingMode = mode
        self.cameras = cameras ?? []
        self.alarms = alarms ?? []
        self.recognitions = recognitions ?? []
        self.outcomes = outcomes ?? []
        self.note = note
    }
}

extension IncidentChange {
    init(_ reader: inout ObjectReader) {
        self.init()
        category = reader.optionalCase("category", of: ControlCentre.Category.self)
        let subcategory = reader.nullableCase("subcategory", of: Subcategory.self)
        if reader.contains("subcategory") { self.subcategory = .some(subcategory) }
        occurredAt = reader.optionalTime("occurred_at")
        recognisedAt = reader.optionalTime("recognised_at")
        let pattern = reader.nullableCase("pattern", of: BehaviourPattern.self)
        if reader.contains("pattern") { self.pattern = .some(pattern) }
        let area = reader.nullable("area", expected: "an area's id") { AreaID($0) }
        if reader.contains("area") { self.area = .some(area) }
        operatingMode = reader.optionalCase("operating_mode", of: OperatingMode.self)
        cameras = reader.optionalSet(
            "cameras", atMost: Incident.camerasMax, expected: "a camera's id"
        ) { CameraID($0) }
        alarms = reader.optionalSet(
            "alarms", atMost: Incident.alarmsMax, expected: "an alarm's id"
        ) { AlarmID($0) }
        recognitions = reader.optionalRecognitions()
        outcomes = reader.optionalOutcomes()
        let note = reader.nullableIncidentNote()
        if reader.contains("note") { self.note = .some(note) }
    }
}

extension IncidentFilter {
    init(_ query: inout QueryReader, for call: Call) throws(Problem) {
        self.init()
        site = try query.site(for: call)
        area = query.id("area")
        camera = query.id("camera")
        alarm = query.id("alarm")
        categories = query.anyOf("category", ControlCentre.Category.self)
        subcategories = query.anyOf("subcategory", Subcategory.self)
        sources = query.anyOf("source", RecognitionSource.self)
        patterns = query.anyOf("pattern", BehaviourPattern.self)
        operatingModes = query.anyOf("operating_mode", OperatingMode.self)
        let outcomes = IncidentOutcome.allCases.map(\.rawValue).joined(separator: ", ")
        outcome = query.value("outcome", expected: "one of \(outcomes)") {
            IncidentOutcome(rawValue: $0)
        }
        assessments = query.anyOf("assessment", Assessment.self)
        assessmentReasons = query.anyOf("assessment_reason", AssessmentReason.self)
        immediateIntervention = query.bool("immediate_intervention")
        retracted = query.bool("retracted")
        occurredAt = query.time("occurred_at")
        recognisedAt = query.time("recognised_at")
        createdAt = query.time("created_at")
        from = query.time("from")
        to = query.time("to")
    }
}

extension Problem {
    /// An incident that cannot be as somebody wants it.
    ///
    /// - Parameter place: where the incident stands in the body.
    init(_ obstacle: IncidentObstacle, at place: String = "") {
        func invalid(_ member: String, _ code: String, _ detail: String) -> Problem {
            .invalidBody([MemberError(pointer: "\(place)/\(member)", code: code, detail: detail)])
        }
        switch obstacle {
        case .unknownSite:
            self = invalid("site", "site.unknown", "must be a site's id")
        case .unknownArea:
            self = invalid("area", "area.unknown", "must be an area of the site")
        case .unknownCamera(let id):
            self = invalid(
                "cameras", "camera.unknown", "must be cameras of the site; \(id) is none")
        case .unknownAlarm(let id):
            self = invalid("alarms", "alarm.unknown", "must be alarms of the site; \(id) is none")
        case .unknownIncident:
            self = invalid("id", "incident.unknown", "must be an incident of the site")
        case .alarmTaken(let alarm, let incident):
            self = .refusedMember(
                409, "alarm.in-other-incident", "\(place)/alarms",
                "The alarm \(alarm) belongs to the incident \(incident).")
            members = [("incident", Self.quoted(incident.description))]
        case .alarmReceivedAt(let instant, _):
            self = invalid(
                "recognitions", "invalid",
                "must give an alarm's receipt as \(instant.rfc3339), or leave it out")
        case .earliestRecognition(let instant):
            self = invalid(
                "recognised_at", "invalid", "must be the earliest recognition, \(instant.rfc3339)")
        case .retracted:
            self.init(409, "incident.retracted", "The incident is retracted and stays so.")
        case .rule(.occurredInFuture):
            self = invalid("occurred_at", "incident.in-future", "must not be in the future")
        case .rule(.occurredTooEarly):
            self = invalid(
                "occurred_at", "incident.too-early",
                "must not be before \(Incident.occurredMin.rfc3339)")
        case .rule(.subcategoryOfOther):
            self = invalid(
                "subcategory", "incident.subcategory-of-other", "must be one of the category's")
        case .rule(.noneAmongOutcomes):
            self = invalid("outcomes", "invalid", "must be none alone, or others without it")
        case .rule(.recognisedInFuture(let recognition)):
            self = invalid(
                "recognised_at", "incident.in-future",
                "must not be in the future, is \(recognition.at.rfc3339)")
        case .rule(.recognisedBeforeOccurred(let recognition)):
            self = invalid(
                "recognised_at", "incident.recognised-before-occurred",
                "must not be before occurred_at, is \(recognition.at.rfc3339)")
        case .rule(.recognisedAfterDispatch(let dispatchedAt)):
            self = invalid(
                "recognised_at", "incident.recognised-after-dispatch",
                "must not be after the first dispatch, \(dispatchedAt.rfc3339)")
        }
    }

    static func quoted(_ text: String) -> [UInt8] {
        var writer = JSONWriter()
        writer.value(text)
        return writer.bytes
    }
}
