import COpenSSL

/// The application protocols that one side speaks, the preferred first, in ALPN's wire form:
/// each name after a byte with its length (RFC 7301 §3.1).
///
/// OpenSSL is handed pointers into the list, so the list owns memory that does not move.
final class ProtocolList {
    let wireForm: UnsafeBufferPointer<UInt8>

    /// `names` are of 1 to 255 bytes each.
    init(_ names: [String]) {
        var bytes: [UInt8] = []
        for name in names {
            precondition((1...255).contains(name.utf8.count), "a protocol's name has 1–255 bytes")
            bytes.append(UInt8(name.utf8.count))
            bytes.append(contentsOf: name.utf8)
        }
        let storage = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: bytes.count)
        _ = storage.initialize(from: bytes)
        wireForm = UnsafeBufferPointer(storage)
    }

    deinit { wireForm.deallocate() }

    /// The first protocol of this list that the peer offers, nil if there is none.
    ///
    /// The result lives as long as the list and the offer do.
    func firstMatch(in offer: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8>? {
        var name: UnsafeMutablePointer<UInt8>?
        var length: UInt8 = 0
        let outcome = SSL_select_next_proto(
            &name, &length, wireForm.baseAddress, UInt32(wireForm.count),
            offer.baseAddress, UInt32(offer.count))
        guard outcome == OPENSSL_NPN_NEGOTIATED else { return nil }
        return UnsafeBufferPointer(start: name, count: Int(length))
    }
}
