import ControlCentre

/// What is counted about the automatic analysis, and where.
enum AnalysisLedger: Hashable {
    case detections
    case alarms
    /// Matters, by whether the analysis saw them.
    case matters
    case refusals

    private static let base: Set<Dimension> = [.month, .site, .operatingMode]
    private static let recognition: Set<Dimension> = [.pattern, .model, .rule]
    private static let place: Set<Dimension> = [.area, .monitored]

    var table: LedgerTable {
        let timely = Self.base.union([.late])
        let common: [(name: String, dimensions: Set<Dimension>)] = [
            ("base", timely), ("pattern", timely.union(Self.recognition)),
            ("area", timely.union(Self.place)), ("camera", timely.union([.camera])),
        ]
        switch self {
        case .detections:
            return LedgerTable(
                rows: "detection_ledger", time: "occurred_in", cells: "detection_cells",
                cubes: common)
        case .alarms:
            return LedgerTable(
                rows: "alarm_ledger", time: "raised_in", cells: "alarm_cells",
                cubes: common + [("dismissal", timely.union([.dismissalReason, .pattern]))])
        case .matters:
            return LedgerTable(
                rows: "incident_ledger", time: "occurred_in", cells: "assessment_cells",
                cubes: [
                    ("base", Self.base), ("pattern", Self.base.union(Self.recognition)),
                    ("area", Self.base.union(Self.place)),
                ])
        case .refusals:
            return LedgerTable(
                rows: "refusal_ledger", time: "received_in", cells: "refusal_cells",
                cubes: [("base", Self.base)])
        }
    }

    /// Dimensions of which no row has a value.
    var absent: Set<Dimension> {
        switch self {
        case .detections: [.dismissalReason]
        case .alarms: []
        case .matters: [.camera, .late, .dismissalReason]
        case .refusals: Set(Dimension.allCases).subtracting([.month, .site])
        }
    }

    /// The value that a row `l` has of a dimension; NULL where it has none.
    func value(of dimension: Dimension) -> String {
        absent.contains(dimension) ? "NULL::text" : "l.\(dimension.rawValue)"
    }

    /// The column of what the journal's rows about a row are of.
    var subject: String {
        switch self {
        case .detections, .refusals: "site"
        case .alarms: "alarm"
        case .matters: "incident"
        }
    }

    /// SQL of what else a case `c` may have changed by.
    var related: String {
        switch self {
        case .detections, .refusals, .matters: "NULL"
        case .alarms:
            """
            SELECT a.incident::text FROM incident_alarms a WHERE a.alarm = c.subject
                UNION ALL SELECT n.id::text FROM incident_alarms a
                JOIN interventions n ON n.incident = a.incident WHERE a.alarm = c.subject
            """
        }
    }
}
