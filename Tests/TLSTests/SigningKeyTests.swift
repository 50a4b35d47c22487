import Foundation
import Testing

@testable import TLS

@Suite struct `A signing key` {
    private func inFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "signing-tests-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        return try body(folder.path)
    }

    /// RFC 8032, section 7.1, test 1, as OpenSSL writes such a key (RFC 8410).
    private static let privateKey = """
        -----BEGIN PRIVATE KEY-----
        MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
        -----END PRIVATE KEY-----

        """

    @Test func `signs as RFC 8032 says`() throws {
        let key = try #require(SigningKey.reading(pem: Array(Self.privateKey.utf8)))

        let signature = key.signature(of: [])

        #expect(
            signature.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
                == "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
                + "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b")
    }

    @Test func `finds each change of what was signed`() {
        let key = SigningKey.generate()
        let bytes = Array("552 (gesamtes Vorjahr: 686)".utf8)
        let signature = key.signature(of: bytes)

        #expect(SigningKey.isValid(signature, of: bytes, publicKeyPEM: key.publicKeyPEM))
        for index in bytes.indices {
            var changed = bytes
            changed[index] ^= 1
            #expect(!SigningKey.isValid(signature, of: changed, publicKeyPEM: key.publicKeyPEM))
        }
        var other = signature
        other[0] ^= 1
        #expect(!SigningKey.isValid(other, of: bytes, publicKeyPEM: key.publicKeyPEM))
        #expect(!SigningKey.isValid([], of: bytes, publicKeyPEM: key.publicKeyPEM))
        #expect(!SigningKey.isValid(signature, of: bytes, publicKeyPEM: "no key"))
        let stranger = SigningKey.generate().publicKeyPEM
        #expect(!SigningKey.isValid(signature, of: bytes, publicKeyPEM: stranger))
    }

    @Test func `is made once, for its owner alone, and then found again`() throws {
        try inFolder { folder in
            let path = folder + "/signing-key.pem"

            let key = try SigningKey.stored(at: path)
            let again = try SigningKey.stored(at: path)

            #expect(again.publicKeyPEM == key.publicKeyPEM)
            #expect(again.fingerprint == key.fingerprint)
            #expect(SigningKey.fingerprint(ofPublicKeyPEM: key.publicKeyPEM) == key.fingerprint)
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            #expect(attributes[.posixPermissions] as? Int == 0o600)
            // Nothing unfinished is left beside it.
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder).count == 1)
        }
    }

    @Test func `is the same for all who make it at once`() async throws {
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "signing-tests-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "signing-key.pem").path

        let keys = try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<8 {
                group.addTask { try SigningKey.stored(at: path).publicKeyPEM }
            }
            return try await group.reduce(into: Set<String>()) { $0.insert($1) }
        }

        #expect(keys.count == 1)
    }

    @Test(arguments: [
        "", "no key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    ])
    func `is refused where the file holds something else`(content: String) throws {
        try inFolder { folder in
            let path = folder + "/signing-key.pem"
            try Data(content.utf8).write(to: URL(filePath: path))

            let error = #expect(throws: SigningKeyError.self) { try SigningKey.stored(at: path) }

            #expect("\(try #require(error))".contains(path))
        }
    }

    @Test func `is not made where the folder does not exist`() {
        #expect(throws: SigningKeyError.self) {
            try SigningKey.stored(at: "/nonexistent/signing-key.pem")
        }
    }
}
