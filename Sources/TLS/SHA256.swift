import COpenSSL

/// A SHA-256 digest (FIPS 180-4) of bytes that come piece by piece; owns OpenSSL's context.
public final class SHA256 {
    private let context: OpaquePointer

    /// Bytes of a digest.
    private static let byteCount = 32

    public init() {
        guard let context = EVP_MD_CTX_new(), EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1
        else { preconditionFailure("OpenSSL has no SHA-256") }
        self.context = context
    }

    deinit { EVP_MD_CTX_free(context) }

    public func update(_ bytes: some Sequence<UInt8>) {
        let taken: Void? = bytes.withContiguousStorageIfAvailable {
            take(UnsafeRawBufferPointer($0))
        }
        if taken == nil { Array(bytes).withUnsafeBytes { take($0) } }
    }

    private func take(_ bytes: UnsafeRawBufferPointer) {
        let isTaken = EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) == 1
        precondition(isTaken, "OpenSSL does not take bytes for a digest")
    }

    /// The digest of all bytes so far; nothing may follow.
    public func digest() -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: Self.byteCount) { buffer, count in
            let isDone = EVP_DigestFinal_ex(context, buffer.baseAddress, nil) == 1
            precondition(isDone, "OpenSSL gives no digest")
            count = Self.byteCount
        }
    }

    public static func digest(of bytes: some Sequence<UInt8>) -> [UInt8] {
        let digest = SHA256()
        digest.update(bytes)
        return digest.digest()
    }
}
