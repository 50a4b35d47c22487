import ControlCentre
import EventLoop
import PostgreSQL

public enum StatisticsOutcome: Sendable {
    case answer(StatisticsAnswer)
    case unknownSite
    /// The database's clock has not come so far.
    case asOfInFuture(now: Timestamp)
    case tooManyCells
    /// Small numbers shall be hidden, and what the period is put beside is a part of it.
    case comparisonOverlapsPeriod
}

/// Up to where the journal goes into answers.
public enum Knowledge: Sendable {
    case now
    /// What was known at an instant.
    case asOf(Timestamp)
    /// What earlier answers knew, as they name it.
    case standing(position: Int64, recordedAt: Timestamp?, knownAt: Timestamp)
}

/// What several questions got from one snapshot, all of it known up to one position.
public struct StatisticsSnapshot: Sendable {
    public let position: Int64
    public let recordedAt: Timestamp?
    public let knownAt: Timestamp
    /// In the order of the questions; nothing follows one that is no answer.
    public let outcomes: [StatisticsOutcome]
}

public enum StatisticsSnapshotOutcome: Sendable {
    case snapshot(StatisticsSnapshot)
    /// The database's clock has not come so far.
    case asOfInFuture(now: Timestamp)
}

extension Database {
    /// All statements of a question see the same.
    private static let beginReading = [
        Statement("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"),
        // Planning them anew takes longer than they do.
        Statement("SET LOCAL plan_cache_mode = force_generic_plan"),
    ]

    /// Answers a question from one snapshot of the ledger.
    ///
    /// - Parameter instant: now; what lies after it cannot be known yet.
    public func answer(_ question: StatisticsQuestion, at instant: Timestamp)
        async throws(StoreError) -> StatisticsOutcome
    {
        let knowledge = question.asOf.map { Knowledge.asOf($0) } ?? .now
        switch try await answers([question], knowing: knowledge, at: instant) {
        case .snapshot(let snapshot): return snapshot.outcomes[0]
        case .asOfInFuture(let now): return .asOfInFuture(now: now)
        }
    }

    /// Answers several questions from one snapshot of the ledger, as known at one position; their
    /// own `asOf` is only repeated in the answers.
    ///
    /// - Parameter instant: now; what lies after it cannot be known yet.
    public func answers(
        _ questions: [StatisticsQuestion], knowing knowledge: Knowledge, at instant: Timestamp
    ) async throws(StoreError) -> StatisticsSnapshotOutcome {
        do throws(PostgreSQLError) {
            return try await patientPool.withConnection {
                (connection) async throws(PostgreSQLError) in
                var asOf: Timestamp?
                if case .asOf(let instant) = knowledge {
                    asOf = instant
                    // Whoever has taken a position by now is waited for: an as-of of this instant
                    // must not find it later and miss it now. Later ones get later times, but maybe
                    // none later than an instant that comes only while we wait.
                    let waited = try await connection.execute([
                        Statement("SELECT clock_timestamp()"),
                        Statement("SELECT pg_advisory_xact_lock_shared(7236001)"),
                    ])
                    let now = try waited[0].time(0, 0)
                    guard instant <= now else { return .asOfInFuture(now: now) }
                }
                let read = try await connection.execute(
                    Self.beginReading + [QuestionFrame.standing(knowledge)])
                let last = try LedgerStanding(
                    read[read.count - 1], asOf: asOf, now: instant)
                let standing = LedgerStanding(knowledge, last: last)
                var outcomes: [StatisticsOutcome] = []
                for question in questions {
                    let outcome = try await Self.answer(question, from: standing, connection)
                    outcomes.append(outcome)
                    guard case .answer = outcome else { break }
                }
                _ = try await connection.execute([Self.commit])
                return .snapshot(
                    StatisticsSnapshot(
                        position: standing.position, recordedAt: standing.recordedAt,
                        knownAt: standing.knownAt, outcomes: outcomes))
            }
        } catch {
            throw StoreError(error)
        }
    }

