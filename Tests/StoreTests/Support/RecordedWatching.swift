import ControlCentre

@testable import Store

/// How a site was watched, as its nodes and its configuration had it, and what that comes to: looked
/// at every 100 seconds, of which everything happens at a multiple. Seconds count from a begin.
struct RecordedWatching: Sendable {
    static let step: Int64 = 100
    static let patterns = ["hitting", "kicking"]

    struct Camera: Sendable {
        let id: CameraID
        var installed: Int64
        var removed: Int64?
        /// Each up to the next.
        var places: [(from: Int64, area: AreaID, isByNight: Bool)]

        func isThere(at second: Int64) -> Bool {
            installed <= second && second < removed ?? .max
        }

        func place(at second: Int64) -> (from: Int64, area: AreaID, isByNight: Bool)? {
            places.last { $0.from <= second }
        }
    }

    struct Order: Sendable {
        let id: InterruptionID
        var camera: CameraID?
        var area: AreaID?
        let from: Int64
        var to: Int64?
    }

    struct Beat: Sendable {
        let second: Int64
        let statuses: [Subject: AnalysisStatus]
    }

    struct Subject: Hashable, Sendable {
        let camera: CameraID
        let pattern: String
    }

    struct Node: Sendable {
        let model: String
        var beats: [Beat] = []

        /// What it is known to have done.
        ///
        /// - Parameter count: of its heartbeats up to then.
        func status(of subject: Subject, at second: Int64, after count: Int) -> AnalysisStatus? {
            guard count > 0 else { return nil }
            let place = count - 1
            let interval = Int64(ReportingNode.seconds)
            let said = beats[place].second
            let next = place + 1 < beats.count ? beats[place + 1].second : .max
            let isKnown = next - said <= 3 * interval || second < said + interval
            return isKnown ? beats[place].statuses[subject] : nil
        }
    }

    let begin: Timestamp
    var cameras: [Camera]
    /// From when on each area is monitored, or is not.
    var areas: [(id: AreaID, monitored: [(from: Int64, is: Bool)])]
    var nodes: [Node]
    var orders: [Order] = []
    /// While a pattern was permitted.
    var permitted: [String: [(from: Int64, to: Int64)]]
    /// Up to when hours are recorded.
    var recordedUntil: Int64 = 0

    /// What a camera did in a part of an hour.
    struct Watch: Hashable {
        let hour: Int64
        let camera: CameraID
        let area: AreaID
        let isMonitored: Bool
        /// Nil: of the camera as a whole.
        let pattern: String?
        let state: FigureTally
        let models: [String]
    }

    /// Seconds of what is recorded.
    func watches() throws -> [Watch: Int64] {
        var seconds: [Watch: Int64] = [:]
        var isNight = false
        var heard = nodes.map { _ in 0 }
        for second in stride(from: 0, to: recordedUntil, by: Int64.Stride(Self.step)) {
            if second % 3_600 == 0 {
                let hour = try BerlinCalendar.place(of: begin + .seconds(second)).hour
                isNight = hour < 6 || hour >= 20
            }
            for (place, node) in nodes.enumerated() {
                while heard[place] < node.beats.count, node.beats[heard[place]].second <= second {
                    heard[place] += 1
                }
            }
            for camera in cameras where camera.isThere(at: second) {
                guard let place = camera.place(at: second),
                    let area = areas.first(where: { $0.id == place.area }),
                    let monitored = area.monitored.last(where: { $0.from <= second })
                else { continue }
                let isOff = orders.contains { order in
                    order.from <= second && second < order.to ?? .max
                        && (order.camera == camera.id || order.area == place.area
                            || (order.camera == nil && order.area == nil))
                }
                for pattern in Self.patterns + [nil] {
                    if let pattern,
                        permitted[pattern]?.contains(where: { $0.from <= second && second < $0.to })
                            != true
                    {
                        continue
                    }
                    var state = FigureTally.unknown
                    var models: Set<String> = []
                    if isOff {
                        state = .offByOrder
                    } else if place.isByNight, !isNight {
                        state = .offBySchedule
                    } else {
                        (state, models) = reported(
                            camera.id, pattern.map { [$0] } ?? Self.patterns, at: second, heard)
                    }
                    let watch = Watch(
                        hour: second / 3_600, camera: camera.id, area: place.area,
                        isMonitored: monitored.is, pattern: pattern, state: state,
                        models: models.sorted())
                    seconds[watch, default: 0] += Self.step
                }
            }
        }
        return seconds
    }

