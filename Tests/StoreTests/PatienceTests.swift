import ControlCentre
import EventLoop
import Imports
import PostgreSQL
import TestSupport
import Testing

@testable import Store

@Suite(.timeLimit(.minutes(5))) struct `What may take long` {
    /// Something that reads a table, and therefore waits while that is locked.
    enum LongWork: String, CaseIterable {
        case figures = "incident_ledger"
        case history = "imported_rows"
        case coverage = "analysis_intervals"
        case audit = "journal"
        case accesses = "accesses"
        case labels = "labels"

        func run(on database: Database, at site: SiteID) async throws {
            switch self {
            case .figures:
                let question = try StatisticsQuestion(
                    .incidents, from: "2026-01-01", to: "2026-11-01")
                _ = try await database.answer(question, at: .now())
            case .history:
                let line = "key,category,occurred_at\nE-1,criminal_offence,2022-06-04T01:20"
                _ = try await database.importHistory(
                    HistoryFile(HistoryFile.Bytes(Array(line.utf8)), format: .csv), into: site,
                    ImportOptions(), by: nil, at: .now())
            case .coverage:
                let filter = CoverageFilter(from: .now() - .seconds(60), to: .now())
                _ = try await database.coverage(filter, PageRequest(limit: 1))
            case .audit:
                _ = try await database.audit(
                    AuditFilter(), before: nil, limit: 1,
                    by: DemonstrationSite.observer(9, as: .auditor), reason: nil, at: .now())
            case .accesses:
                _ = try await database.accesses(AccessFilter(), PageRequest(limit: 1))
            case .labels:
                _ = try await database.discloseLabels(
                    after: .origin, of: site, limit: 1,
                    LabelDisclosure(recipient: "LKA", legalBasis: "§ 1"),
                    by: DemonstrationSite.author, at: .now())
            }
        }
    }

    /// A database with one connection for each of the two.
    private func database(on test: TestDatabase) async throws -> LoopBound<Database> {
        try await test.makeLoop().run { loop in
            let pools = (0..<2).map { _ in
                Instance.pool(to: test, on: loop, connectionsMax: 1, setUp: Database.setUp)
            }
            return LoopBound(Database(pool: pools[0], patientPool: pools[1]) {}, to: loop)
        }
    }

    @Test(arguments: LongWork.allCases)
    func `keeps no connection from whoever handles an alarm`(work: LongWork) async throws {
        try await TestDatabase.with { test in
            let site = try await DemonstrationSite(in: Instance(on: test)).id
            let database = try await database(on: test)

            try await test.session { connection, _ in
                _ = try await connection.execute([
                    Statement("BEGIN"),
                    Statement("LOCK TABLE \(work.rawValue) IN ACCESS EXCLUSIVE MODE"),
                ])
                let done = try await connection.blocking {
                    try await database.run { database, _ in
                        try await work.run(on: database, at: site)
                    }
                }

                let page = try await database.run { database, _ in
                    try await database.areas(of: site, PageRequest(limit: 1))
                }
                #expect(page.documents.count == 1)
                _ = try await connection.execute(Statement("ROLLBACK"))
                try await done.value
            }
        }
    }
}
