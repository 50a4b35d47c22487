import ControlCentre
import PostgreSQL

/// Who asked for a change, as the journal records it.
public struct Author: Sendable {
    public let token: TokenID
    public let role: Role
    public let requestID: String
    /// Set where the change may be asked for again: it is remembered with the change.
    public var request: RepeatableRequest?

    public init(token: TokenID, role: Role, requestID: String) {
        self.token = token
        self.role = role
        self.requestID = requestID
    }
}

/// One row of the journal, without the document, which the database makes itself.
struct JournalEntry {
    var event: String
    var site: SiteID?
    var subject: String
    var occurredAt: Timestamp
    var author: Author?
    var reason: String?
    var remark: Remark?

    /// Free text that a person wrote: it can be erased, its salted hash in the journal cannot.
    struct Remark {
        let id: UUID
        /// Nil: another entry of the change has stored it.
        let text: String?

        /// The statement that keeps it, with a salt of its own; only for one that has its text.
        func insertion(at site: SiteID?) -> Statement {
            Statement(
                "INSERT INTO remarks VALUES ($1, $2, uuid_send(gen_random_uuid()), $3)",
                .uuid(PostgreSQLUUID(id)), .text(site?.description), .text(text))
        }
    }

    /// The statements that record it: run in the change's transaction, after the change.
    ///
    /// - Parameter source: what follows FROM; `document` is read from it.
    func statements(
        ordinal: Int32, document: String, from source: String, _ parameters: [Parameter]
    ) -> [Statement] {
        var statements: [Statement] = []
        if let remark, remark.text != nil { statements.append(remark.insertion(at: site)) }
        // The source's own parameters come first, as its text numbers them.
        var query = Query()
        for parameter in parameters { _ = query.bind(parameter) }
        let remarkID = query.bind(.uuid(remark.map { PostgreSQLUUID($0.id) }))
        let values = [
            query.bind(.int32(ordinal)), query.bind(.text(event)),
            query.bind(.text(site?.description)), query.bind(.text(subject)),
            query.bind(.time(occurredAt)), query.bind(.optional(author?.token)),
            query.bind(.text(author?.role.rawValue)), query.bind(.text(reason)), remarkID,
            "(SELECT sha256(r.salt || convert_to(r.text, 'UTF8')) FROM remarks r WHERE r.id = \(remarkID))",
            query.bind(.text(author?.requestID)),
        ].joined(separator: ", ")
        statements.append(
            Statement(
                """
                INSERT INTO journal (change, ordinal, event, site, subject, occurred_at, actor,
                    role, reason, remark, remark_hash, request_id, document)
                SELECT currval('changes'), \(values), \(document) FROM \(source)
                """, parameters: query.parameters))
        if ordinal == 1, let author, let request = author.request {
            statements.append(request.remembering(by: author.token))
        }
        return statements
    }
}
