import ControlCentre
import HTTP
import JSON
import Store

extension API {
    func addSites() {
        add(.get, "/v1/sites", for: ConfigurationRoles.readers) { api, call in
            var query = QueryReader(call.request)
            let page = try query.page { SiteID($0) != nil }
            try query.finish()
            return .page(try await api.database.sites(only: call.site, page), for: call.request)
        }
        add(.post, "/v1/sites", for: ConfigurationRoles.writers) { api, call in
            try call.rejectParameters()
            let site = try call.body { NewSite(&$0) }
            // Whoever is bound to a site cannot make another.
            guard call.site == nil else {
                throw Problem(
                    403, "role.forbidden", "Only an administrator of all sites may create a site.")
            }
            let outcome = try await api.database.createSite(
                site, by: call.author(), at: call.receivedAt)
            return try .created(outcome, resource: "site", path: "/v1/sites")
        }
        add(.get, "/v1/sites/{id}", for: ConfigurationRoles.readers) { api, call in
            try call.rejectParameters()
            let id = try call.id(SiteID.self, of: "site")
            return try .found(try await api.database.site(id, only: call.site), resource: "site")
        }
        add(.patch, "/v1/sites/{id}", for: ConfigurationRoles.writers) { api, call in
            try call.rejectParameters()
            let id = try call.id(SiteID.self, of: "site")
            let precondition = try call.precondition()
            let change = try call.body(mediaTypes: patchMediaTypes) { SiteChange(&$0) }
            let outcome = try await api.database.changeSite(
                id, only: call.site, if: precondition, to: change, by: call.author(),
                at: call.receivedAt)
            return try .changed(outcome, resource: "site")
        }
    }
}

extension NewSite {
    init?(_ reader: inout ObjectReader) {
        let id = reader.required("id", expected: SiteID.expectation) { SiteID($0) }
        let name = reader.requiredLine("name", length: 1...200)
        let timeZone = reader.requiredLine("time_zone", length: 1...64)
        let mode = reader.optionalCase("operating_mode", of: OperatingMode.self)
        let patterns = [PermittedPattern].read("patterns", &reader)
        guard reader.isValid, let id, let name, let timeZone else { return nil }
        self.init(
            id: id, name: name, timeZone: timeZone, operatingMode: mode ?? .production,
            patterns: patterns ?? .byDefault)
    }
}

extension SiteChange {
    init?(_ reader: inout ObjectReader) {
        self.init()
        if reader.contains("name") { name = reader.requiredLine("name", length: 1...200) }
        if reader.contains("time_zone") {
            timeZone = reader.requiredLine("time_zone", length: 1...64)
        }
        if reader.contains("operating_mode") {
            operatingMode = reader.requiredCase("operating_mode", of: OperatingMode.self)
        }
        if reader.contains("patterns") {
            _ = reader.required("patterns")
            patterns = [PermittedPattern].read("patterns", &reader)
        }
    }
}

extension SiteID {
    static let expectation =
        "1 to 63 lower-case letters, digits and single hyphens, not at either end"
}

extension [PermittedPattern] {
    /// What a new site permits unless it says otherwise: patterns that alone indicate an offence.
    static var byDefault: [PermittedPattern] {
        BehaviourPattern.allCases.filter { BehaviourPattern.permittedByDefault.contains($0) }
            .map { PermittedPattern(pattern: $0, legalBasis: nil) }
    }

    fileprivate static func read(_ name: String, _ reader: inout ObjectReader) -> Self? {
        let patterns = reader.optionalObjects(name, count: 0...BehaviourPattern.allCases.count) {
            reader -> PermittedPattern? in
            let pattern = reader.requiredCase("pattern", of: BehaviourPattern.self)
            let basis = reader.optionalString("legal_basis", length: 1...500)
            guard let pattern else { return nil }
            if basis == nil, !BehaviourPattern.permittedByDefault.contains(pattern) {
                reader.refuse(
                    "legal_basis", code: "missing",
                    "is required for \(pattern.rawValue), which alone indicates no offence")
                return nil
            }
            return PermittedPattern(pattern: pattern, legalBasis: basis)
        }
        if let patterns, Set(patterns.map(\.pattern)).count < patterns.count {
            reader.refuse(name, "must name each pattern once")
        }
        return patterns
    }
}
