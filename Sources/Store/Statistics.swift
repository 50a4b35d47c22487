import ControlCentre
import EventLoop
import PostgreSQL

public enum StatisticsOutcome: Sendable {
    case answer(StatisticsAnswer)
    case unknownSite
    /// The database's clock has not come so far.
    case asOfInFuture(now: Timestamp)
    case tooManyCells
}

extension Database {
    /// Answers a question from one snapshot of the ledger.
    ///
    /// - Parameter instant: now; what lies after it cannot be known yet.
    public func answer(_ question: StatisticsQuestion, at instant: Timestamp)
        async throws(StoreError) -> StatisticsOutcome
    {
        do throws(PostgreSQLError) {
            return try await pool.withConnection {
                (connection) async throws(PostgreSQLError) in
                if question.asOf != nil {
                    // Whoever has taken a position by now is waited for: an as-of of this instant
                    // must not find it later and miss it now. Later ones get later times.
                    _ = try await connection.execute([
                        Statement("SELECT pg_advisory_xact_lock_shared(7236001)")
                    ])
                }
                let source = question.metric.source(of: question)
                let frame = QuestionFrame(question, source: source)
                let read = try await connection.execute(
                    [
                        Statement("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"),
                        QuestionFrame.standing(asOf: question.asOf),
                    ])
                let standing = try LedgerStanding(read[1], asOf: question.asOf, now: instant)
                if let asOf = question.asOf, asOf > standing.now {
                    _ = try await connection.execute([Self.rollback])
                    return .asOfInFuture(now: standing.now)
                }
                let spans = try LedgerSpan.all(
                    try await connection.execute([frame.spans(known: standing.position)])[0])
                guard !spans.isEmpty else {
                    _ = try await connection.execute([Self.rollback])
                    return .unknownSite
                }
                var assembly = AnswerAssembly(question, standing: standing, spans: spans)
                if let calendar = frame.calendar(of: spans) {
                    try assembly.takeCalendar(try await connection.execute([calendar])[0])
                }
                guard assembly.leastCellCount <= StatisticsQuestion.cellsMax else {
                    _ = try await connection.execute([Self.rollback])
                    return .tooManyCells
                }
                let position = question.asOf.map { _ in standing.position }
                let leftOut = source.leftOut(of: spans, known: position)
                let counts = source.counts(of: spans, by: question.groups, known: position)
                // Of what has several values the parts do not add up to the total.
                let hasOwnTotal = question.groups.contains(.outcome)
                let totals =
                    hasOwnTotal ? source.counts(of: spans, by: [], known: position) : []
                let results = try await connection.execute(
                    leftOut + counts + totals + [Self.commit])
                for result in results[..<leftOut.count] { try assembly.takeLeftOut(result) }
                for result in results[leftOut.count...].prefix(counts.count) {
                    try assembly.takeCounts(result, addsToTotal: !hasOwnTotal)
                }
                for result in results[(leftOut.count + counts.count)...].prefix(totals.count) {
                    try assembly.takeTotals(result)
                }
                guard let answer = assembly.answer else { return .tooManyCells }
                return .answer(answer)
            }
        } catch {
            throw StoreError(error)
        }
    }

    /// Since when each metric is recorded at the sites, as known now.
    ///
    /// - Parameter site: the site that the reader is bound to.
    public func recordedSince(only site: SiteID?) async throws(StoreError)
        -> [Metric: [(site: SiteID, since: Timestamp, automaticSince: Timestamp?)]]
    {
        var since: [Metric: [(site: SiteID, since: Timestamp, automaticSince: Timestamp?)]] = [:]
        let statements = Metric.allCases.map { metric in
            var question = StatisticsQuestion(
                metric: metric, from: .instant(.epoch), to: .instant(.epoch))
            question.site = site
            return QuestionFrame(question, source: metric.source(of: question)).spans(known: nil)
        }
        let results = try await read(statements)
        do throws(PostgreSQLError) {
            for (metric, result) in zip(Metric.allCases, results) {
                since[metric] = try LedgerSpan.all(result).filter { $0.part == 0 }.map {
                    ($0.span.site, $0.span.recordedSince, $0.span.automaticSince)
                }
            }
        } catch {
            throw StoreError(error)
        }
        return since
    }

    /// Notes the positions of ledger rows that are there by now.
    public func settleLedger() async throws(StoreError) {
        _ = try await read([Statement("SELECT settle_ledger()")])
    }

    /// Compares the ledger with the journal's documents, at each position.
    public func ledgerDifferences() async throws(StoreError) -> [LedgerDifference] {
        let results = try await read([
            Statement(
                """
                SELECT kind, site, subject, known_position, fact, amount FROM ledger_differences()
                """)
        ])
        do throws(PostgreSQLError) {
            var differences: [LedgerDifference] = []
            for row in 0..<results[0].rowCount {
                differences.append(
                    LedgerDifference(
                        kind: try results[0].text(row, 0), site: try results[0].site(row, 1),
                        subject: try results[0].text(row, 2),
                        position: try results[0].int64IfPresent(row, 3),
                        fact: try results[0].text(row, 4), amount: try results[0].int64(row, 5)))
            }
            return differences
        } catch {
            throw StoreError(error)
        }
    }
}

/// A fact of which the ledger has more or less than the journal.
public struct LedgerDifference: Sendable {
    /// `incident` or `intervention`.
    public let kind: String
    public let site: SiteID
    public let subject: String
    /// From where on; nil of a row whose change has no position.
    public let position: Int64?
    /// As JSON.
    public let fact: String
    /// How often the ledger counts it too much; negative: too little.
    public let amount: Int64
}

/// Up to where the journal goes into an answer.
struct LedgerStanding {
    let position: Int64
    let recordedAt: Timestamp?
    /// By the database's clock.
    let now: Timestamp
    /// The instant up to which anything could be known.
    let knownAt: Timestamp

    init(_ row: QueryResult, asOf: Timestamp?, now: Timestamp) throws(PostgreSQLError) {
        position = try row.int64(0, 0)
        recordedAt = try row.timeIfPresent(0, 1)
        self.now = try row.time(0, 2)
        knownAt = asOf ?? now
    }
}

/// The period of a question, or one that it is compared with, at one site.
struct LedgerSpan {
    /// 0: the period itself; from 1 on the comparisons in their order.
    let part: Int
    let span: StatisticsAnswer.Span
    let hasOtherLength: Bool

    static func all(_ result: QueryResult) throws(PostgreSQLError) -> [LedgerSpan] {
        var spans: [LedgerSpan] = []
        for row in 0..<result.rowCount {
            let span = StatisticsAnswer.Span(
                site: try result.site(row, 1), timeZone: try result.text(row, 2),
                from: try result.time(row, 3), to: try result.time(row, 4),
                localFrom: try result.text(row, 5), localTo: try result.text(row, 6),
                recordedSince: try result.time(row, 8),
                automaticSince: try result.timeIfPresent(row, 9))
            spans.append(
                LedgerSpan(
                    part: Int(try result.int32(row, 0)), span: span,
                    hasOtherLength: try result.bool(row, 7)))
        }
        return spans
    }
}
