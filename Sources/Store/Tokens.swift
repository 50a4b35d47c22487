import ControlCentre
import PostgreSQL

/// Whoever bears a token: in which role, and for which site and node.
public struct Principal: Sendable, Hashable {
    public let token: TokenID
    public let role: Role
    /// Nil: all sites.
    public let site: SiteID?
    /// Of role node: the node that it speaks for.
    public let node: NodeID?
    public let expiresAt: Timestamp?
}

public struct NewToken: Sendable {
    public var name: String
    public var role: Role
    public var site: SiteID?
    public var node: NodeID?
    public var expiresAt: Timestamp?

    public init(name: String, role: Role, site: SiteID?, node: NodeID?, expiresAt: Timestamp?) {
        self.name = name
        self.role = role
        self.site = site
        self.node = node
        self.expiresAt = expiresAt
    }
}

public enum TokenCreateOutcome: Sendable {
    /// The token's document and the token itself, which is not kept and cannot be shown again.
    case created([UInt8], secret: String)
    case unknownSite
    /// No node of that id at that site.
    case unknownNode
}

public enum TokenRevokeOutcome: Sendable {
    case revoked([UInt8])
    case unknown
}

extension Database {
    /// Creates a token of 256 random bits; only its SHA-256 is stored.
    ///
    /// - Parameter author: nil from the command line.
    public func createToken(_ token: NewToken, by author: Author?, at instant: Timestamp)
        async throws(StoreError) -> TokenCreateOutcome
    {
        // The reference to the node contains its site; without one, nothing would be checked.
        if token.node != nil, token.site == nil { return .unknownNode }
        let id = TokenID.make(at: instant)
        let secret = Self.makeSecret()
        let insert = Statement(
            """
            INSERT INTO tokens (id, name, role, site, node, prefix, hash, created_at, expires_at)
            VALUES ($1, $2, $3, $4, $5, $6, sha256(convert_to($7, 'UTF8')), $8, $9)
            """,
            .uuid(id), .text(token.name), .text(token.role.rawValue),
            .text(token.site?.description), .optional(token.node),
            .text(String(secret.prefix(Self.prefixLength))), .text(secret), .time(instant),
            .time(token.expiresAt))
        do throws(PostgreSQLError) {
            let results = try await commit(
                [insert] + journal("token.created", id, token.site, author, instant)
                    + [Self.document(of: id)])
            return .created(try results[results.count - 1].bytes(0, 0), secret: secret)
        } catch {
            if case .server(let server) = error {
                if server.constraint == "tokens_site_fkey" { return .unknownSite }
                if server.constraint == "tokens_site_node_fkey" { return .unknownNode }
            }
            throw StoreError(error)
        }
    }

    /// Who bears this token; nil when nobody does, or it has expired or been revoked.
    public func principal(bearing secret: String) async throws(StoreError) -> Principal? {
        let results = try await read([
            Statement(
                """
                SELECT id, role, site, node, expires_at FROM tokens
                WHERE hash = sha256(convert_to($1, 'UTF8')) AND revoked_at IS NULL
                    AND (expires_at IS NULL OR expires_at > now())
                """, .text(secret))
        ])
        let result = results[0]
        guard result.rowCount == 1 else { return nil }
        do throws(PostgreSQLError) {
            return Principal(
                token: try result.id(0, 0), role: try result.value(0, 1),
                site: result.isNull(0, 2) ? nil : try result.site(0, 2),
                node: try result.idIfPresent(0, 3), expiresAt: try result.timeIfPresent(0, 4))
        } catch {
            throw StoreError(error)
        }
    }

    /// - Parameter only: the one site whose tokens the reader may see; nil for all.
    public func tokens(
        only site: SiteID?, roles: [Role]?, created: CreationTimes, _ request: PageRequest
    ) async throws(StoreError) -> Page {
        var query = Query()
        query.filter("t.site", site.map { .text($0) })
        query.filter("t.role", anyOf: roles)
        query.filter("t.created_at", from: created.from, to: created.to)
        let statement = query.page(
            request, of: "tokens", document: "token_document(t)", time: "t.created_at", id: "t.id",
            idType: "uuid")
        let results = try await read([statement])
        do throws(PostgreSQLError) {
            return try Page(results[0], request)
        } catch {
            throw StoreError(error)
        }
    }

    /// A token without its secret; nil when there is none of this id.
    public func token(_ id: TokenID) async throws(StoreError) -> [UInt8]? {
        let results = try await read([Self.document(of: id)])
        do throws(PostgreSQLError) {
            return results[0].rowCount == 1 ? try results[0].bytes(0, 0) : nil
        } catch {
            throw StoreError(error)
        }
    }

    /// Revokes a token for good; revoking again changes nothing.
    public func revokeToken(
        _ id: TokenID, only site: SiteID?, by author: Author, at instant: Timestamp
    ) async throws(StoreError) -> TokenRevokeOutcome {
        let visible = "t.id = $1 AND ($2::text IS NULL OR t.site = $2)"
        let lock = Statement(
            "SELECT site, revoked_at IS NOT NULL FROM tokens t WHERE \(visible) FOR UPDATE",
            .uuid(id), .text(site?.description))
        let update = Statement(
            "UPDATE tokens SET revoked_at = $2 WHERE id = $1", .uuid(id), .time(instant))
        var isKnown = false
        do throws(PostgreSQLError) {
            let results = try await commit(reading: [lock]) { (read) throws(PostgreSQLError) in
                guard read[0].rowCount == 1 else { return nil }
                isKnown = true
                if try read[0].bool(0, 1) { return nil }
                let tokenSite = read[0].isNull(0, 0) ? nil : try read[0].site(0, 0)
                return [update] + journal("token.revoked", id, tokenSite, author, instant)
                    + [Self.document(of: id)]
            }
            if let document = results?.last { return .revoked(try document.bytes(0, 0)) }
            guard isKnown else { return .unknown }
            let document = try await pool.withConnection {
                (connection) async throws(PostgreSQLError) in
                try await connection.execute(Self.document(of: id))
            }
            return .revoked(try document.bytes(0, 0))
        } catch {
            throw StoreError(error)
        }
    }

    /// How many characters of a token its document shows: enough to tell tokens apart.
    private static let prefixLength = 8

    private static func document(of id: TokenID) -> Statement {
        Statement("SELECT token_document(t)::text FROM tokens t WHERE id = $1", .uuid(id))
    }

    private func journal(
        _ event: String, _ id: TokenID, _ site: SiteID?, _ author: Author?, _ instant: Timestamp
    ) -> [Statement] {
        JournalEntry(
            event: event, site: site, subject: id.description, occurredAt: instant, author: author
        ).statements(
            // A person's name must stay erasable, and the journal keeps what it is given.
            ordinal: 1, document: "(token_document(t)::jsonb - 'name')::json",
            from: "tokens t WHERE t.id = $1", [.uuid(id)])
    }

    /// 256 bits of the system's generator as 43 characters of base64url.
    private static func makeSecret() -> String {
        let alphabet = Array(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".unicodeScalars)
        var generator = SystemRandomNumberGenerator()
        var bits = (0..<4).flatMap { _ -> [UInt8] in
            withUnsafeBytes(of: generator.next() as UInt64) { Array($0) }
        }
        bits.append(0)
        var secret = ""
        for index in stride(from: 0, to: 258, by: 6) {
            let word = UInt16(bits[index / 8]) << 8 | UInt16(bits[min(index / 8 + 1, 32)])
            secret.unicodeScalars.append(alphabet[Int(word >> (10 - index % 8)) & 63])
        }
        return secret
    }
}
