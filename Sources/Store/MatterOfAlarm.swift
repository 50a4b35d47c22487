import ControlCentre
import PostgreSQL

/// Which matter an alarm belongs to.
public enum MatterOfAlarm: Sendable {
    /// One that is recorded with the step.
    case new(NewIncident)
    case recorded(IncidentID)
}

extension Database {
    /// Takes a step on an alarm and records its incident, or joins it to one, in one transaction:
    /// both, or neither.
    ///
    /// The alarm is one of the incident's recognitions; what the new incident does not say (site,
    /// time, area, pattern, mode) is the alarm's.
    func apply(
        _ step: RequestedStep, joining matter: MatterOfAlarm, only site: SiteID?,
        by author: Author, at instant: Timestamp
    ) async throws(StoreError) -> StepResult {
        let writing = MatterWriting(matter, of: step.alarm, by: author, at: instant)
        // The incident before the alarm, as every change of an incident locks them.
        let matterReading = writing.reading(only: site)
        let reading = matterReading + StepDecision.reading([step], only: site)
        for _ in 1...2 {
            var decision = StepDecision(by: author, at: instant)
            var obstacle: IncidentObstacle?
            var executed: [QueryResult] = []
            var isWritten = false
            do throws(PostgreSQLError) {
                executed =
                    try await retryingConflicts { () throws(PostgreSQLError) in
                        try await commit(reading: reading) { (read) throws(PostgreSQLError) in
                            (decision, obstacle) = (StepDecision(by: author, at: instant), nil)
                            isWritten = false
                            try decision.decide([step], read[matterReading.count...])
                            guard decision.outcomes[0].isTaken else { return nil }
                            let written = try writing.decide(
                                read[..<matterReading.count], ordinal: decision.nextOrdinal)
                            switch written {
                            case .write(let statements):
                                isWritten = true
                                // The last one reads the alarm, which is another with its matter.
                                return decision.statements.dropLast() + statements
                                    + [Self.alarms([step.alarm], only: site)]
                            case .refused(let reason):
                                obstacle = reason
                                return nil
                            case .unchanged:
                                return decision.statements.isEmpty ? nil : decision.statements
                            case .stale: preconditionFailure("no revision was asked for")
                            }
                        }
                    } ?? []
            } catch {
                // Another transaction has linked the alarm since it was read; see to which incident.
                if case .server(let server) = error, server.constraint == IncidentParts.alarmOnce {
                    continue
                }
                throw StoreError(error)
            }
            if let obstacle { return .refusedMatter(obstacle) }
            guard isWritten, let last = executed.last else {
                return try await results(of: decision, executed)[0]
            }
            do throws(PostgreSQLError) {
                return .done(try last.bytes(0, 1))
            } catch {
                throw StoreError(error)
            }
        }
        throw StoreError.overloaded
    }
}

/// How the incident of an alarm is written.
private enum MatterWriting {
    case creation(IncidentCreation, of: AlarmID)
    case correction(IncidentCorrection)

    init(_ matter: MatterOfAlarm, of alarm: AlarmID, by author: Author, at instant: Timestamp) {
        switch matter {
        case .new(var new):
            // The first alarm is the one that says what the incident does not.
            new.alarms = [alarm] + new.alarms.filter { $0 != alarm }
            new.takesPatternOfAlarm = true
            self = .creation(
                IncidentCreation(
                    id: .make(at: instant), new: new, author: author, instant: instant), of: alarm)
        case .recorded(let id):
            var change = IncidentChange()
            change.addedAlarm = alarm
            self = .correction(
                IncidentCorrection(
                    id: id, change: change, reason: nil, author: author, instant: instant))
        }
    }

    func reading(only site: SiteID?) -> [Statement] {
        switch self {
        case .creation(let creation, let alarm): creation.reading(of: .of(alarm))
        case .correction(let correction): correction.reading(only: site)
        }
    }

    func decide(_ read: ArraySlice<QueryResult>, ordinal: Int32) throws(PostgreSQLError)
        -> IncidentDecision
    {
        switch self {
        case .creation(let creation, _): try creation.decide(read, ordinal: ordinal)
        case .correction(let correction): try correction.decide(read, ordinal: ordinal)
        }
    }
}
