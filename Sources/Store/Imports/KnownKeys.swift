import ControlCentre
import PostgreSQL
import TLS

/// Which keys of a source have been taken over already, and with which content.
struct KnownKeys {
    private struct Entry {
        let content: Content
        let line: Int
        /// Of an earlier import: which.
        let earlierImport: ImportID?
    }

    /// What is known of what a line said.
    private enum Content {
        case hash([UInt8])
        /// The hash, with the salt of what a person wrote in it before it, hashed once more.
        case salted(hash: [UInt8], salt: [UInt8])
        /// What a person wrote in it is erased: no line can be told from it any more.
        case erased

        func isSame(as hash: [UInt8]) -> Bool {
            switch self {
            case .hash(let known): known == hash
            case .salted(let known, let salt): known == SHA256.digest(of: salt + hash)
            case .erased: true
            }
        }
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
            SELECT k.key, k.content_hash, k.line, nullif(k.import, $4), k.remark IS NOT NULL,
                (SELECT r.salt FROM remarks r WHERE r.id = k.remark)
            FROM (SELECT DISTINCT unnest($3::text[]) AS key) asked
            CROSS JOIN LATERAL (\(lookUp)) k
            """, .text(scope.site), .text(kind), .texts(keys), .uuid(scope.id))
    }

    /// The row of a key that is `asked`, of the site `$1` and the kind `$2`.
    ///
    /// Fenced by OFFSET: while an import has no statistics yet, the planner would read all keys of
    /// the site for each piece, and an import take the square of its lines.
    static let lookUp = """
        SELECT * FROM imported_rows
        WHERE site = $1 AND kind = $2 AND key = asked.key OFFSET 0
        """

    init(_ rows: QueryResult) throws(PostgreSQLError) {
        for row in 0..<rows.rowCount {
            let hash = try rows.bytes(row, 1)
            let content: Content
            if try !rows.bool(row, 4) {
                content = .hash(hash)
            } else if rows.isNull(row, 5) {
                content = .erased
            } else {
                content = .salted(hash: hash, salt: try rows.bytes(row, 5))
            }
            entries[try rows.text(row, 0)] = Entry(
                content: content, line: Int(try rows.int64(row, 2)),
                earlierImport: try rows.idIfPresent(row, 3))
        }
    }

    /// Compares a line with what its key stands for already.
    func finding(_ key: String, _ hash: [UInt8]) -> Finding {
        guard let entry = entries[key] else { return .new }
        guard !entry.content.isSame(as: hash) else { return .same }
        let place = entry.earlierImport.map { " of the import \($0)" } ?? ""
        return .other(
            ColumnFault(
                "key", "key.reused",
                "must be one that stands for nothing else; \(key) was line \(entry.line)\(place),"
                    + " with other content"))
    }

    mutating func add(_ key: String, _ hash: [UInt8], line: Int) {
        entries[key] = Entry(content: .hash(hash), line: line, earlierImport: nil)
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
