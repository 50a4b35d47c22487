import COpenSSL

/// The two ends of a stream's ciphertext, to which OpenSSL's input and output calls lead.
///
/// OpenSSL's own memory BIO keeps buffers as large as the largest chunk that ever passed them, on
/// both sides of every idle connection. This one reads from the caller's bytes where they are and
/// collects the output in an array that leaves with the caller.
///
/// It is owned by its `TLSStream`, whose `SSL` owns the BIO and is freed first.
final class Wire {
    /// The bytes from the peer that OpenSSL has not read yet; the caller's memory, so it must be
    /// empty outside the call that lends it.
    var incoming = UnsafeRawBufferPointer(start: nil, count: 0)
    /// The bytes for the peer.
    private(set) var outgoing: [UInt8] = []

    /// The kind of BIO that leads to a wire, nil if OpenSSL had no memory for it.
    ///
    /// Unsafe only for being a raw pointer: made once, altered by no one, kept for good.
    nonisolated(unsafe) private static let method: OpaquePointer? = {
        let kind = BIO_get_new_index() | BIO_TYPE_SOURCE_SINK
        guard let method = BIO_meth_new(kind, "TLS wire") else { return nil }
        BIO_meth_set_read_ex(method, readFromWire)
        BIO_meth_set_write_ex(method, writeToWire)
        BIO_meth_set_ctrl(method, controlWire)
        return method
    }()

    /// Makes the BIO for this wire, which the caller then owns; nil for lack of memory.
    func makeBIO() -> OpaquePointer? {
        guard let method = Self.method, let bio = BIO_new(method) else { return nil }
        BIO_set_data(bio, Unmanaged.passUnretained(self).toOpaque())
        return bio
    }

    /// Moves as many incoming bytes into `target` as there are and fit, and returns how many.
    fileprivate func read(into target: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(target.count, incoming.count)
        target.copyMemory(from: UnsafeRawBufferPointer(rebasing: incoming.prefix(count)))
        incoming = UnsafeRawBufferPointer(rebasing: incoming.dropFirst(count))
        return count
    }

    fileprivate func write(_ bytes: UnsafeRawBufferPointer) {
        outgoing.append(contentsOf: bytes)
    }

    /// Makes room for the records that carry `byteCount` bytes of plaintext.
    func reserve(forPlaintext byteCount: Int) {
        // Reserving again and again would allocate to measure each time; an append doubles.
        guard outgoing.isEmpty else { return }
        let recordCount = byteCount / Record.plaintextBytesMax + 1
        outgoing.reserveCapacity(byteCount + recordCount * Record.overheadBytesMax)
    }

    /// Moves the outgoing bytes to the end of `buffer` and keeps no memory for them.
    func takeOutgoing(into buffer: inout [UInt8]) {
        if buffer.isEmpty {
            buffer = outgoing
        } else {
            buffer.append(contentsOf: outgoing)
        }
        outgoing = []
    }
}

/// The sizes of a TLS record.
enum Record {
    /// The most plaintext in one record (RFC 8446 §5.1).
    static let plaintextBytesMax = 1 << 14
    /// Header, explicit nonce and tag of the ciphers that we allow, rounded up.
    static let overheadBytesMax = 32
}

private func wire(of bio: OpaquePointer?) -> Wire? {
    BIO_get_data(bio).map { Unmanaged<Wire>.fromOpaque($0).takeUnretainedValue() }
}

private func readFromWire(
    _ bio: OpaquePointer?, _ target: UnsafeMutablePointer<CChar>?, _ room: Int,
    _ count: UnsafeMutablePointer<Int>?
) -> Int32 {
    guard let wire = wire(of: bio), let count else { return 0 }
    BIO_clear_retry(bio)
    count.pointee = wire.read(into: UnsafeMutableRawBufferPointer(start: target, count: room))
    guard count.pointee == 0 else { return 1 }
    // Nothing now is not the end: that, the caller learns from its socket.
    BIO_ask_to_retry_read(bio)
    return 0
}

private func writeToWire(
    _ bio: OpaquePointer?, _ bytes: UnsafePointer<CChar>?, _ byteCount: Int,
    _ count: UnsafeMutablePointer<Int>?
) -> Int32 {
    guard let wire = wire(of: bio), let count else { return 0 }
    BIO_clear_retry(bio)
    wire.write(UnsafeRawBufferPointer(start: bytes, count: byteCount))
    count.pointee = byteCount
    return 1
}

/// Answers OpenSSL's questions to the BIO: a flush succeeds, and nothing else is supported.
private func controlWire(
    _: OpaquePointer?, _ command: Int32, _: Int, _: UnsafeMutableRawPointer?
) -> Int {
    command == BIO_CTRL_FLUSH ? 1 : 0
}
