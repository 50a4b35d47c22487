import ControlCentre
import JSON
import PostgreSQL
import TestSupport
import Testing

@testable import Store

@Suite struct `Tokens` {
    private let now = Timestamp.now()

    private func withSite(
        _ body: (TestDatabase, Instance, DemonstrationSite) async throws -> Void
    ) async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            try await body(database, instance, try await DemonstrationSite(in: instance))
        }
    }

    private func create(_ token: NewToken, in instance: Instance) async throws -> (
        id: TokenID, secret: String
    ) {
        let outcome = try await instance.run { database in
            try await database.createToken(token, by: nil, at: .now())
        }
        guard case .created(let document, let secret) = outcome else {
            throw NotStored(outcome: "\(outcome)")
        }
        return (try #require(TokenID(try text(document, "id"))), secret)
    }

    private func principal(_ secret: String, in instance: Instance) async throws -> Principal? {
        try await instance.run { try await $0.principal(bearing: secret) }
    }

    private func observer(at site: SiteID, expiresAt: Timestamp? = nil) -> NewToken {
        NewToken(
            name: "Dienst 1", role: .observer, site: site, node: nil, expiresAt: expiresAt)
    }

    @Test func `are told without their secret`() async throws {
        try await withSite { _, instance, site in
            let token = try await create(observer(at: site.id), in: instance)

            let own = try #require(try await instance.run { try await $0.token(token.id) })

            #expect(try text(own, "id") == token.id.description)
            #expect(try text(own, "site") == "mannheim")
            #expect(!String(decoding: own, as: UTF8.self).contains(token.secret))
            #expect(try await instance.run { try await $0.token(.make(at: now)) } == nil)
        }
    }

    @Test func `bear who they are, and only their hash is stored`() async throws {
        try await withSite { database, instance, site in
            let token = try await create(
                NewToken(
                    name: "Modul", role: .node, site: site.id, node: site.node, expiresAt: nil),
                in: instance)

            let bearer = try await principal(token.secret, in: instance)

            #expect(
                bearer
                    == Principal(
                        token: token.id, role: .node, site: site.id, node: site.node,
                        expiresAt: nil))
            #expect(token.secret.utf8.count == 43)
            let stored = try await database.query(
                "SELECT t::text, hash = sha256($1) FROM tokens t", .bytes(Array(token.secret.utf8)))
            #expect(try !stored.text(0, 0).contains(token.secret))
            #expect(try stored.bool(0, 1))
            let journaled = try await database.query(
                "SELECT string_agg(document::text, '') FROM journal")
            let journal = try journaled.text(0, 0)
            #expect(journal.contains(String(token.secret.prefix(8))))
            #expect(!journal.contains(String(token.secret.prefix(9))))
        }
    }

    @Test func `unknown, expired and revoked ones are nobody's`() async throws {
        try await withSite { database, instance, site in
            let valid = try await create(
                observer(at: site.id, expiresAt: now + .seconds(3_600)), in: instance)
            let expired = try await create(
                observer(at: site.id, expiresAt: now - .seconds(1)), in: instance)
            let revoked = try await create(observer(at: site.id), in: instance)
            for _ in 0..<2 {
                let outcome = try await instance.run { database in
                    try await database.revokeToken(
                        revoked.id, only: nil, by: DemonstrationSite.author, at: .now())
                }
                guard case .revoked = outcome else {
                    Issue.record("\(outcome)")
                    return
                }
            }

            let bearers = [
                try await principal(valid.secret, in: instance),
                try await principal(expired.secret, in: instance),
                try await principal(revoked.secret, in: instance),
                try await principal(String(valid.secret.dropLast()), in: instance),
            ]

            #expect(bearers.map { $0?.token } == [valid.id, nil, nil, nil])
            let revocations = try await database.number(
                "SELECT count(*) FROM journal WHERE event = 'token.revoked'")
            #expect(revocations == 1)
        }
    }

    @Test func `of another site are as unknown as none`() async throws {
        try await withSite { _, instance, site in
            let other = try await DemonstrationSite(in: instance, named: "hamburg")
            let token = try await create(observer(at: site.id), in: instance)

            let outcome = try await instance.run { database in
                try await database.revokeToken(
                    token.id, only: other.id, by: DemonstrationSite.author, at: .now())
            }

            guard case .unknown = outcome else {
                Issue.record("\(outcome)")
                return
            }
            #expect(try await principal(token.secret, in: instance) != nil)
        }
    }

    @Test func `are refused for a site or node that is not there`() async throws {
        try await withSite { database, instance, site in
            let other = try await DemonstrationSite(in: instance, named: "hamburg")
            let nowhere = try #require(SiteID("nowhere"))
            let ofNoSite = observer(at: nowhere)
            let ofOtherNode = NewToken(
                name: "Modul", role: .node, site: site.id, node: other.node, expiresAt: nil)

            let noSite = try await instance.run {
                try await $0.createToken(ofNoSite, by: nil, at: .now())
            }
            let otherNode = try await instance.run {
                try await $0.createToken(ofOtherNode, by: nil, at: .now())
            }

            guard case (.unknownSite, .unknownNode) = (noSite, otherNode) else {
                Issue.record("\(noSite), \(otherNode)")
                return
            }
            #expect(try await database.number("SELECT count(*) FROM tokens") == 0)
        }
    }
}
