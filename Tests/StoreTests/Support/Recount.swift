import ControlCentre
import Testing

@testable import Store

/// What is known of all that happened at some sites in Berlin's time zone, one by one, from which each
/// answer is counted anew, and naively.
struct Recount {
    /// One thing that a metric counts or leaves out.
    struct Case: Sendable {
        var site: String
        /// Of the instant by which it counts.
        var day: Int64
        /// Several: it counts under each. A dimension that a metric does not have is not asked for.
        var keys: [Dimension: [String?]]
        var tallies: [(tally: FigureTally, value: Int64?)] = []
        /// Why it does not count.
        var leftOut: LeftOutReason?
        /// It counts, and is told of among what is left out as well.
        var isUnjudged = false
        /// Whether it is told of where other operating modes are asked for.
        var isToldOfOtherModes = false
        /// It has neither mode nor place: no filter concerns it.
        var isUnfiltered = false
    }

    /// Since when something is recorded at a site.
    struct Beginning: Sendable {
        var recorded: Timestamp
        /// Nil: never.
        var automatic: Timestamp?
    }

    var cases: [Case]
    /// Of each site.
    var beginnings: [String: Beginning]
    /// Up to when anything could be known.
    var knownAt: Timestamp
    /// All detections recorded before it are counted; nil: none is.
    var detectionsBefore: Timestamp?

