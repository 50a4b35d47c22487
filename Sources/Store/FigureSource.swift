import ControlCentre
import PostgreSQL

/// Where the figures of a metric come from: statements that read them, all run in one snapshot.
protocol FigureSource {
    /// SQL that selects as `at` the instant of the first case recorded at the site `s.id`.
    ///
    /// - Parameter position: up to which changes are known; nil: all are.
    func earliest(known position: Int64?, in query: inout Query) -> String

    /// How much of each: part, the groups' keys as text, tally, value or NULL, count.
    ///
    /// Several statements, and several rows of the same keys, are summed up.
    func counts(of spans: [LedgerSpan], by groups: [Dimension], known position: Int64?)
        -> [Statement]

    /// What the filters would take and the metric does not: part, reason, operating mode, count.
    ///
    /// A reason is one of `LeftOutReason`; NULL: another operating mode than those asked for.
    func leftOut(of spans: [LedgerSpan], known position: Int64?) -> [Statement]
}

extension Metric {
    func source(of question: StatisticsQuestion) -> any FigureSource {
        switch self {
        case .incidents, .incidentsWithImmediateIntervention, .interventions, .arrivalTimes:
            LedgerQuery(question)
        case .alarmFunnel, .detectionQuality: AlarmQuery(question)
        }
    }
}
