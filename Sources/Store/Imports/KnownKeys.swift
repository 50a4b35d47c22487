import ControlCentre
import PostgreSQL
import TLS

/// Which keys of a source have been taken over already, and with which content.
struct KnownKeys {
    private struct Entry {
        let hash: [UInt8]
        let line: Int
        /// Of an earlier import: which.
        let earlierImport: ImportID?
    }

    enum Finding {
        case new
        case same
        case other(ColumnFault)
    }

    private var entries: [String: Entry] = [:]

    static func statement(_ kind: String, _ keys: [String], _ scope: ImportScope) -> Statement {
        Statement(
            """
            SELECT key, content_hash, line, nullif(import, $4) FROM imported_rows
            WHERE site = $1 AND kind = $2 AND key = ANY ($3)
            """, .text(scope.site), .text(kind), .texts(keys), .uuid(scope.id))
    }

    init(_ rows: QueryResult) throws(PostgreSQLError) {
        for row in 0..<rows.rowCount {
            entries[try rows.text(row, 0)] = Entry(
                hash: try rows.bytes(row, 1), line: Int(try rows.int64(row, 2)),
                earlierImport: try rows.idIfPresent(row, 3))
        }
    }

    /// Compares a line with what its key stands for already.
    func finding(_ key: String, _ hash: [UInt8]) -> Finding {
        guard let entry = entries[key] else { return .new }
        guard entry.hash != hash else { return .same }
        let place = entry.earlierImport.map { " of the import \($0)" } ?? ""
        return .other(
            ColumnFault(
                "key", "key.reused",
                "must be one that stands for nothing else; \(key) was line \(entry.line)\(place),"
                    + " with other content"))
    }

    mutating func add(_ key: String, _ hash: [UInt8], line: Int) {
        entries[key] = Entry(hash: hash, line: line, earlierImport: nil)
    }

    /// The hash of what a line says. Each value is told apart from its neighbours by its length.
    static func hash(of values: [String?]) -> [UInt8] {
        var text = ""
        for value in values {
            if let value { text += "\(value.utf8.count):\(value)" } else { text += "-" }
        }
        return SHA256.digest(of: text.utf8)
    }
}