    /// Answers a question in the transaction that the connection is in.
    private static func answer(
        _ question: StatisticsQuestion, from standing: LedgerStanding,
        _ connection: PostgreSQLConnection
    ) async throws(PostgreSQLError) -> StatisticsOutcome {
        let source = question.metric.source(of: question)
        let frame = QuestionFrame(question, source: source)
        let framing = try await connection.execute([
            frame.spans(known: standing), frame.counting(known: standing.position),
        ])
        let spans = try LedgerSpan.all(framing[0])
        guard !spans.isEmpty else { return .unknownSite }
        var assembly = AnswerAssembly(question, standing: standing, spans: spans)
        try assembly.takeCounting(framing[1])
        if let calendar = frame.calendar(of: spans) {
            try assembly.takeCalendar(try await connection.execute([calendar])[0])
        }
        guard assembly.leastCellCount <= StatisticsQuestion.cellsMax else { return .tooManyCells }
        // What is told beside the figures has no groups, and is read with what adds up.
        let hasOwnTotal = !source.addsUp(over: question.groups)
        let figures = source.figures(
            of: spans, by: question.groups, withOthers: !hasOwnTotal, known: standing)
        let totals =
            hasOwnTotal
            ? source.figures(of: spans, by: [], withOthers: true, known: standing) : []
        let days = source.days(of: spans, by: question.groups).map { [$0] } ?? []
        let results = try await connection.execute(figures + totals + days)
        for result in results[..<figures.count] {
            try assembly.takeFigures(
                result, groups: question.groups.count, addsToTotal: !hasOwnTotal)
        }
        for result in results[figures.count...].prefix(totals.count) {
            try assembly.takeFigures(result, groups: 0, addsToTotal: true)
        }
        for result in results.suffix(days.count) { try assembly.takeDays(result) }
        guard let answer = assembly.answer else { return .tooManyCells }
        guard let threshold = question.suppressBelow else { return .answer(answer) }
        let suppressed = SmallNumberSuppression(below: threshold).applied(to: answer)
        return suppressed.map { .answer($0) } ?? .comparisonOverlapsPeriod
    }

