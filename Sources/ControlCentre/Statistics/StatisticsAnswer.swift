/// The figures of a question, with all that is needed to ask it again.
public struct StatisticsAnswer: Sendable {
    public var question: StatisticsQuestion
    /// Up to which position of the journal changes are in it.
    public var position: Int64
    /// When that position was recorded; nil before the first.
    public var recordedAt: Timestamp?
    /// The instant up to which anything could be known.
    public var knownAt: Timestamp
    /// All detections recorded before it are counted; nil: none is yet, or the metric counts none.
    public var detectionsBefore: Timestamp?
    /// The release of the time zone database by which days begin, such as `2025b`; nil where the
    /// database does not tell.
    public var timeZoneRelease: String?
    public var period: Part
    public var comparisons: [(comparison: PeriodComparison, part: Part)]

    public init(
        question: StatisticsQuestion, position: Int64, recordedAt: Timestamp?, knownAt: Timestamp,
        timeZoneRelease: String?, period: Part,
        comparisons: [(comparison: PeriodComparison, part: Part)]
    ) {
        self.question = question
        self.position = position
        self.recordedAt = recordedAt
        self.knownAt = knownAt
        self.timeZoneRelease = timeZoneRelease
        self.period = period
        self.comparisons = comparisons
    }

    /// The period as one site's clocks have it.
    public struct Span: Sendable {
        public var site: SiteID
        public var timeZone: String
        /// SHA-256 of the zone's changes of offset from 1970 to 2100, in hexadecimal digits.
        public var timeZoneFingerprint: String
        public var from: Timestamp
        public var to: Timestamp
        /// `YYYY-MM-DD HH:MM:SS`.
        public var localFrom: String
        public var localTo: String
        /// Since when the metric is recorded there.
        public var recordedSince: Timestamp
        /// Up to when it is recorded there; nil: up to what is known.
        public var recordedUntil: Timestamp?
        /// Since when there are alarms; nil: never.
        public var automaticSince: Timestamp?

        public init(
            site: SiteID, timeZone: String, timeZoneFingerprint: String, from: Timestamp,
            to: Timestamp, localFrom: String, localTo: String, recordedSince: Timestamp,
            recordedUntil: Timestamp?, automaticSince: Timestamp?
        ) {
            self.site = site
            self.timeZone = timeZone
            self.timeZoneFingerprint = timeZoneFingerprint
            self.from = from
            self.to = to
            self.localFrom = localFrom
            self.localTo = localTo
            self.recordedSince = recordedSince
            self.recordedUntil = recordedUntil
            self.automaticSince = automaticSince
        }
    }

    public struct Cell: Sendable {
        /// In the order of the question's groups; nil: no value.
        public var keys: [String?]
        public var state: RecordingState
        /// Of what is counted of detections; nil: the cell's keys are none of theirs.
        public var detectionState: RecordingState?
        /// Of what is counted of observers' positions; nil: the cell's keys are none of theirs.
        public var positionState: RecordingState?
        public var tallies: Tallies

        public init(
            keys: [String?], state: RecordingState, detectionState: RecordingState? = nil,
            positionState: RecordingState? = nil, tallies: Tallies
        ) {
            self.keys = keys
            self.state = state
            self.detectionState = detectionState
            self.positionState = positionState
            self.tallies = tallies
        }

        /// Whether a measure's figure can be told; nil where the cell has none.
        public func state(of measure: Measure) -> RecordingState? {
            switch measure.subject {
            case .cases, .cameras: state
            case .detections: detectionState
            case .positions: positionState
            }
        }
    }

    /// What else happened in the period, and why it is not in the figures.
    public struct LeftOut: Sendable {
        /// By operating mode, of those not asked for.
        public private(set) var operatingModes: [String: CaseCount] = [:]
        private var counts: [LeftOutReason: CaseCount] = [:]

        /// - Parameter reasons: for which anything can be left out of the metric.
        public init(for reasons: [LeftOutReason]) {
            for reason in reasons { counts[reason] = 0 }
        }

        /// How many were left out for a reason; nil where the metric leaves nothing out for it.
        public subscript(_ reason: LeftOutReason) -> CaseCount? { counts[reason] }

        public mutating func add(_ count: Int64, for reason: LeftOutReason) {
            precondition(
                counts[reason] != nil, "left out for a reason that the metric does not have")
            counts[reason, default: 0] += count
        }

        public mutating func add(_ count: Int64, ofMode mode: String) {
            operatingModes[mode, default: 0] += count
        }

        /// Hides the small counts.
        ///
        /// - Parameter withTotal: the period's total is hidden: of the cases in it, none of the
        ///   counts may tell a part.
        mutating func suppress(below threshold: Int64, withTotal: Bool) {
            operatingModes = operatingModes.mapValues { $0.suppressed(below: threshold) }
            counts = counts.mapValues { $0.suppressed(below: withTotal ? .max : threshold) }
        }
    }

    /// The figures of one period.
    public struct Part: Sendable {
        public var spans: [Span]
        /// It is longer or shorter than the period asked about.
        public var hasOtherLength: Bool
        public var cells: [Cell]
        public var total: Cell
        /// Of the alarms counted, those that reached the server too late to ring; nil: the metric
        /// counts none, or none is recorded.
        public var late: CaseCount?
        public var leftOut: LeftOut

        public init(
            spans: [Span], hasOtherLength: Bool, cells: [Cell], total: Cell,
            late: CaseCount? = nil, leftOut: LeftOut
        ) {
            self.spans = spans
            self.hasOtherLength = hasOtherLength
            self.cells = cells
            self.total = total
            self.late = late
            self.leftOut = leftOut
        }
    }
}
