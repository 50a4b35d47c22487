import ControlCentre
import HTTP
import Store

/// Finds out who bears a request's token.
///
/// Known tokens are remembered for a short time. A revocation reaches the instance that does it
/// at once and the others by the journal; the time bounds what a lost message can cost.
final class Authenticator {
    private let database: Database
    private var known: [String: (principal: Principal, until: ContinuousClock.Instant)] = [:]

    /// Counts the calls of `forget`.
    private var forgotten = 0

    private static let memory: Duration = .seconds(10)
    private static let knownMax = 10_000
    /// Longer than any token of ours.
    private static let tokenBytesMax = 256

    init(database: Database) { self.database = database }

    func principal(of request: Request) async throws -> Principal {
        guard let field = request.fields.first(named: "authorization") else {
            throw Problem(
                401, "token.missing", "Send Authorization with a bearer token.",
                fields: [("www-authenticate", "Bearer realm=\"leitstand\"")])
        }
        let parts = field.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer",
            parts[1].utf8.count <= Self.tokenBytesMax
        else { throw Self.invalid }
        let secret = String(parts[1])
        if let entry = known[secret], entry.until > .now { return try checked(entry.principal) }
        let principal = try await lookUp(secret)
        if known.count >= Self.knownMax { known.removeAll() }
        known[secret] = (principal, .now + Self.memory)
        return principal
    }

    /// Asks the database. If a token is revoked meanwhile it may be this one, and the answer
    /// older than the revocation: remembered, it would be good for another while.
    private func lookUp(_ secret: String) async throws -> Principal {
        while true {
            let before = forgotten
            guard let principal = try await database.principal(bearing: secret) else {
                known[secret] = nil
                throw Self.invalid
            }
            if forgotten == before { return principal }
        }
    }

    private func checked(_ principal: Principal) throws(Problem) -> Principal {
        if let expiresAt = principal.expiresAt, expiresAt <= .now() { throw Self.invalid }
        return principal
    }

    /// Forgets a token that was revoked.
    func forget(_ token: TokenID) {
        forgotten += 1
        known = known.filter { $0.value.principal.token != token }
    }

    private static let invalid = Problem(
        401, "token.invalid", "The token is unknown, has expired, or was revoked.",
        fields: [("www-authenticate", "Bearer realm=\"leitstand\", error=\"invalid_token\"")])
}