    /// The best that any node did for any of the patterns, and the models that did so.
    private func reported(
        _ camera: CameraID, _ patterns: [String], at second: Int64, _ heard: [Int]
    ) -> (FigureTally, Set<String>) {
        var models: [AnalysisStatus: Set<String>] = [:]
        for (node, count) in zip(nodes, heard) {
            for pattern in patterns {
                let subject = Subject(camera: camera, pattern: pattern)
                guard let status = node.status(of: subject, at: second, after: count)
                else { continue }
                models[status, default: []].insert(node.model)
            }
        }
        if let models = models[.analysing] { return (.analysed, models) }
        if let models = models[.blind] { return (.blind, models) }
        return (models[.off] == nil ? .unknown : .off, [])
    }
}

// MARK: Figures

/// What is expected of a part of an answer, by the cells' keys; nil: the total.
struct ExpectedWatching {
    var tallies: [[String?]?: [FigureTally: [Int64?: Int64]]] = [:]

    mutating func add(
        _ count: Int64, of value: Int64?, to tally: FigureTally, at keys: [String?]?
    ) {
        tallies[keys, default: [:]][tally, default: [:]][value, default: 0] += count
    }
}

private struct CameraDay: Hashable {
    let camera: CameraID
    let day: Int64
}

private struct Place: Hashable {
    let area: AreaID
    let isMonitored: Bool
}

extension RecordedWatching.Watch {
    fileprivate func keys(_ dimension: Dimension, from begin: Timestamp) throws -> [String?] {
        switch dimension {
        case .site: ["mannheim"]
        case .area: [area.description]
        case .monitored: [isMonitored.description]
        case .camera: [camera.description]
        case .pattern: [pattern]
        case .model: models.isEmpty ? [nil] : models
        default:
            try BerlinCalendar.keys(of: begin + .seconds(hour * 3_600))[dimension] ?? []
        }
    }
}

extension [RecordedWatching.Watch: Int64] {
    /// The hours of cameras of a half-open time that a question takes.
    func hours(
        _ question: StatisticsQuestion, from: Int64, to: Int64, of begin: Timestamp
    ) throws -> ExpectedWatching {
        var expected = ExpectedWatching()
        let isByPattern =
            question.groups.contains(.pattern) || question.filter(.pattern) != nil
        for (watch, seconds) in self
        where from <= watch.hour * 3_600 && watch.hour * 3_600 < to
            && isByPattern == (watch.pattern != nil)
        {
            let isTaken = try question.filters.allSatisfy { filter in
                try watch.keys(filter.dimension, from: begin).contains { key in
                    key.map { filter.values.contains($0) } ?? false
                }
            }
            guard isTaken else { continue }
            expected.add(seconds, of: nil, to: watch.state, at: nil)
            var cells: [[String?]] = [[]]
            for group in question.groups {
                let keys = try watch.keys(group, from: begin)
                cells = cells.flatMap { cell in keys.map { cell + [$0] } }
            }
            guard !question.groups.isEmpty else { continue }
            for cell in cells { expected.add(seconds, of: nil, to: watch.state, at: cell) }
        }
        return expected
    }

    /// The cameras of some local days.
    func cameras(
        _ question: StatisticsQuestion, on days: Range<Int64>, of begin: Timestamp
    ) throws -> ExpectedWatching {
        var places: [CameraDay: [Place: Int64]] = [:]
        var analysed: Set<CameraDay> = []
        for (watch, seconds) in self where watch.pattern == nil {
            let day = try BerlinCalendar.place(of: begin + .seconds(watch.hour * 3_600)).day
            guard days.contains(day) else { continue }
            let subject = CameraDay(camera: watch.camera, day: day)
            let place = Place(area: watch.area, isMonitored: watch.isMonitored)
            places[subject, default: [:]][place, default: 0] += seconds
            if watch.state == .analysed { analysed.insert(subject) }
        }
        var expected = ExpectedWatching()
        for (subject, times) in places {
            let longest = times.max { left, right in
                (left.value, left.key.isMonitored ? 1 : 0, right.key.area.description)
                    < (right.value, right.key.isMonitored ? 1 : 0, left.key.area.description)
            }
            guard let place = longest?.key else { continue }
            let calendar = try BerlinCalendar.day(subject.day)
            func key(_ dimension: Dimension) -> String? {
                switch dimension {
                case .site: "mannheim"
                case .area: place.area.description
                case .monitored: place.isMonitored.description
                case .weekday: calendar.weekday
                default: calendar[dimension]
                }
            }
            let isTaken = question.filters.allSatisfy { filter in
                key(filter.dimension).map { filter.values.contains($0) } ?? false
            }
            guard isTaken else { continue }
            var cells: [[String?]?] = [nil]
            if !question.groups.isEmpty { cells.append(question.groups.map(key)) }
            for cell in cells {
                expected.add(1, of: subject.day, to: .installedCameras, at: cell)
                guard analysed.contains(subject) else { continue }
                expected.add(1, of: subject.day, to: .analysedCameras, at: cell)
            }
        }
        return expected
    }
}
