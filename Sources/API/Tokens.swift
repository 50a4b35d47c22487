import ControlCentre
import EventLoop
import HTTP
import JSON
import Store

extension API {
    func addTokens() {
        add(.get, "/v1/tokens", for: [.administrator, .auditor]) { api, call in
            var query = QueryReader(call.request)
            let page = try query.page()
            let site = try query.site(for: call)
            let roles = query.anyOf("role", Role.self)
            let created = query.creationTimes()
            try query.finish()
            return .page(
                try await api.database.tokens(only: site, roles: roles, created: created, page),
                for: call.request)
        }
        add(.post, "/v1/tokens", for: [.administrator]) { api, call in
            try call.rejectParameters()
            var token = try call.body { NewToken(&$0, at: call.receivedAt) }
            if let bound = call.site {
                // An administrator of one site makes tokens of that site only.
                if let asked = token.site, asked != bound {
                    throw Problem(.unknownSite, resource: "site")
                }
                guard token.site != nil || token.node != nil else {
                    throw Problem(
                        403, "role.forbidden",
                        "An administrator of one site makes no token for all sites; name the site.")
                }
                token.site = bound
            }
            if let node = token.node, token.site == nil {
                token.site = try await api.database.siteOfNode(node)
            }
            switch try await api.database.createToken(token, by: call.author(), at: call.receivedAt)
            {
            case .created(let document, let secret):
                var writer = JSONWriter()
                writer.value(secret)
                // The document is an object; the secret joins it as its last member.
                return .json(
                    document.dropLast() + Array(",\"token\":".utf8) + writer.bytes
                        + [UInt8(ascii: "}")], status: 201,
                    fields: [("cache-control", "no-store")])
            case .unknownSite:
                throw Problem(.unknownSite, resource: "site")
            case .unknownNode:
                throw Problem.invalidBody([
                    MemberError(
                        pointer: "/node", code: "node.unknown", detail: "must be a node of the site"
                    )
                ])
            }
        }
        add(.get, "/v1/tokens/self", for: Set(Role.allCases)) { api, call in
            try call.rejectParameters()
            guard let token = try await api.database.token(call.author().token) else {
                throw Problem.unknown("token")
            }
            return .json(token)
        }
        add(.post, "/v1/tokens/{id}/revoke", for: [.administrator]) { api, call in
            try call.rejectParameters()
            let id = try call.id(TokenID.self, of: "token")
            try call.optionalBody { _ in () }
            let outcome = try await api.database.revokeToken(
                id, only: call.site, by: call.author(), at: call.receivedAt)
            guard case .revoked(let document) = outcome else { throw Problem.unknown("token") }
            // All loops have forgotten it before the answer goes out.
            for peer in api.peers {
                await peer.run { api, loop in api.revoke(id, on: loop) }
            }
            return .json(document)
        }
    }

    /// Forgets a token and ends the live streams that it opened.
    func revoke(_ token: TokenID, on loop: isolated EventLoop) {
        authenticator.forget(token)
        hub.end(streamsOf: token)
    }
}

extension NewToken {
    init?(_ reader: inout ObjectReader, at now: Timestamp) {
        let name = reader.requiredLine("name", length: 1...200)
        let role = reader.requiredCase("role", of: Role.self)
        let site = reader.nullable("site", expected: "a site's id") { SiteID($0) }
        let node = reader.optional("node", expected: "a node's id") { NodeID($0) }
        let expiresAt = reader.nullableTime("expires_at")
        if let expiresAt, expiresAt <= now { reader.refuse("expires_at", "must be in the future") }
        guard let name, let role else { return nil }
        if let fault = Self.fault(role: role, site: site, node: node) {
            reader.refuse(fault.member, code: fault.code, fault.detail)
        }
        self.init(name: name, role: role, site: site, node: node, expiresAt: expiresAt)
    }

    /// What is wrong with a combination of role, site and node; nil when nothing is.
    public static func fault(role: Role, site: SiteID?, node: NodeID?)
        -> (member: String, code: String, detail: String)?
    {
        switch role {
        case .node:
            return node == nil ? ("node", "missing", "is required for the role node") : nil
        // A ministry answers for all its cities at once.
        case .administrator, .auditor, .monitor, .statistician:
            return node == nil ? nil : ("node", "invalid", "is for the role node only")
        case .observer, .shiftSupervisor:
            if node != nil { return ("node", "invalid", "is for the role node only") }
            guard site != nil else {
                return ("site", "missing", "is required for the role \(role.rawValue)")
            }
            return nil
        }
    }
}
