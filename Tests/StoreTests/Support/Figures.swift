import ControlCentre
import TestSupport
import Testing

@testable import Store

// What the tests of figures ask, and do to what is counted.

extension StatisticsQuestion {
    /// A question about whole days, written `YYYY-MM-DD`.
    init(
        _ metric: Metric, from: String, to: String, by groups: [Dimension] = []
    ) throws {
        self.init(
            metric: metric, from: .date(try #require(LocalDate(from))),
            to: .date(try #require(LocalDate(to))))
        self.groups = groups
    }
}

extension Instance {
    /// The answer to a question that has one.
    func answer(_ question: StatisticsQuestion) async throws -> StatisticsAnswer {
        let outcome = try await run { try await $0.answer(question, at: .now()) }
        guard case .answer(let answer) = outcome else { throw NotStored(outcome: "\(outcome)") }
        return answer
    }

    /// Expects that the ledgers say what the journal says.
    func expectAgreement(
        _ name: String = "", sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let differences = try await run { try await $0.ledgerDifferences() }
        #expect(
            differences.isEmpty, "\(name) \(differences)", sourceLocation: sourceLocation)
    }
}

extension TestDatabase {
    /// Sums the ledgers up to their end.
    func rollUpLedger() async throws {
        try await query("SELECT extend_ledger_runs(settle_ledger())")
    }
}

/// The instant that is written so.
func instant(_ text: String) throws -> Timestamp {
    try #require(Timestamp(rfc3339: text))
}
