import ControlCentre
import PostgreSQL

/// Decides about steps on alarms that are locked, and makes the statements that record them.
struct StepDecision {
    /// What came of each step, in the order given.
    private(set) var outcomes: [Outcome] = []
    /// What records the steps that changed something; empty when none did.
    var statements: [Statement] = []
    /// The first that no row of the change has.
    var nextOrdinal: Int32 = 1
    let author: Author
    let instant: Timestamp
    private var alarms: [AlarmID: Current] = [:]
    private var positions: Set<Position> = []

    enum Outcome {
        case unknown
        case unknownPosition
        case decided(StepOutcome, Document)

        /// Whoever stands in the way.
        var holder: ActorID? {
            if case .decided(.refused(let refusal), _) = self { refusal.holder } else { nil }
        }

        /// Whether the alarm is as the step wants it, now or already before.
        var isTaken: Bool {
            switch self {
            case .decided(.changed, _), .decided(.unchanged, _): true
            case .decided(.refused, _), .unknown, .unknownPosition: false
            }
        }
    }

    /// The alarm as it is when a step has been decided about.
    enum Document {
        case read([UInt8])
        /// What the statement at that place gives.
        case written(Int)

        /// - Parameter results: of the decision's statements.
        func bytes(_ results: [QueryResult]) throws(PostgreSQLError) -> [UInt8] {
            switch self {
            case .read(let bytes): bytes
            case .written(let place): try results[place].bytes(0, 1)
            }
        }
    }

    private struct Current {
        let site: SiteID
        var state: AlarmHandling
        var document: Document
    }

    private struct Position: Hashable {
        let site: SiteID
        let name: String
    }

    init(by author: Author, at instant: Timestamp) {
        self.author = author
        self.instant = instant
    }

    /// The statements whose results `decide` takes.
    static func reading(_ steps: [RequestedStep], only site: SiteID?) -> [Statement] {
        let positions = Set(
            steps.compactMap { step in
                if case .assign(let position, _) = step.step { position } else { nil }
            })
        var statements = LockedAlarm.statements(Set(steps.map(\.alarm)), only: site)
        if !positions.isEmpty {
            statements.append(
                Statement(
                    """
                    SELECT p.site, p.name FROM observer_positions p
                    WHERE p.name = ANY ($1) AND ($2::text IS NULL OR p.site = $2)
                    """, .texts(Array(positions)), .text(site?.description)))
        }
        return statements
    }

    /// Decides about each step, with the results of `reading`.
    mutating func decide(_ steps: [RequestedStep], _ read: ArraySlice<QueryResult>)
        throws(PostgreSQLError)
    {
        for alarm in try LockedAlarm.all(read) {
            alarms[alarm.id] = Current(
                site: alarm.site, state: alarm.state, document: .read(alarm.document))
        }
        // There is one more when a step names a position.
        for result in read.dropFirst(LockedAlarm.statementCount) {
            for row in 0..<result.rowCount {
                positions.insert(
                    Position(site: try result.site(row, 0), name: try result.text(row, 1)))
            }
        }
        for step in steps {
            outcomes.append(decide(step))
        }
    }

    private mutating func decide(_ requested: RequestedStep) -> Outcome {
        let (id, step) = (requested.alarm, requested.step)
        guard var alarm = alarms[id] else { return .unknown }
        if case .assign(let position, _) = step,
            !positions.contains(Position(site: alarm.site, name: position))
        {
            return .unknownPosition
        }
        let before = alarm.state
        let outcome = alarm.state.apply(
            step, by: ActorID(author.token.description), as: author.role, at: instant)
        if outcome == .changed {
            record(step, on: id, at: alarm.site, from: before, to: alarm.state)
            alarm.document = .written(statements.count)
            statements.append(Database.alarms([id], only: alarm.site))
            alarms[id] = alarm
        }
        return .decided(outcome, alarm.document)
    }
}
