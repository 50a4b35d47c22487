import ControlCentre
import PostgreSQL

/// Where a page of a list ends: the list goes on after the row with this time and id.
public struct Keyset: Sendable, Hashable {
    public let time: Timestamp
    public let id: String

    public init(time: Timestamp, id: String) {
        self.time = time
        self.id = id
    }
}

/// Which part of a list is asked for.
public struct PageRequest: Sendable {
    /// How many rows, 1 to 500.
    public var limit: Int
    /// The end of the page before; nil asks for the first page.
    public var after: Keyset?

    public init(limit: Int, after: Keyset? = nil) {
        self.limit = limit
        self.after = after
    }
}

/// Which part of a list is asked for by when its rows were entered.
public struct CreationTimes: Sendable {
    /// Nil: from the first on.
    public var from: Timestamp?
    /// The first instant that is not of it; nil: up to the last.
    public var to: Timestamp?

    public init(from: Timestamp? = nil, to: Timestamp? = nil) {
        self.from = from
        self.to = to
    }
}

/// A page of a list: the resources as JSON, newest first.
public struct Page: Sendable {
    public let documents: [[UInt8]]
    /// Where the next page begins; nil on the last.
    public let next: Keyset?
}

extension Query {
    /// The statement of one page, newest first, for a query whose filters are set.
    ///
    /// One row more than asked for tells whether there is another page.
    mutating func page(
        _ request: PageRequest, of table: String, document: String, time: String, id: String,
        idType: String
    ) -> Statement {
        if let after = request.after {
            filter(
                "(\(time), \(id)) < (\(bind(.time(after.time))), \(bind(.text(after.id)))::\(idType))"
            )
        }
        return Statement(
            """
            SELECT \(document)::text, \(time), \(id)::text FROM \(table) t \(whereClause)
            ORDER BY \(time) DESC, \(id) DESC LIMIT \(request.limit + 1)
            """, parameters: parameters)
    }
}

extension Page {
    /// Reads the rows of `Query.page`.
    init(_ result: QueryResult, _ request: PageRequest) throws(PostgreSQLError) {
        let count = min(result.rowCount, request.limit)
        var documents: [[UInt8]] = []
        documents.reserveCapacity(count)
        for row in 0..<count { documents.append(try result.bytes(row, 0)) }
        self.documents = documents
        next =
            result.rowCount > request.limit
            ? Keyset(time: try result.time(count - 1, 1), id: try result.text(count - 1, 2)) : nil
    }
}
