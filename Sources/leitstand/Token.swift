import API
import ArgumentParser
import ControlCentre
import EventLoop
import Store

struct Token: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Manage the tokens by which clients are known.", subcommands: [Create.self])

    /// Creates a token and prints it, alone, on standard output.
    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Create a token and print it; it cannot be shown again.",
            discussion: "Works while the server runs, and before it has ever run.")

        @Option(
            help:
                "node, observer, shift_supervisor, statistician, auditor, administrator or monitor."
        )
        var role: String
        @Option(
            help: "The site it is bound to; required of observer and shift_supervisor.")
        var site: String?
        @Option(help: "The node that it speaks for; required for the role node.")
        var node: String?
        @Option(help: "Who bears it, as histories show it.")
        var name: String?
        @Option(help: "When it expires, as an RFC 3339 time.")
        var expires: String?
        @OptionGroup var options: DatabaseOptions

        func run() async throws {
            let token = try newToken()
            let database = try options.open(.join)
            let loop = try EventLoop(name: "leitstand-0")
            _ = try await database.migrate(on: loop)
            let outcome = try await create(token, in: database, on: loop)
            await loop.stop()
            try database.close()
            switch outcome {
            case .created(_, let secret): printLine(secret)
            case .unknownSite: throw ValidationError("there is no site \(site ?? "")")
            case .unknownNode: throw ValidationError("the site has no node \(node ?? "")")
            }
        }

        private func newToken() throws -> NewToken {
            guard let role = Role(rawValue: role) else {
                let roles = Role.allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("--role must be one of \(roles)")
            }
            let site = try self.site.map { text in
                guard let site = SiteID(text) else {
                    throw ValidationError("--site must be a site's id, such as mannheim")
                }
                return site
            }
            let node = try self.node.map { text in
                guard let node = NodeID(text) else {
                    throw ValidationError("--node must be a node's id, a UUID")
                }
                return node
            }
            let expiresAt = try expires.map { text in
                guard let time = Timestamp(rfc3339: text), time > .now() else {
                    throw ValidationError("--expires must be an RFC 3339 time in the future")
                }
                return time
            }
            if let fault = NewToken.fault(role: role, site: site, node: node) {
                throw ValidationError("--\(fault.member) \(fault.detail)")
            }
            return NewToken(
                name: name ?? role.rawValue, role: role, site: site, node: node,
                expiresAt: expiresAt)
        }

        private func create(
            _ token: NewToken, in database: OpenDatabase, on loop: isolated EventLoop
        ) async throws -> TokenCreateOutcome {
            let pool = database.pool(on: loop, connectionsMax: 1)
            defer { pool.close() }
            let store = Database(pool: pool, committed: {})
            var token = token
            if let node = token.node, token.site == nil {
                token.site = try await store.siteOfNode(node)
            }
            return try await store.createToken(token, by: nil, at: .now())
        }
    }
}
