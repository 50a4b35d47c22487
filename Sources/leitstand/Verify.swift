import ArgumentParser
import EventLoop
import Store

struct Verify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check that what is kept agrees with the journal.",
        subcommands: [Statistics.self])

    /// Counts what the journal's documents say, and prints where the ledger says otherwise.
    struct Statistics: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Compare the ledger under all figures with the journal.",
            discussion: """
                Reads the journal from its beginning and counts each incident and intervention anew, \
                and sums the ledger up anew; works while the server runs. Prints a line for each fact \
                that the ledger counts too often (+) or too seldom (-) from a position on, today or in \
                what was known earlier, one for each sum that is too much or missing, and then ends \
                with 1.
                """)

        @OptionGroup var database: DatabaseOptions

        func run() async throws {
            let opened = try database.open(.join)
            let loop = try EventLoop(name: "leitstand-0")
            _ = try await opened.migrate(on: loop)
            let differences = try await differences(in: opened, on: loop)
            await loop.stop()
            try opened.close()
            for difference in differences {
                let sign = difference.amount > 0 ? "+" : ""
                printLine(
                    "\(sign)\(difference.amount) \(difference.kind) \(difference.subject) of "
                        + "\(difference.site) from "
                        + (difference.position.map { "position \($0)" } ?? "no position")
                        + " on: \(difference.fact)")
            }
            guard differences.isEmpty else { throw ExitCode.failure }
            printLine("the ledger agrees with the journal")
        }

        private func differences(
            in opened: OpenDatabase, on loop: isolated EventLoop
        ) async throws -> [LedgerDifference] {
            let pool = opened.pool(on: loop, connectionsMax: 1)
            defer { pool.close() }
            return try await Database(pool: pool, committed: {}).ledgerDifferences()
        }
    }
}
