import ControlCentre
import PostgreSQL

/// A step that somebody wants to take on an alarm.
public struct RequestedStep: Sendable {
    public let alarm: AlarmID
    public let step: AlarmStep
    /// Which matter the alarm joins by the step; nil: none.
    public let matter: MatterOfAlarm?

    public init(_ step: AlarmStep, on alarm: AlarmID, joining matter: MatterOfAlarm? = nil) {
        self.alarm = alarm
        self.step = step
        self.matter = matter
    }
}

public enum StepResult: Sendable {
    /// The alarm after the step.
    case done([UInt8])
    /// The alarm, which was as the step wanted it already; nil for whoever may not see it.
    case unchanged([UInt8]?)
    /// The alarm as it is and stays, nil for whoever may not see it, and in which name whoever
    /// stands in the way acted.
    case refused(StepRefusal, current: [UInt8]?, holderName: String?)
    /// The matter that the alarm was to join cannot be recorded or joined; nothing is.
    case refusedMatter(IncidentObstacle)
    /// There is no such alarm, or not for the one who asks.
    case unknown
    /// The alarm's site has no position of the name that it was to be assigned to.
    case unknownPosition
}

extension Database {
    /// Takes a step, or refuses it.
    public func apply(
        _ step: AlarmStep, to id: AlarmID, only site: SiteID?, by author: Author,
        at instant: Timestamp
    ) async throws(StoreError) -> StepResult {
        try await apply([RequestedStep(step, on: id)], only: site, by: author, at: instant)[0]
    }

    /// Takes steps in the order given, or refuses them one by one; each that changed something is
    /// a row of the journal.
    ///
    /// A step that joins its alarm to a matter is a transaction of its own, as each matter has to
    /// be locked before its alarms; those between two such steps go into one. So after an error
    /// the first transactions may stand, and asking again for what they did changes nothing.
    public func apply(
        _ steps: [RequestedStep], only site: SiteID?, by author: Author, at instant: Timestamp
    ) async throws(StoreError) -> [StepResult] {
        var results: [StepResult] = []
        var rest = steps[...]
        while let step = rest.first {
            if let matter = step.matter {
                results.append(
                    try await apply(step, joining: matter, only: site, by: author, at: instant))
                rest = rest.dropFirst()
            } else {
                let plain = rest.prefix { $0.matter == nil }
                results += try await applyTogether(
                    Array(plain), only: site, by: author, at: instant)
                rest = rest.dropFirst(plain.count)
            }
        }
        return results
    }

    /// The alarms' rows are locked first, so of two steps at once the second sees the first.
    private func applyTogether(
        _ steps: [RequestedStep], only site: SiteID?, by author: Author, at instant: Timestamp
    ) async throws(StoreError) -> [StepResult] {
        var decision = StepDecision(by: author, at: instant)
        var executed: [QueryResult] = []
        do throws(PostgreSQLError) {
            (decision, executed) = try await retryingConflicts { () throws(PostgreSQLError) in
                var decision = StepDecision(by: author, at: instant)
                let executed = try await commit(
                    reading: StepDecision.reading(steps, only: site)
                ) { (read) throws(PostgreSQLError) in
                    try decision.decide(steps, read[...])
                    return decision.statements.isEmpty ? nil : decision.statements
                }
                return (decision, executed ?? [])
            }
        } catch {
            throw StoreError(error)
        }
        return try await results(of: decision, executed)
    }

    /// What came of each step of a decision.
    ///
    /// - Parameter executed: the results of its statements; empty when none was run.
    func results(of decision: StepDecision, _ executed: [QueryResult])
        async throws(StoreError) -> [StepResult]
    {
        let names = try await names(of: decision.outcomes.compactMap(\.holder))
        do throws(PostgreSQLError) {
            var results: [StepResult] = []
            for outcome in decision.outcomes {
                switch outcome {
                case .unknown: results.append(.unknown)
                case .unknownPosition: results.append(.unknownPosition)
                case .decided(.changed, let alarm):
                    results.append(.done(try alarm.bytes(executed)))
                case .decided(.unchanged, let alarm):
                    results.append(.unchanged(try alarm.bytes(executed)))
                case .decided(.refused(let refusal), let alarm):
                    results.append(
                        .refused(
                            refusal, current: try alarm.bytes(executed),
                            holderName: refusal.holder.flatMap { names[$0] }))
                }
            }
            return results
        } catch {
            throw StoreError(error)
        }
    }

    /// The names that the tokens behind these actors have; an erased one is none.
    private func names(of actors: [ActorID]) async throws(StoreError) -> [ActorID: String] {
        guard !actors.isEmpty else { return [:] }
        let tokens = Set(actors).compactMap { TokenID($0.description) }
        let results = try await read([
            Statement(
                "SELECT id, name FROM tokens WHERE id = ANY ($1) AND name IS NOT NULL",
                .uuids(tokens.map { PostgreSQLUUID($0.uuid) }))
        ])
        do throws(PostgreSQLError) {
            var names: [ActorID: String] = [:]
            for row in 0..<results[0].rowCount {
                let token: TokenID = try results[0].id(row, 0)
                names[ActorID(token.description)] = try results[0].text(row, 1)
            }
            return names
        } catch {
            throw StoreError(error)
        }
    }
}
