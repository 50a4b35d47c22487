import ControlCentre
import JSON

extension Scenario {
    /// Names the format and its version; a reader refuses any other.
    private static let format = "leitstand-scenario/1"
    private static let camerasMax = 10_000

    /// Reads a scenario, or says everything that is wrong with it.
    public init(json bytes: [UInt8]) throws(ScenarioError) {
        let json: JSON
        do throws(JSONError) {
            json = try JSON.parse(bytes)
        } catch {
            throw .notJSON(error)
        }
        var reader = ObjectReader(json)
        let scenario = Scenario(&reader)
        reader.rejectUnknown()
        guard reader.isValid, let scenario else { throw .invalid(reader.errors) }
        self = scenario
    }

    /// Nil when `reader` has errors.
    private init?(_ reader: inout ObjectReader) {
        _ = reader.requiredString("format", oneOf: [Self.format])
        let source = reader.requiredString("source", length: 1...1_000)
        let site = reader.requiredObject("site") { Site(&$0) }
        let node = reader.requiredObject("node") { Node(&$0) }
        let framesPerSecond = reader.requiredInteger("frames_per_second", in: 2...240)
        let confidence = reader.requiredNumber("confidence", in: 0...1)
        let areas = reader.requiredObjects("areas", count: 1...1_000) { Area(&$0) }
        let cameras = reader.requiredObjects("cameras", count: 1...Self.camerasMax) { Camera(&$0) }
        if let areas, let cameras {
            reader.checkReferences(areas, cameras)
        }
        guard reader.isValid, let source, let site, let node, let framesPerSecond, let confidence,
            let areas, let cameras
        else { return nil }
        self.init(
            source: source, site: site, node: node, framesPerSecond: framesPerSecond,
            confidence: confidence, areas: areas, cameras: cameras)
    }
}

extension ObjectReader {
    fileprivate mutating func checkReferences(
        _ areas: [Scenario.Area], _ cameras: [Scenario.Camera]
    ) {
        let known = Set(areas.map(\.key))
        if known.count < areas.count { refuse("areas", "must have each key once") }
        if Set(cameras.map(\.key)).count < cameras.count {
            refuse("cameras", "must have each key once")
        }
        for (index, camera) in cameras.enumerated() where !known.contains(camera.area) {
            refuse("cameras", "must name known areas; item \(index) names \(camera.area)")
        }
    }
}

extension Scenario.Site {
    fileprivate init?(_ reader: inout ObjectReader) {
        let id = reader.required("id", expected: "a site's id, such as mannheim") { SiteID($0) }
        let name = reader.requiredString("name", length: 1...200)
        let timeZone = reader.requiredString("time_zone", length: 1...64)
        guard let id, let name, let timeZone else { return nil }
        self.init(id: id, name: name, timeZone: timeZone)
    }
}

extension Scenario.Node {
    fileprivate init?(_ reader: inout ObjectReader) {
        let name = reader.requiredString("name", length: 1...200)
        let model = reader.requiredString("model", length: 1...100)
        guard let name, let model else { return nil }
        self.init(name: name, model: model)
    }
}

extension Scenario.Area {
    fileprivate init?(_ reader: inout ObjectReader) {
        let key = reader.requiredString("key", length: 1...200)
        let name = reader.requiredString("name", length: 1...200)
        guard let key, let name else { return nil }
        self.init(key: key, name: name)
    }
}

extension Scenario.Camera {
    /// A day on either side of the evening's beginning.
    private static let startSeconds = -86_400.0...86_400.0

    fileprivate init?(_ reader: inout ObjectReader) {
        let key = reader.requiredString("key", length: 1...200)
        let area = reader.requiredString("area", length: 1...200)
        let name = reader.requiredString("name", length: 1...200)
        let recording = reader.requiredString("recording", length: 1...500)
        let startsAt = reader.optionalNumber("starts_at", in: Self.startSeconds)
        let incidents = reader.optionalObjects("incidents", count: 1...1_000) {
            Scenario.Incident(&$0)
        }
        if incidents != nil, startsAt == nil {
            reader.refuse("starts_at", code: "missing", "must be there, as there are incidents")
        }
        guard reader.isValid, let key, let area, let name, let recording else { return nil }
        self.init(
            key: key, area: area, name: name, recording: recording,
            startsAt: .microseconds(Int64(((startsAt ?? 0) * 1_000_000).rounded())),
            incidents: incidents ?? [])
    }
}

extension Scenario.Incident {
    fileprivate init?(_ reader: inout ObjectReader) {
        let annotatedClass = reader.requiredString("class", length: 1...100)
        let ends = reader.requiredArray("frames", count: 2...2)?.compactMap(\.asInteger)
        let pattern = reader.optionalCase("pattern", of: BehaviourPattern.self)
        let category = reader.optionalCase("category", of: Scenario.Category.self)
        var frames: ClosedRange<Int>?
        if let ends {
            if ends.count == 2, 1 <= ends[0], ends[0] <= ends[1], ends[1] <= 1_000_000_000 {
                frames = Int(ends[0])...Int(ends[1])
            } else {
                reader.refuse("frames", "must be a first and a last frame, counted from 1")
            }
        }
        let nature: Scenario.Nature
        switch (pattern, category) {
        case (let pattern?, nil): nature = .reported(pattern)
        case (nil, let category?): nature = .observable(category)
        default:
            reader.refuse("pattern", "must be there, or else category, and not both")
            return nil
        }
        guard let annotatedClass, let frames else { return nil }
        self.init(annotatedClass: annotatedClass, frames: frames, nature: nature)
    }
}
