import ControlCentre
import PostgreSQL

/// Where the figures of a metric come from: statements that read them, those of an answer all run in
/// one snapshot.
protocol FigureSource {
    /// The kinds of fact the first of which begins the recording of the metric at a site.
    var firsts: [LedgerFirst] { get }

    /// SQL of since when and up to when the metric is recorded at the site `s.id`; nil: from its
    /// set-up or the day of the earliest case on, up to what is known.
    func recording(known: LedgerStanding, in query: inout Query) -> RecordingTimes?

    /// Whether what is counted for the groups' keys adds up to the total.
    func addsUp(over groups: [Dimension]) -> Bool

    /// How much of each, as `FigureStatement` makes it.
    ///
    /// Several statements, and several rows of the same keys, are summed up. Packed values are those
    /// of as many of the count as are known, as `Distribution.Entry.unpack` reads them.
    ///
    /// - Parameter withOthers: also what is not counted though the filters would take it, and what of
    ///   the counted is told apart, which have no groups.
    func figures(
        of spans: [LedgerSpan], by groups: [Dimension], withOthers: Bool, known: LedgerStanding
    ) -> [Statement]

    /// The days that each cell is about, as far as they are recorded whole: part, the keys of those
    /// groups that tell days apart or are sites, days since 1970-01-01 packed as values are; nil: the
    /// metric has no figures of days.
    func days(of spans: [LedgerSpan], by groups: [Dimension]) -> Statement?

    /// Which rows of the journal, known after one position and up to another, have changed figures:
    /// part, the groups' keys as text, position, event, subject; at most `ChangeBehind.rowsMax` each.
    /// They never change, and need no snapshot.
    ///
    /// - Parameter leftOut: of what the metric leaves out, which has no groups.
    func changes(
        of spans: [LedgerSpan], by groups: [Dimension], leftOut: Bool, after: Int64, upTo: Int64
    ) -> [Statement]
}

struct RecordingTimes {
    /// Nil: as where nothing is said.
    var since: String?
    let until: String
}

/// What a row of the figures is about.
enum FigureKind: String {
    /// Its name is a tally.
    case counted
    /// Its name is a `LeftOutReason`.
    case leftOut = "left_out"
    /// What is of another operating mode than those asked for: its name.
    case otherMode = "other_mode"
    /// The alarms among the counted that were late; it has no name.
    case late
}

extension FigureSource {
    func recording(known: LedgerStanding, in query: inout Query) -> RecordingTimes? { nil }

    func days(of spans: [LedgerSpan], by groups: [Dimension]) -> Statement? { nil }

    /// Of what has several values the parts do not add up to the total.
    func addsUp(over groups: [Dimension]) -> Bool { !groups.contains(.outcome) }
}

extension Metric {
    func source(of question: StatisticsQuestion) -> any FigureSource {
        switch self {
        case .incidents, .incidentsWithImmediateIntervention, .interventions, .arrivalTimes:
            LedgerQuery(question)
        case .alarmFunnel, .detectionQuality: AlarmQuery(question)
        case .coverage: CoverageQuery(question)
        case .alarmLoad: AlarmLoadQuery(question)
        case .cameras: CameraQuery(question)
        }
    }
}
