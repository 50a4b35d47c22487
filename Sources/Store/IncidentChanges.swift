import ControlCentre
import PostgreSQL

public enum IncidentResult: Sendable {
    /// The incident as it is now.
    case done(Stored)
    /// The incident, which was as it was wanted already.
    case unchanged(Stored)
    case unknown
    /// Somebody changed it since; this is its revision now.
    case stale(Int64)
    /// Of an incident that refuses for what it is, also what it is.
    case refused(IncidentObstacle, current: [UInt8]?)
}

extension Database {
    /// Records an incident, with its alarms, recognitions and assessment.
    ///
    /// - Parameter author: nil from the command line.
    public func createIncident(_ new: NewIncident, by author: Author?, at instant: Timestamp)
        async throws(StoreError) -> IncidentResult
    {
        guard let site = new.site else { return .refused(.unknownSite, current: nil) }
        let creation = IncidentCreation(
            id: .make(at: instant), new: new, author: author, instant: instant)
        return try await record(creation.id, reading: creation.reading(of: .named(site))) {
            (read) throws(PostgreSQLError) in try creation.decide(read[...])
        }
    }

    /// Corrects an incident if its revision is one that the caller knows.
    ///
    /// What is so already keeps its revision, and nothing is journaled.
    public func changeIncident(
        _ id: IncidentID, only site: SiteID?, if precondition: Precondition,
        to change: IncidentChange, reason: String, by author: Author, at instant: Timestamp
    ) async throws(StoreError) -> IncidentResult {
        let correction = IncidentCorrection(
            id: id, change: change, reason: reason, author: author, instant: instant)
        return try await record(id, reading: correction.reading(only: site)) {
            (read) throws(PostgreSQLError) in try correction.decide(read[...], if: precondition)
        }
    }

    /// Retracts an incident for good: it stays readable and counts no more, and its alarms may
    /// belong to another.
    public func retractIncident(
        _ id: IncidentID, only site: SiteID?, reason: String, by author: Author,
        at instant: Timestamp
    ) async throws(StoreError) -> IncidentResult {
        try await step(
            id, only: site, event: "incident.retracted", reason: reason, by: author, at: instant
        ) { recorded in
            [
                Statement(
                    """
                    UPDATE incidents SET retracted_at = $3, assess_after = NULL,
                        revision = revision + 1
                    WHERE site = $1 AND id = $2
                    """, .text(recorded.site), .uuid(id), .time(instant)),
                Statement(
                    """
                    UPDATE incident_alarms SET released = true WHERE site = $1 AND incident = $2
                    """, .text(recorded.site), .uuid(id)),
            ]
                + IncidentParts.noteLinks(
                    of: recorded.incident.alarms, by: author, at: instant, ordinal: 2)
        }
    }

    /// Overrules the computed assessment with a person's; the computed one stays visible.
    public func assessIncident(
        _ id: IncidentID, only site: SiteID?, as assessment: Assessment, reason: String,
        by author: Author, at instant: Timestamp
    ) async throws(StoreError) -> IncidentResult {
        try await step(
            id, only: site, event: "incident.assessed", reason: reason, by: author, at: instant
        ) { recorded in
            [
                Statement(
                    """
                    UPDATE incidents SET assessment = $3, assessed_by_person = true,
                        revision = revision + 1
                    WHERE site = $1 AND id = $2
                    """, .text(recorded.site), .uuid(id), .text(assessment.rawValue))
            ]
        }
    }

    /// Does to an incident that is not retracted what `statements` do, and journals it.
    private func step(
        _ id: IncidentID, only site: SiteID?, event: String, reason: String, by author: Author,
        at instant: Timestamp, _ statements: (RecordedIncident) -> [Statement]
    ) async throws(StoreError) -> IncidentResult {
        let reading = RecordedIncident.statements(id, only: site)
        return try await record(id, reading: reading) { (read) throws(PostgreSQLError) in
            guard let recorded = try RecordedIncident(read[...]) else {
                return .refused(.unknownIncident)
            }
            if recorded.isRetracted { return .refused(.retracted) }
            return .write(
                statements(recorded)
                    + JournalEntry(
                        event: event, site: recorded.site, subject: id.description,
                        occurredAt: instant, author: author,
                        remark: JournalEntry.Remark(id: .v7(at: instant), text: reason)
                    ).incident(id))
        }
    }

    /// Runs what is decided about an incident, and gives the incident as it is then.
    private func record(
        _ id: IncidentID, reading: [Statement],
        decide: ([QueryResult]) throws(PostgreSQLError) -> IncidentDecision
    ) async throws(StoreError) -> IncidentResult {
        // Another transaction may link the same alarm between our reading and our writing; the
        // second attempt sees to which incident it went.
        for attempt in 1...2 {
            var decision = IncidentDecision.unchanged
            do throws(PostgreSQLError) {
                let results = try await retryingConflicts { () throws(PostgreSQLError) in
                    try await commit(reading: reading) { (read) throws(PostgreSQLError) in
                        decision = try decide(read)
                        guard case .write(let statements) = decision else { return nil }
                        return statements + [Incident.stored(id)]
                    }
                }
                if let results, let stored = try Stored(results[results.count - 1]) {
                    return .done(stored)
                }
            } catch {
                if attempt == 1, case .server(let server) = error,
                    server.constraint == IncidentParts.alarmOnce
                {
                    continue
                }
                throw StoreError(error)
            }
            switch decision {
            case .write, .unchanged:
                guard let stored = try await incident(id, only: nil) else { return .unknown }
                return .unchanged(stored)
            case .stale(let revision): return .stale(revision)
            case .refused(.unknownIncident): return .unknown
            case .refused(.retracted):
                return .refused(.retracted, current: try await incident(id, only: nil)?.document)
            case .refused(let obstacle): return .refused(obstacle, current: nil)
            }
        }
        throw StoreError.overloaded
    }
}
