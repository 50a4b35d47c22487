import ControlCentre
import HTTP
import JSON
import Store

extension API {
    func addSites() {
        add(.get, "/v1/sites", for: ConfigurationRoles.readers) { api, call in
            var query = QueryReader(call.request)
            let page = try query.page { SiteID($0) != nil }
            let created = query.creationTimes()
            try query.finish()
            return .page(
                try await api.database.sites(only: call.site, created: created, page),
                for: call.request)
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
            return try await api.changed(outcome, "site", id)
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
        let settings = SiteSettings(&reader)
        guard reader.isValid, let id, let name, let timeZone else { return nil }
        self.init(
            id: id, name: name, timeZone: timeZone, operatingMode: mode ?? .production,
            patterns: patterns ?? .byDefault)
        positions = settings.positions ?? []
        retentionHours = settings.retentionHours
        holdGrounds = settings.holdGrounds ?? []
        fourEyesRelease = settings.fourEyesRelease ?? false
        accessReason = settings.accessReason ?? .none
        accessLogDays = settings.accessLogDays
    }
}

extension SiteChange {
    init?(_ reader: inout ObjectReader) {
        self.init()
        name = reader.optionalLine("name", length: 1...200)
        timeZone = reader.optionalLine("time_zone", length: 1...64)
        operatingMode = reader.optionalCase("operating_mode", of: OperatingMode.self)
        patterns = [PermittedPattern].read("patterns", &reader)
        let settings = SiteSettings(&reader)
        positions = settings.positions
        retentionHours = settings.retentionHours
        holdGrounds = settings.holdGrounds
        fourEyesRelease = settings.fourEyesRelease
        accessReason = settings.accessReason
        accessLogDays = settings.accessLogDays
    }
}

/// What a site sets for its control centre.
private struct SiteSettings {
    let positions: [ObserverPosition]?
    let retentionHours: Int?
    let holdGrounds: [String]?
    let fourEyesRelease: Bool?
    let accessReason: AccessReason?
    let accessLogDays: Int?

    init(_ reader: inout ObjectReader) {
        positions = [ObserverPosition].read("positions", &reader)
        retentionHours = reader.optionalInteger("retention_hours", in: 1...8_760)
        let grounds = reader.optionalItems(
            "hold_grounds", count: 0...50, expected: "one line of 1 to 100 characters"
        ) { (1...100).contains($0.unicodeScalars.count) && isLine($0) ? $0 : nil }
        if let grounds, Set(grounds).count < grounds.count {
            reader.refuse("hold_grounds", "must name each ground once")
        }
        holdGrounds = grounds
        fourEyesRelease = reader.optionalBool("four_eyes_release")
        accessReason = reader.optionalCase("access_reason", of: AccessReason.self)
        accessLogDays = reader.optionalInteger("access_log_days", in: 1...3_650)
    }
}

extension [ObserverPosition] {
    fileprivate static func read(_ name: String, _ reader: inout ObjectReader) -> Self? {
        let positions = reader.optionalObjects(name, count: 0...100) {
            reader -> ObserverPosition? in
            let name = reader.requiredLine("name", length: ObserverPosition.nameLength)
            let areas = reader.nullableItems("areas", count: 1...200, expected: "an area's id") {
                AreaID($0)
            }
            if let areas, Set(areas).count < areas.count {
                reader.refuse("areas", "must name each area once")
            }
            let staffed = reader.nullableSchedule("staffed")
            guard let name else { return nil }
            return ObserverPosition(name: name, areas: areas, staffed: staffed)
        }
        if let positions, Set(positions.map(\.name)).count < positions.count {
            reader.refuse(name, "must have each name once")
        }
        return positions
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
            let basis = reader.nullableLine("legal_basis", length: 1...500)
            let validFrom = reader.nullableTime("valid_from")
            let validTo = reader.nullableTime("valid_to")
            reader.requireOrder("valid_from", validFrom, "valid_to", validTo)
            guard let pattern else { return nil }
            if basis == nil, !BehaviourPattern.permittedByDefault.contains(pattern) {
                reader.refuse(
                    "legal_basis", code: "missing",
                    "is required for \(pattern.rawValue), which alone indicates no offence")
                return nil
            }
            return PermittedPattern(
                pattern: pattern, legalBasis: basis, validFrom: validFrom, validTo: validTo)
        }
        if let patterns, Set(patterns.map(\.pattern)).count < patterns.count {
            reader.refuse(name, "must name each pattern once")
        }
        return patterns
    }
}
