import Glibc

/// Why a key file is of no use.
public enum SigningKeyError: Error, CustomStringConvertible {
    case unusable(path: String)
    case cannotRead(path: String, errno: Int32)
    case cannotCreate(path: String, errno: Int32)

    public var description: String {
        switch self {
        case .unusable(let path):
            "The signing key \(path) must be PEM and hold one Ed25519 private key without a "
                + "passphrase."
        case .cannotRead(let path, let number):
            "The signing key \(path) cannot be read: \(String(cString: strerror(number)))."
        case .cannotCreate(let path, let number):
            "The signing key \(path) cannot be created: \(String(cString: strerror(number)))."
        }
    }
}

extension SigningKey {
    /// More than any key's PEM.
    private static let fileBytesMax = 4_096

    /// The key in a file, which is made with a new key where there is none, readable by its owner
    /// alone. Of several processes that make it at once, one does, and all get its key.
    ///
    /// The folder must exist. Blocks for a short while: the file is synchronised to the disk.
    public static func stored(at path: String) throws(SigningKeyError) -> SigningKey {
        if let key = try existing(at: path) { return key }
        let unfinished = "\(path).\(getpid()).\(UInt32.random(in: 0 ... .max))"
        let descriptor = open(unfinished, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .cannotCreate(path: path, errno: errno) }
        defer { unlink(unfinished) }
        let pem = Array(generate().privateKeyPEM.utf8)
        let isWritten = write(descriptor, pem, pem.count) == pem.count && fsync(descriptor) == 0
        let number = errno
        close(descriptor)
        guard isWritten else { throw .cannotCreate(path: path, errno: number) }
        // A link is made whole or not at all, and never over another's.
        guard link(unfinished, path) == 0 || errno == EEXIST else {
            throw .cannotCreate(path: path, errno: errno)
        }
        guard let key = try existing(at: path) else { throw .unusable(path: path) }
        return key
    }

    /// Nil: there is no such file.
    private static func existing(at path: String) throws(SigningKeyError) -> SigningKey? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw .cannotRead(path: path, errno: errno)
        }
        defer { close(descriptor) }
        let pem = [UInt8](unsafeUninitializedCapacity: fileBytesMax) { buffer, count in
            count = max(0, read(descriptor, buffer.baseAddress, buffer.count))
        }
        guard let key = reading(pem: pem) else { throw .unusable(path: path) }
        return key
    }
}
