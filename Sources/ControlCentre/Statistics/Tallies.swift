/// What was counted for one cell, each tally by itself.
public struct Tallies: Sendable, Hashable {
    private var distributions: [FigureTally: Distribution] = [:]

    public init() {}

    /// The cases of a tally by their values; empty where there was none.
    public subscript(_ tally: FigureTally) -> Distribution {
        distributions[tally] ?? Distribution()
    }

    /// - Parameter value: nil: it has none, or it is not known.
    public mutating func add(_ count: Int64, of value: Int64?, to tally: FigureTally) {
        distributions[tally, default: Distribution()].add(count, of: value)
    }

    /// Adds cases with known values, and how many there are besides without.
    public mutating func add(
        _ known: [Distribution.Entry], missing: Int64, to tally: FigureTally
    ) {
        distributions[tally, default: Distribution()].add(known)
        distributions[tally, default: Distribution()].add(missing, of: nil)
    }

    public mutating func add(_ other: Tallies) {
        for (tally, distribution) in other.distributions {
            distributions[tally, default: Distribution()].add(distribution)
        }
    }

    /// Whether nothing is left of what was counted.
    public var isEmpty: Bool { distributions.values.allSatisfy(\.isEmpty) }

    /// What a measure is of them; nil where there is no number, as a mean of nothing.
    public func number(of measure: Measure) -> Double? {
        switch measure {
        case .count: Double(self[.cases].count)
        case .known: Double(self[.cases].known)
        case .missing: Double(self[.cases].missing)
        case .median: self[.cases].percentile(0.5)
        case .percentile90: self[.cases].percentile(0.9)
        case .mean: self[.cases].mean
        case .precision: share(of: .confirmed, beside: .dismissed)
        case .recallEstimate: share(of: .detected, beside: .missed)
        case .analysedHours: hours(.analysed)
        case .offByScheduleHours: hours(.offBySchedule)
        case .offByOrderHours: hours(.offByOrder)
        case .blindHours: hours(.blind)
        case .offHours: hours(.off)
        case .unknownHours: hours(.unknown)
        case .topTenShare: self[.annunciated].share(ofMostFrequent: 10)
        case .installedLast: byDay(.installedCameras).last.map(Double.init)
        case .analysedLast: byDay(.analysedCameras).last.map(Double.init)
        case .installedMean: mean(byDay(.installedCameras))
        case .analysedMean: mean(byDay(.analysedCameras))
        case .installedLowest: byDay(.installedCameras).min().map(Double.init)
        case .installedHighest: byDay(.installedCameras).max().map(Double.init)
        case .analysedLowest: byDay(.analysedCameras).min().map(Double.init)
        case .analysedHighest: byDay(.analysedCameras).max().map(Double.init)
        case .installedDays: Double(byDay(.installedCameras).reduce(0, +))
        case .analysedDays: Double(byDay(.analysedCameras).reduce(0, +))
        case .meanPerTenMinutes: self[.windows].mean
        case .windowsAboveTen: Double(self[.windows].count(above: 10))
        case .shareAboveTen: share(ofWindowsAbove: 10)
        case .peakTenMinutes: self[.windows].maximum.map(Double.init)
        case .floodMinutes: Double(self[.floodSeconds].count) / 60
        default:
            if let decile = measure.decile {
                Double(self[.detections].count(of: decile))
            } else {
                // What is only counted has its tally's name.
                FigureTally(rawValue: measure.rawValue).map { Double(self[$0].count) }
            }
        }
    }

    /// Which part of two tallies together the first is; nil of nothing.
    private func share(of tally: FigureTally, beside other: FigureTally) -> Double? {
        let all = self[tally].count + self[other].count
        return all > 0 ? Double(self[tally].count) / Double(all) : nil
    }

    /// How many there were on each of the days.
    private func byDay(_ tally: FigureTally) -> [Int64] {
        self[.days].values.map { self[tally].count(of: $0) }
    }

    /// Of numbers; nil of none.
    private func mean(_ numbers: [Int64]) -> Double? {
        numbers.isEmpty ? nil : Double(numbers.reduce(0, +)) / Double(numbers.count)
    }

    private func share(ofWindowsAbove alarms: Int64) -> Double? {
        let windows = self[.windows]
        guard windows.known > 0 else { return nil }
        return Double(windows.count(above: alarms)) / Double(windows.known)
    }

    /// Of a tally that counts seconds.
    private func hours(_ tally: FigureTally) -> Double { Double(self[tally].count) / 3_600 }
}
