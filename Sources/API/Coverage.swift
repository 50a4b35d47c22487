import ControlCentre
import HTTP
import Store

extension API {
    /// How much time one question may cover: a year, whatever the year.
    static let coverageTimeMax: Duration = .seconds(366 * 86_400)

    func addCoverage() {
        let readers = ConfigurationRoles.readers.union([.statistician])
        add(.get, "/v1/coverage", for: readers) { api, call in
            var query = QueryReader(call.request)
            let page = try query.page(isID: Database.isCoverageKey)
            let site = try query.site(for: call)
            let camera = query.id("camera", CameraID.self)
            let patterns = query.anyOf("pattern", BehaviourPattern.self)
            let period = query.period(atMost: Self.coverageTimeMax)
            try query.finish()
            guard let period else { preconditionFailure("a missing period is a fault") }
            var filter = CoverageFilter(from: period.lowerBound, to: period.upperBound)
            filter.site = site
            filter.camera = camera
            filter.patterns = patterns
            return .page(try await api.database.coverage(filter, page), for: call.request)
        }
    }
}

extension QueryReader {
    /// `from` and `to`, half-open, both required; nil only after a fault.
    mutating func period(atMost length: Duration) -> Range<Timestamp>? {
        let from = requiredTime("from")
        let to = requiredTime("to")
        guard let from, let to else { return nil }
        guard from < to else {
            refuse("to", code: "out-of-range", "must be after from")
            return nil
        }
        guard to - from <= length else {
            let days = length.components.seconds / 86_400
            refuse("to", code: "out-of-range", "must be at most \(days) days after from")
            return nil
        }
        return from..<to
    }

    private mutating func requiredTime(_ name: String) -> Timestamp? {
        let isGiven = text(name) != nil
        let instant = isGiven ? time(name) : nil
        if !isGiven { refuse(name, code: "missing", "must be an RFC 3339 time with offset") }
        return instant
    }
}
