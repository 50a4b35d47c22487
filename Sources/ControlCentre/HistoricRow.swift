/// A line of a history from before: an incident or an intervention under its source's own key.
public struct HistoricRow: Sendable {
    public enum Record: Sendable {
        case incident(HistoricIncident)
        case intervention(HistoricIntervention)
    }

    /// Where in the file it begins, counted from 1.
    public let line: Int
    public let record: Record

    public init(line: Int, record: Record) {
        self.line = line
        self.record = record
    }
}

/// An incident as an observer entered it elsewhere, before anything is looked up.
public struct HistoricIncident: Sendable {
    /// How somebody came to know of it, as an observer or by a call.
    public struct Recognition: Hashable, Sendable {
        public let kind: ControlCentre.Recognition.Kind
        public let at: HistoricTime

        public init(kind: ControlCentre.Recognition.Kind, at: HistoricTime) {
            self.kind = kind
            self.at = at
        }
    }

    /// The source's own.
    public var key: String
    public var category: Category
    public var subcategory: Subcategory?
    public var occurredAt: HistoricTime
    public var recognitions: [Recognition] = []
    public var pattern: BehaviourPattern?
    /// A name or an id; nil: that of the first camera.
    public var area: String?
    /// Keys or ids.
    public var cameras: [String] = []
    public var outcomes: [IncidentOutcome] = []
    public var operatingMode = OperatingMode.production
    public var note: String?

    public init(key: String, category: Category, occurredAt: HistoricTime) {
        self.key = key
        self.category = category
        self.occurredAt = occurredAt
    }
}

/// An intervention as it was entered elsewhere, before anything is looked up.
public struct HistoricIntervention: Sendable {
    /// The source's own.
    public var key: String
    /// The key of its incident.
    public var incident: String
    public var immediate: Bool
    public var precinct: String?
    public var unit: String?
    public var dispatchedAt: HistoricTime
    public var arrivedAt: HistoricTime?
    public var arrivalSource: ArrivalSource?
    /// Why units took as long as nobody believes.
    public var arrivalReason: String?
    public var completedAt: HistoricTime?
    public var cancelledAt: HistoricTime?

    public init(key: String, incident: String, immediate: Bool, dispatchedAt: HistoricTime) {
        self.key = key
        self.incident = incident
        self.immediate = immediate
        self.dispatchedAt = dispatchedAt
    }
}

/// One thing that is wrong with a line of a history.
public struct HistoricFault: Hashable, Sendable, Error {
    public let line: Int
    /// Nil: the whole line.
    public let column: String?
    /// Stable, for programs: `missing`, `ambiguous`, `key-reused`.
    public let code: String
    /// For people; says what would be right.
    public let detail: String

    public init(line: Int, column: String?, code: String, detail: String) {
        self.line = line
        self.column = column
        self.code = code
        self.detail = detail
    }
}
