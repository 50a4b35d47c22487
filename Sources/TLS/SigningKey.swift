import COpenSSL

/// An Ed25519 key pair (RFC 8032) with which the server signs what it gives out for ever; owns
/// OpenSSL's `EVP_PKEY`.
///
///     let key = try SigningKey.stored(at: "/var/lib/leitstand/signing-key.pem")
///     let signature = key.signature(of: bytes)
///
/// Sendable unchecked, because `EVP_PKEY` is a raw pointer: nothing alters it after `init`, and
/// OpenSSL lets several threads sign with one.
public final class SigningKey: @unchecked Sendable {
    private let handle: OpaquePointer
    /// The public key as PEM (`SubjectPublicKeyInfo`), for `openssl pkeyutl -pubin`.
    public let publicKeyPEM: String
    /// SHA-256 of the public key's DER (`SubjectPublicKeyInfo`).
    public let fingerprint: [UInt8]

    /// Bytes of a signature.
    public static let signatureBytes = 64

    private init(adopting handle: OpaquePointer) {
        self.handle = handle
        publicKeyPEM = Self.text { PEM_write_bio_PUBKEY($0, handle) }
        fingerprint = SHA256.digest(of: Self.bytes { i2d_PUBKEY_bio($0, handle) })
    }

    deinit { EVP_PKEY_free(handle) }

    /// Makes a new pair.
    public static func generate() -> SigningKey {
        let context = EVP_PKEY_CTX_new_id(EVP_PKEY_ED25519, nil)
        defer { EVP_PKEY_CTX_free(context) }
        var handle: OpaquePointer?
        guard context != nil, EVP_PKEY_keygen_init(context) == 1,
            EVP_PKEY_keygen(context, &handle) == 1, let handle
        else { preconditionFailure("OpenSSL has no Ed25519") }
        return SigningKey(adopting: handle)
    }

    /// Reads a private key.
    ///
    /// - Returns: nil for what is no unencrypted PEM of an Ed25519 key.
    public static func reading(pem: [UInt8]) -> SigningKey? {
        pem.withUnsafeBytes { buffer in
            let memory = BIO_new_mem_buf(buffer.baseAddress, Int32(buffer.count))
            defer { BIO_free(memory) }
            // An empty passphrase, or OpenSSL would ask for one at the terminal.
            let handle = PEM_read_bio_PrivateKey(memory, nil, { _, _, _, _ in 0 }, nil)
            guard let handle else {
                _ = OpenSSLFault.drain()
                return nil
            }
            guard EVP_PKEY_get_base_id(handle) == EVP_PKEY_ED25519 else {
                EVP_PKEY_free(handle)
                return nil
            }
            return SigningKey(adopting: handle)
        }
    }

    /// The private key as PEM (PKCS #8), not encrypted.
    var privateKeyPEM: String {
        Self.text { PEM_write_bio_PrivateKey($0, handle, nil, nil, 0, nil, nil) }
    }

    /// Signs bytes as they are: Ed25519 hashes them itself.
    public func signature(of bytes: [UInt8]) -> [UInt8] {
        let context = EVP_MD_CTX_new()
        defer { EVP_MD_CTX_free(context) }
        return [UInt8](unsafeUninitializedCapacity: Self.signatureBytes) { buffer, count in
            count = Self.signatureBytes
            let isSigned =
                EVP_DigestSignInit(context, nil, nil, nil, handle) == 1
                && EVP_DigestSign(context, buffer.baseAddress, &count, bytes, bytes.count) == 1
            precondition(isSigned, "OpenSSL does not sign")
        }
    }

    /// Whether a signature is that of these bytes by whoever has the private key of a public one.
    ///
    /// - Parameter publicKeyPEM: as `publicKeyPEM`; anything else has signed nothing.
    public static func isValid(
        _ signature: [UInt8], of bytes: [UInt8], publicKeyPEM: String
    ) -> Bool {
        let pem = Array(publicKeyPEM.utf8)
        return pem.withUnsafeBytes { buffer in
            let memory = BIO_new_mem_buf(buffer.baseAddress, Int32(buffer.count))
            let key = PEM_read_bio_PUBKEY(memory, nil, nil, nil)
            let context = EVP_MD_CTX_new()
            defer {
                EVP_MD_CTX_free(context)
                EVP_PKEY_free(key)
                BIO_free(memory)
                // A signature that is not valid leaves its reason behind.
                _ = OpenSSLFault.drain()
            }
            return key != nil && EVP_DigestVerifyInit(context, nil, nil, nil, key) == 1
                && EVP_DigestVerify(context, signature, signature.count, bytes, bytes.count) == 1
        }
    }

    /// SHA-256 of a public key's DER; nil for what is no PEM of one.
    public static func fingerprint(ofPublicKeyPEM pem: String) -> [UInt8]? {
        Array(pem.utf8).withUnsafeBytes { buffer in
            let memory = BIO_new_mem_buf(buffer.baseAddress, Int32(buffer.count))
            defer { BIO_free(memory) }
            guard let key = PEM_read_bio_PUBKEY(memory, nil, nil, nil) else {
                _ = OpenSSLFault.drain()
                return nil
            }
            defer { EVP_PKEY_free(key) }
            return SHA256.digest(of: bytes { i2d_PUBKEY_bio($0, key) })
        }
    }

    // MARK: Memory

    private static func text(_ write: (OpaquePointer) -> Int32) -> String {
        String(decoding: bytes(write), as: UTF8.self)
    }

    private static func bytes(_ write: (OpaquePointer) -> Int32) -> [UInt8] {
        guard let memory = BIO_new(BIO_s_mem()) else { preconditionFailure("no memory for a BIO") }
        defer { BIO_free(memory) }
        precondition(write(memory) == 1, "OpenSSL does not write a key")
        return [UInt8](unsafeUninitializedCapacity: BIO_pending_bytes(memory)) { buffer, count in
            count = Int(BIO_read(memory, buffer.baseAddress, Int32(buffer.count)))
        }
    }
}