    /// Says what in an answer is not as it is counted here.
    func differences(from answer: StatisticsAnswer) throws -> [String] {
        var found: [String] = []
        let question = answer.question
        if question.metric.isAutomatic, answer.detectionsBefore != detectionsBefore {
            found.append("detections before \(answer.detectionsBefore as Any)")
        }
        found += try PartRecount(self, of: question).differences(from: answer.period)
        for (comparison, part) in answer.comparisons {
            var other = question
            other.from = .date(try #require(LocalDate(String(part.spans[0].localFrom.prefix(10)))))
            other.to = .date(try #require(LocalDate(String(part.spans[0].localTo.prefix(10)))))
            found += try PartRecount(self, of: other).differences(from: part)
                .map { "\(comparison): \($0)" }
        }
        return found
    }
}

/// One period of a question, counted.
private struct PartRecount {
    private typealias Counts = [FigureTally: [Int64?]]

    private let recount: Recount
    private let question: StatisticsQuestion
    private let days: Range<Int64>
    /// What the metric counts.
    private let tallies: [FigureTally]
    private let calendar: Dimension?
    /// The days of each stretch of the calendar that the question parts by.
    private var stretches: [String: Range<Int64>] = [:]
    private var total: Counts = [:]
    private var cells: [[String?]: Counts] = [:]
    private var otherModes: [String: Int64] = [:]
    private var leftOut: [LeftOutReason: Int64] = [:]

    init(_ recount: Recount, of question: StatisticsQuestion) throws {
        self.recount = recount
        self.question = question
        guard case .date(let from) = question.from, case .date(let to) = question.to else {
            throw NotStored(outcome: "\(question)")
        }
        days = try BerlinCalendar.number(from.description)..<BerlinCalendar.number(to.description)
        let measures = MetricDefinition.current(of: question.metric).measures
        tallies =
            question.metric.isAutomatic
            ? measures.compactMap { FigureTally(rawValue: $0.rawValue) } : [.cases]
        calendar = question.groups.first(where: \.isCalendar)
        if let calendar {
            for day in days {
                let key = try #require(try BerlinCalendar.day(day)[calendar])
                stretches[key] = (stretches[key]?.lowerBound ?? day)..<(day + 1)
            }
        }
        try count()
    }

    private mutating func count() throws {
        let site = question.site?.description
        let filters = question.filters.filter { $0.dimension != .operatingMode }
        let modes = question.operatingModes
        for one in recount.cases where days.contains(one.day) && (site == nil || site == one.site) {
            if !one.isUnfiltered {
                let isAsked = filters.allSatisfy { filter in
                    one.keys[filter.dimension, default: []].contains { key in
                        key.map { filter.values.contains($0) } ?? false
                    }
                }
                guard isAsked else { continue }
                let mode = one.keys[.operatingMode]?.first.flatMap(\.self) ?? ""
                if let modes, !modes.contains(mode) {
                    if one.isToldOfOtherModes { otherModes[mode, default: 0] += 1 }
                    continue
                }
            }
            if let reason = one.leftOut {
                leftOut[reason, default: 0] += 1
                continue
            }
            if one.isUnjudged { leftOut[.unjudged, default: 0] += 1 }
            var combinations: [[String?]] = [[]]
            for group in question.groups {
                let own = try #require(one.keys[group], "\(group)")
                combinations = combinations.flatMap { keys in own.map { keys + [$0] } }
            }
            for (tally, value) in one.tallies {
                total[tally, default: []].append(value)
                guard !question.groups.isEmpty else { continue }
                for keys in combinations {
                    cells[keys, default: [:]][tally, default: []].append(value)
                }
            }
        }
    }

    // MARK: Comparing

    func differences(from part: StatisticsAnswer.Part) throws -> [String] {
        var found = try differences(from: part.total, total, nil).map { "total: \($0)" }
        for cell in part.cells {
            found += try differences(from: cell, cells[cell.keys] ?? [:], cell.keys)
                .map { "\(cell.keys): \($0)" }
        }
        let keys = Set(part.cells.map(\.keys))
        if keys.count != part.cells.count { found.append("a cell stands there twice") }
        for missing in cells.keys where !keys.contains(missing) {
            found.append("\(missing) is not there")
        }
        if let place = question.groups.firstIndex(where: \.isCalendar), !keys.isEmpty,
            Set(keys.map { $0[place] }) != Set(stretches.keys)
        {
            found.append("other stretches of the calendar")
        }
        if !question.groups.isEmpty, !question.groups.contains(.outcome) {
            for tally in tallies {
                let sum = part.cells.reduce(0) { $0 + $1.tallies[tally].count }
                if sum != part.total.tallies[tally].count {
                    found.append("the cells of \(tally) are \(sum)")
                }
            }
        }
        for mode in OperatingMode.allCases.map(\.rawValue) {
            let told = part.leftOut.operatingModes[mode] ?? 0
            if told != .number(otherModes[mode] ?? 0) { found.append("\(told) of \(mode)") }
        }
        for reason in LeftOutReason.allCases {
            let told = part.leftOut[reason]
            let isTold = question.leavesOut.contains(reason)
            if told != (isTold ? .number(leftOut[reason] ?? 0) : nil) {
                found.append("\(reason) is \(told as Any)")
            }
        }
        return found
    }

    private func differences(
        from cell: StatisticsAnswer.Cell, _ counts: Counts, _ keys: [String?]?
    ) throws -> [String] {
        var found: [String] = []
        for tally in tallies {
            let told = cell.tallies[tally]
            let values = counts[tally] ?? []
            let known = values.compactMap { $0 }.sorted()
            if told.count != values.count || told.known != known.count {
                found.append("\(tally) is \(told.count), not \(values.count)")
            }
            guard !known.isEmpty else { continue }
            if told.mean != Double(known.reduce(0, +)) / Double(known.count)
                || told.percentile(0.9) != percentile(0.9, of: known)
            {
                found.append("\(tally) has other values")
            }
            guard tally == .detections else { continue }
            for (decile, measure) in Measure.deciles.enumerated()
            where cell.tallies.number(of: measure)
                != Double(known.count { $0 == Int64(decile) })
            {
                found.append("\(measure)")
            }
        }
        if question.metric == .detectionQuality {
            for (measure, tally, other) in [
                (.precision, .confirmed, .dismissed), (.recallEstimate, .detected, .missed),
            ] as [(Measure, FigureTally, FigureTally)] {
                let (part, rest) = (counts[tally]?.count ?? 0, counts[other]?.count ?? 0)
                let share = part + rest > 0 ? Double(part) / Double(part + rest) : nil
                if cell.tallies.number(of: measure) != share { found.append("\(measure)") }
            }
        }
        let (state, detectionState) = try states(of: keys)
        if cell.state != state { found.append("\(cell.state), not \(state)") }
        if cell.detectionState != detectionState {
            found.append("detections: \(cell.detectionState as Any), not \(detectionState as Any)")
        }
        return found
    }

    private func percentile(_ fraction: Double, of values: [Int64]) -> Double {
        let place = fraction * Double(values.count - 1)
        let lower = Double(values[Int(place.rounded(.down))])
        let upper = Double(values[Int(place.rounded(.up))])
        return lower + (place - place.rounded(.down)) * (upper - lower)
    }

    // MARK: What can be told

    /// Of a cell, and of its detections.
    ///
    /// - Parameter keys: nil: of the total.
    private func states(of keys: [String?]?) throws -> (RecordingState, RecordingState?) {
        var days = days
        var sites = question.site.map { [$0.description] } ?? Array(recount.beginnings.keys)
        var sources = question.filter(.source)
        var isOfDetections =
            question.metric.isAutomatic && question.filter(.dismissalReason) == nil
        for (group, key) in zip(question.groups, keys ?? []) {
            guard let key else { continue }
            if group == calendar { days = try #require(stretches[key], "\(key)") }
            if group == .site { sites = [key] }
            if group == .source { sources = [key] }
            if group == .dismissalReason { isOfDetections = false }
        }
        let from = try BerlinCalendar.midnight(days.lowerBound)
        let to = try BerlinCalendar.midnight(days.upperBound)
        let isAutomatic = question.metric.isAutomatic || sources == ["automatic"]
        func state(until: Timestamp) throws -> RecordingState {
            let states = try Set(
                sites.map { site -> RecordingState in
                    let beginning = try #require(recount.beginnings[site])
                    let since = isAutomatic ? beginning.automatic : beginning.recorded
                    guard let since, since < to, until > from else { return .notRecorded }
                    return since <= from && to <= until ? .complete : .partial
                })
            return states.count == 1 ? try #require(states.first) : .partial
        }
        return try (
            state(until: recount.knownAt),
            isOfDetections ? state(until: recount.detectionsBefore ?? .epoch) : nil
        )
    }
}

extension Timestamp {
    /// The beginning of its quarter of an hour.
    var quarterHour: Timestamp {
        self - .microseconds(microsecondsSinceEpoch % 900_000_000)
    }
}
