/// How detections become alarms.
///
/// The defaults are the product's own choice, named in its design ("Ingest and correlation"), save
/// where another source is given.
public struct CorrelationRule: Hashable, Sendable {
    /// The least confidence, 0 to 1, that raises or extends an alarm; a detection below it is only
    /// stored and counted.
    public var confidenceMin: Double
    /// How far from an episode's interval a detection still belongs to it, and for how long nothing
    /// must be seen before the episode counts as over.
    public var quiet: Duration
    /// How long beyond ``quiet`` an episode is kept active by the clock, for detections under way.
    public var arrivalAllowance: Duration
    /// The age on arrival beyond which a detection is late: it never rings. Any other is timely.
    public var lateAfter: Duration
    /// The age on arrival beyond which a detection is only counted. By default 72 hours, the time
    /// for which recordings are kept (§ 44 (10) PolG BW): an alarm would have no picture.
    public var retention: Duration
    /// How far ahead of our clock a node's may be; a detection further ahead is refused.
    public var futureTolerance: Duration
    /// The priority of the alarms raised.
    public var priority: Priority
    /// So many detections within ``detectionsWindow`` raise an alarm; one by default.
    public var detectionsMin: Int
    /// How far apart the first and the last of them may be.
    public var detectionsWindow: Duration
    /// The longest quiet time of all versions that the rule has had: an alarm that is still active
    /// may have been raised under it.
    public var quietLongest: Duration
    /// Which of the site's versions for the pattern this is; nil for the product's defaults.
    public var version: Int?

    /// The quiet time where a site has no rule.
    public static let quietDefault: Duration = .seconds(30)

    /// The rule with these values.
    public init(
        confidenceMin: Double = 0.5,
        quiet: Duration = Self.quietDefault,
        arrivalAllowance: Duration = .seconds(60),
        lateAfter: Duration = .seconds(60),
        retention: Duration = .seconds(72 * 3_600),
        futureTolerance: Duration = .seconds(5 * 60),
        priority: Priority = .medium,
        detectionsMin: Int = 1,
        detectionsWindow: Duration = .seconds(10),
        quietLongest: Duration = Self.quietDefault,
        version: Int? = nil
    ) {
        self.confidenceMin = confidenceMin
        self.quiet = quiet
        self.arrivalAllowance = arrivalAllowance
        self.lateAfter = lateAfter
        self.retention = retention
        self.futureTolerance = futureTolerance
        self.priority = priority
        self.detectionsMin = detectionsMin
        self.detectionsWindow = detectionsWindow
        self.quietLongest = quietLongest
        self.version = version
    }
}