    /// Since when each metric is recorded at the sites, as known now.
    ///
    /// - Parameter site: the site that the reader is bound to.
    public func recordedSince(only site: SiteID?) async throws(StoreError)
        -> [Metric: [(site: SiteID, since: Timestamp, automaticSince: Timestamp?)]]
    {
        var since: [Metric: [(site: SiteID, since: Timestamp, automaticSince: Timestamp?)]] = [:]
        do throws(PostgreSQLError) {
            let results = try await patientPool.withConnection {
                (connection) async throws(PostgreSQLError) in
                let read = try await connection.execute(
                    Self.beginReading + [QuestionFrame.standing(.now)])
                let standing = try LedgerStanding(read[read.count - 1], asOf: nil, now: .now())
                let statements = Metric.allCases.map { metric in
                    var question = StatisticsQuestion(
                        metric: metric, from: .instant(.epoch), to: .instant(.epoch))
                    question.site = site
                    return QuestionFrame(question, source: metric.source(of: question))
                        .spans(known: standing)
                }
                return try await connection.execute(statements + [Self.commit])
            }
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

    /// Notes the positions of the ledgers' rows that are there by now, and sums them up once they are
    /// enough.
    public func rollUpLedger() async throws(StoreError) {
        _ = try await work([Statement("SELECT roll_up_ledger()")])
    }

    /// Compares the ledger with the journal's documents, at each position, and its sums with its
    /// rows.
    public func ledgerDifferences() async throws(StoreError) -> [LedgerDifference] {
        let results = try await read([
            Statement(
                """
                SELECT kind, site, subject, known_position, fact, amount FROM ledger_differences()
                UNION ALL
                SELECT kind, site, subject, known_position, fact, amount
                FROM alarm_ledger_differences()
                UNION ALL
                SELECT kind, site, subject, known_position, fact, amount
                FROM ledger_cell_differences()
                UNION ALL
                SELECT kind, site, subject, known_position, fact, amount
                FROM coverage_ledger_differences()
                UNION ALL
                SELECT kind, site, subject, known_position, fact, amount
                FROM camera_day_differences()
                UNION ALL
                SELECT kind, site, subject, known_position, fact, amount
                FROM annunciation_ledger_differences()
                UNION ALL
                SELECT kind, site, subject, known_position, fact, amount
                FROM load_ledger_differences()
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

/// A fact of which the ledger has more or less than the journal, or a sum that is none of its rows.
public struct LedgerDifference: Sendable {
    /// `incident`, `intervention`, `alarm`, `annunciation`, `coverage` of a camera and its
    /// `camera_day`s, `load` of a site's positions, or `detections` for what a run has counted of a
    /// site; or the table of a sum.
    public let kind: String
    public let site: SiteID
    /// The fact's id; of a sum, the positions from and to.
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
    /// The instant up to which anything could be known.
    let knownAt: Timestamp
    /// Whether nothing that the snapshot shows comes after the position.
    let isLatest: Bool
    /// The runs of the ledger that are known whole, as PostgreSQL writes an array.
    let runs: String
    /// The position up to which they reach.
    let runsEnd: Int64
    /// Of the time zone database.
    let timeZoneRelease: String?

    init(_ row: QueryResult, asOf: Timestamp?, now: Timestamp) throws(PostgreSQLError) {
        position = try row.int64(0, 0)
        recordedAt = try row.timeIfPresent(0, 1)
        knownAt = asOf ?? now
        isLatest = asOf == nil
        runs = try row.text(0, 2)
        runsEnd = try row.int64(0, 3)
        timeZoneRelease = try row.textIfPresent(0, 4)
    }

    /// - Parameter last: where the journal stands, or stood at the instant that is asked for.
    init(_ knowledge: Knowledge, last: LedgerStanding) {
        guard case .standing(let position, let recordedAt, let knownAt) = knowledge else {
            self = last
            return
        }
        self.position = position
        self.recordedAt = recordedAt
        self.knownAt = knownAt
        timeZoneRelease = last.timeZoneRelease
        isLatest = false
        runs = last.runs
        runsEnd = last.runsEnd
    }
}

/// The period of a question, or one that it is compared with, at one site.
struct LedgerSpan {
    /// 0: the period itself; from 1 on the comparisons in their order.
    let part: Int
    let span: StatisticsAnswer.Span
    let hasOtherLength: Bool
    /// Nil: it has no whole one.
    let months: Months?

    /// Whole months in a row: local days as PostgreSQL writes them, and the instants at which they
    /// begin.
    struct Months {
        let first: String
        /// The first that is not of them.
        let end: String
        let from: Timestamp
        let to: Timestamp
    }

    static func all(_ result: QueryResult) throws(PostgreSQLError) -> [LedgerSpan] {
        var spans: [LedgerSpan] = []
        for row in 0..<result.rowCount {
            let span = StatisticsAnswer.Span(
                site: try result.site(row, 1), timeZone: try result.text(row, 2),
                timeZoneFingerprint: try result.text(row, 15), from: try result.time(row, 3),
                to: try result.time(row, 4),
                localFrom: try result.text(row, 5), localTo: try result.text(row, 6),
                recordedSince: try result.time(row, 8),
                recordedUntil: try result.timeIfPresent(row, 14),
                automaticSince: try result.timeIfPresent(row, 9))
            let months = Months(
                first: try result.text(row, 10), end: try result.text(row, 11),
                from: try result.time(row, 12), to: try result.time(row, 13))
            // A period may begin in the second of two midnights of one day, after its month.
            let isInside = span.from <= months.from && months.to <= span.to
            spans.append(
                LedgerSpan(
                    part: Int(try result.int32(row, 0)), span: span,
                    hasOtherLength: try result.bool(row, 7),
                    months: isInside && months.from < months.to ? months : nil))
        }
        return spans
    }
}
