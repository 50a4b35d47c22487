import TLS
import Testing

@Suite struct `A TLS context` {
    private let authority: TestAuthority
    private let identity: TestAuthority.Identity

    init() throws {
        authority = try TestAuthority()
        identity = try authority.issue("server")
    }

    /// The error of making a server's context of these files.
    private func refusal(certificateFile: String, keyFile: String) -> TLSError? {
        #expect(throws: TLSError.self) {
            try TLSContext.server(
                certificateFile: certificateFile, keyFile: keyFile, protocols: [])
        }
    }

    @Test func `names a certificate file that is missing`() throws {
        let missing = authority.path(of: "missing.pem")

        let error = try #require(refusal(certificateFile: missing, keyFile: identity.keyFile))

        guard case .certificateFileUnusable(missing, let faults) = error else {
            Issue.record(error)
            return
        }
        #expect(faults.first?.reason == "No such file or directory")
        #expect(error.description.contains(missing))
    }

    @Test func `names a key file that is missing`() throws {
        let missing = authority.path(of: "missing.key")

        let error = try #require(
            refusal(certificateFile: identity.certificateFile, keyFile: missing))

        guard case .keyFileUnusable(missing, let faults) = error else {
            Issue.record(error)
            return
        }
        #expect(faults.first?.reason == "No such file or directory")
        #expect(error.description.contains(missing))
    }

    @Test func `names a file given in the other's place`() throws {
        let keyAsCertificate = try #require(
            refusal(certificateFile: identity.keyFile, keyFile: identity.keyFile))
        let certificateAsKey = try #require(
            refusal(certificateFile: identity.certificateFile, keyFile: identity.certificateFile))

        guard case .certificateFileUnusable(identity.keyFile, _) = keyAsCertificate else {
            Issue.record(keyAsCertificate)
            return
        }
        guard case .keyFileUnusable(identity.certificateFile, _) = certificateAsKey else {
            Issue.record(certificateAsKey)
            return
        }
    }

    @Test(arguments: TestAuthority.KeyKind.allCases)
    func `names both files when the key is another certificate's`(
        kind: TestAuthority.KeyKind
    ) throws {
        let other = try authority.issue("other", kind)

        let error = try #require(
            refusal(certificateFile: identity.certificateFile, keyFile: other.keyFile))

        guard
            case .keyOfAnotherCertificate(other.keyFile, identity.certificateFile, let faults) =
                error
        else {
            Issue.record(error)
            return
        }
        #expect(!faults.isEmpty)
        #expect(error.description.contains(other.keyFile))
        #expect(error.description.contains(identity.certificateFile))
    }

    @Test func `refuses an encrypted key instead of asking for its passphrase`() throws {
        let encrypted = authority.path(of: "encrypted.key")
        try TestAuthority.runOpenSSL([
            "pkey", "-in", identity.keyFile, "-aes128", "-passout", "pass:secret",
            "-out", encrypted,
        ])

        let error = try #require(
            refusal(certificateFile: identity.certificateFile, keyFile: encrypted))

        guard case .keyFileUnusable(encrypted, _) = error else {
            Issue.record(error)
            return
        }
        #expect(error.description.contains("without a passphrase"))
    }

    @Test func `names a trust file that is missing`() throws {
        let missing = authority.path(of: "missing.pem")

        let error = try #require(
            #expect(throws: TLSError.self) {
                try TLSContext.client(trustFile: missing, protocols: [])
            })

        guard case .trustFileUnusable(missing, _) = error else {
            Issue.record(error)
            return
        }
    }
}
