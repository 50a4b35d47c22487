/// A batch that was sent and whose answers are awaited.
///
/// Lives in its connection's queue; the task that sent it waits in `finished()`.
final class PendingBatch {
    /// What PostgreSQL answers next, in the order sent.
    enum Step {
        case prepare(statement: Int)
        case execute(statement: Int)
        /// The Sync that ends a batch.
        case end
        /// All commands of a script.
        case script
    }

    let statements: [Statement]
    private(set) var results: [QueryResult] = []
    /// The first error; what follows it was skipped.
    private(set) var failure: PostgreSQLError?

    private var steps: [Step] = []
    private var stepsDone = 0
    /// What came since the last result.
    private(set) var notices: [Notice] = []
    private var isFinished = false
    private var continuation: CheckedContinuation<Void, Never>?

    /// How many notices are kept for one statement or script; more are dropped.
    static let noticesMax = 100

    init(_ statements: [Statement]) {
        self.statements = statements
        results.reserveCapacity(statements.count)
        steps.reserveCapacity(statements.count + 1)
    }

    func append(_ step: Step) {
        steps.append(step)
    }

    /// Nil once everything is answered.
    var currentStep: Step? {
        stepsDone < steps.count ? steps[stepsDone] : nil
    }

    func finishStep() {
        stepsDone += 1
    }

    func note(_ notice: Notice) {
        if notices.count < Self.noticesMax { notices.append(notice) }
    }

    func succeed(with result: OpaquePointer) {
        results.append(QueryResult(adopting: result, notices: notices))
        notices.removeAll()
    }

    func fail(with error: PostgreSQLError) {
        if failure == nil { failure = error }
    }

    /// Ends the batch, whatever was answered, because its connection has ended: a server's error
    /// then only tells why, and becomes part of the text.
    func end(with error: PostgreSQLError) {
        if case .connectionLost(let text) = error, case .server(let cause) = failure {
            failure = .connectionLost("\(cause); \(text)")
        } else {
            failure = error
        }
        finish()
    }

    /// Wakes the task that waits.
    func finish() {
        // What came with the end belongs to the commit of a batch that is its own transaction.
        results.last?.notices += notices
        isFinished = true
        continuation?.resume()
        continuation = nil
    }

    /// Waits for the end of the batch.
    ///
    /// - Throws: the first error.
    func finished() async throws(PostgreSQLError) -> [QueryResult] {
        if !isFinished { await withCheckedContinuation { continuation = $0 } }
        if let failure { throw failure }
        return results
    }
}
