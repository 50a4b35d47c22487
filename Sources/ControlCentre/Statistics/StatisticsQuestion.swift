/// Where a period begins or ends.
public enum PeriodBound: Sendable, Hashable {
    /// The first instant of a local day of each site.
    case date(LocalDate)
    /// The same instant everywhere.
    case instant(Timestamp)
}

/// A day as a site's calendar names it.
public struct LocalDate: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// `YYYY-MM-DD`.
    public let description: String

    /// The years that a question may be about: no time zone had today's form much before them, and
    /// nothing is recorded after them.
    static let years: ClosedRange<Int64> = 1970...2199

    /// Reads `YYYY-MM-DD`; nil where the calendar has no such day.
    public init?(_ text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, parts.map(\.utf8.count) == [4, 2, 2],
            text.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == UInt8(ascii: "-") }),
            let year = Int64(parts[0]), let month = Int64(parts[1]), let day = Int64(parts[2]),
            Self.years.contains(year), CivilDate(year: year, month: month, day: day) != nil
        else { return nil }
        description = text
    }

    public static func < (left: LocalDate, right: LocalDate) -> Bool {
        left.description < right.description
    }
}

/// What the figures of a period are put beside.
public enum PeriodComparison: String, Hashable, Sendable, CaseIterable {
    /// The same days a year before.
    case previousSamePeriod = "previous_same_period"
    /// The whole calendar year before the one in which the period begins.
    case previousFullYear = "previous_full_year"
}

/// A question to the statistics.
public struct StatisticsQuestion: Sendable {
    public var metric: Metric
    /// Half-open.
    public var from: PeriodBound
    public var to: PeriodBound
    /// Nil: all sites.
    public var site: SiteID?
    public var groups: [Dimension] = []
    /// In the order of `Dimension`.
    public var filters: [(dimension: Dimension, values: [String])] = []
    public var clock: ArrivalClock = .recognition
    public var comparisons: [PeriodComparison] = []
    /// What the server knew then; nil: what it knows.
    public var asOf: Timestamp?
    /// Figures of fewer cases are hidden, as `SmallNumberSuppression` does; nil: none is.
    public var suppressBelow: Int?

    /// How many cells an answer has at most.
    public static let cellsMax = 100_000
    /// By how many dimensions one question parts.
    public static let groupsMax = 3

    public init(metric: Metric, from: PeriodBound, to: PeriodBound) {
        self.metric = metric
        self.from = from
        self.to = to
    }

    /// The values to which a dimension is restricted; nil: it is not.
    public func filter(_ dimension: Dimension) -> [String]? {
        filters.first { $0.dimension == dimension }?.values
    }

    /// For what reasons something may be left out of the answer.
    public var leavesOut: [LeftOutReason] {
        switch metric {
        case .incidents, .incidentsWithImmediateIntervention: [.retracted]
        case .interventions: [.retracted, .cancelled]
        case .arrivalTimes: clock == .dispatch ? [.retracted, .cancelled] : [.retracted]
        case .alarmFunnel: [.refused]
        case .detectionQuality: [.retracted, .refused, .unjudged]
        case .coverage, .cameras: []
        case .alarmLoad: [.late]
        }
    }

    /// Whether it is about whole positions of observers, each of which watches several sources.
    public var isOfPositions: Bool {
        metric == .alarmLoad
            && Set(groups + filters.map(\.dimension))
                .isSubset(of: MetricDefinition.calendar + [.site])
    }

    /// Which operating modes count: production, unless the question is about modes; nil: all, or
    /// the metric counts what has none.
    public var operatingModes: [String]? {
        // No other alarm rings.
        if metric == .alarmLoad { return [OperatingMode.production.rawValue] }
        guard MetricDefinition.current(of: metric).filters.contains(.operatingMode) else {
            return nil
        }
        if let asked = filter(.operatingMode) { return asked }
        return groups.contains(.operatingMode) ? nil : [OperatingMode.production.rawValue]
    }
}
