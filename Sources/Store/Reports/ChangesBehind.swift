import ControlCentre
import PostgreSQL

/// A row of the journal by which a figure is another than it was.
public struct ChangeBehind: Sendable, Hashable {
    /// 0: the period itself; from 1 on the comparisons in their order.
    public let part: Int
    /// Of the cell; nil: of what is left out.
    public let keys: [String?]?
    public let position: Int64
    public let event: String
    public let subject: String

    /// Of one figure; more is not read by a person.
    static let rowsMax = 10_000
}

extension Database {
    /// Which rows of the journal stand behind what the answer to a question is at one position and
    /// was at an earlier one.
    public func changes(
        behind question: StatisticsQuestion, after: Int64, upTo: Int64
    ) async throws(StoreError) -> [ChangeBehind] {
        let source = question.metric.source(of: question)
        let frame = QuestionFrame(question, source: source)
        do throws(PostgreSQLError) {
            return try await patientPool.withConnection {
                (connection) async throws(PostgreSQLError) in
                let knowledge = Knowledge.standing(
                    position: upTo, recordedAt: nil, knownAt: .epoch)
                let last = try LedgerStanding(
                    try await connection.execute([QuestionFrame.standing(knowledge)])[0],
                    asOf: nil, now: .epoch)
                let standing = LedgerStanding(knowledge, last: last)
                let spans = try LedgerSpan.all(
                    try await connection.execute([frame.spans(known: standing)])[0])
                var changes: [ChangeBehind] = []
                for leftOut in [false, true] {
                    let results = try await connection.execute(
                        source.changes(
                            of: spans, by: question.groups, leftOut: leftOut, after: after,
                            upTo: upTo))
                    for result in results {
                        changes += try ChangeBehind.all(
                            result, keyCount: leftOut ? nil : question.groups.count)
                    }
                }
                return changes
            }
        } catch {
            throw StoreError(error)
        }
    }
}

extension ChangeBehind {
    /// - Parameter keyCount: nil: of what is left out.
    fileprivate static func all(_ rows: QueryResult, keyCount: Int?) throws(PostgreSQLError)
        -> [ChangeBehind]
    {
        var changes: [ChangeBehind] = []
        let count = keyCount ?? 0
        for row in 0..<rows.rowCount {
            var keys: [String?] = []
            for column in 0..<count { keys.append(try rows.textIfPresent(row, 1 + column)) }
            changes.append(
                ChangeBehind(
                    part: Int(try rows.int32(row, 0)), keys: keyCount == nil ? nil : keys,
                    position: try rows.int64(row, count + 1),
                    event: try rows.text(row, count + 2), subject: try rows.text(row, count + 3)))
        }
        return changes
    }
}
