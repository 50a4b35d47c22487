import ControlCentre
import PostgreSQL

/// Which matter a confirmed alarm belongs to.
public enum MatterOfAlarm: Sendable {
    /// One that is recorded with the confirmation.
    case new(NewIncident)
    case recorded(IncidentID)
}

public enum ConfirmationResult: Sendable {
    /// The alarm is confirmed and belongs to the incident, both in one change.
    case done(alarm: [UInt8], IncidentID)
    /// The alarm could not be confirmed; nothing was recorded.
    case notConfirmed(StepResult)
    /// The incident could not be recorded or joined; the alarm is not confirmed either.
    case refused(IncidentObstacle)
}

extension Database {
    /// Confirms an alarm and records its incident, or joins it to one, in one transaction.
    ///
    /// The alarm is one of the incident's recognitions; what the new incident does not say (site,
    /// time, area, pattern, mode) is the alarm's.
    public func confirm(
        _ id: AlarmID, note: String?, matter: MatterOfAlarm, only site: SiteID?, by author: Author,
        at instant: Timestamp
    ) async throws(StoreError) -> ConfirmationResult {
        let steps = [RequestedStep(.confirm(note: note), on: id)]
        let writing = MatterWriting(matter, of: id, by: author, at: instant)
        // The incident before the alarm, as every change of an incident locks them.
        let matterReading = writing.reading(only: site)
        let reading = matterReading + StepDecision.reading(steps, only: site)
        for _ in 1...2 {
            var outcome = StepDecision.Outcome.unknown
            var obstacle: IncidentObstacle?
            do throws(PostgreSQLError) {
                _ = try await retryingConflicts { () throws(PostgreSQLError) in
                    try await commit(reading: reading) { (read) throws(PostgreSQLError) in
                        var decision = StepDecision(by: author, at: instant)
                        try decision.decide(steps, Array(read[matterReading.count...]))
                        outcome = decision.outcomes[0]
                        guard outcome.isTaken else { return nil }
                        let written = try writing.decide(
                            read[..<matterReading.count], ordinal: decision.nextOrdinal)
                        obstacle = nil
                        switch written {
                        case .write(let statements): return decision.statements + statements
                        case .refused(let reason): obstacle = reason
                        case .unchanged:
                            return decision.statements.isEmpty ? nil : decision.statements
                        case .stale: preconditionFailure("no revision was asked for")
                        }
                        return nil
                    }
                }
            } catch {
                // Another transaction has linked the alarm since it was read; see to which incident.
                if case .server(let server) = error, server.constraint == IncidentParts.alarmOnce {
                    continue
                }
                throw StoreError(error)
            }
            if let obstacle { return .refused(obstacle) }
            guard outcome.isTaken else {
                // Asked again by itself, the step tells with whom and with which state it clashes.
                return .notConfirmed(
                    try await apply(
                        .confirm(note: note), note: nil, to: id, only: site, by: author,
                        at: instant))
            }
            return .done(alarm: try await alarm(id, only: site) ?? [], writing.id)
        }
        throw StoreError.overloaded
    }
}

extension StepDecision.Outcome {
    /// Whether the alarm is as the step wants it, now or already before.
    fileprivate var isTaken: Bool {
        switch self {
        case .decided(.changed), .decided(.unchanged): true
        case .decided(.refused), .unknown, .unknownPosition: false
        }
    }
}

/// How the incident of a confirmed alarm is written.
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

    var id: IncidentID {
        switch self {
        case .creation(let creation, _): creation.id
        case .correction(let correction): correction.id
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
