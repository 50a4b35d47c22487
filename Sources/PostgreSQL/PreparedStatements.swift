import CPostgreSQL

/// Which statements one connection has prepared, by their SQL text.
///
/// A statement counts as prepared only once PostgreSQL has said so: a preparation sent after a
/// statement that failed is skipped, and the next batch must send it again. While that is
/// undecided, the batch that sent it may use the name (if the preparation is skipped, so is the
/// use), but other batches go without.
struct PreparedStatements {
    /// How many a connection prepares; the rest is sent unprepared, so that texts made up at run
    /// time cannot fill the server's memory.
    static let countMax = 1_000

    /// How to send a statement.
    enum Use {
        /// Under a name that exists by the time it is used.
        case prepared(name: String)
        /// After preparing it under this name.
        case preparing(name: String)
        /// With its text.
        case unprepared
    }

    private struct Entry {
        let name: String
        let types: [Oid]
        /// The batch that sent the preparation; nil once it has succeeded.
        var undecidedIn: ObjectIdentifier?
    }

    private var entries: [String: Entry] = [:]
    private var lastNumber = 0

    mutating func use(of sql: String, types: [Oid], in batch: PendingBatch) -> Use {
        let batch = ObjectIdentifier(batch)
        if let entry = entries[sql] {
            let isReady = entry.undecidedIn == nil || entry.undecidedIn == batch
            // The parameter types belong to what was prepared.
            return isReady && entry.types == types ? .prepared(name: entry.name) : .unprepared
        }
        guard entries.count < Self.countMax else { return .unprepared }
        lastNumber += 1
        let name = "s\(lastNumber)"
        entries[sql] = Entry(name: name, types: types, undecidedIn: batch)
        return .preparing(name: name)
    }

    mutating func confirm(_ sql: String) {
        entries[sql]?.undecidedIn = nil
    }

    /// Forgets a statement whose preparation failed, was skipped, or is no longer of use; its
    /// name is never used again.
    mutating func forget(_ sql: String) {
        entries[sql] = nil
    }
}
