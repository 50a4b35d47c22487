/// The first bytes that a peer sent, which tell what it speaks if it does not speak TLS.
///
/// OpenSSL itself knows only some methods of HTTP, and not the preface of HTTP/2.
struct Opening {
    private var bytes: [UInt8] = []

    private static let byteCountMax = 5

    private static let plaintextHTTP = [
        "GET ", "HEAD ", "POST ", "PUT ", "PATCH", "DELET", "OPTIO", "CONNE", "TRACE",
        "PRI *",  // HTTP/2 with prior knowledge (RFC 9113 §3.4)
        "HTTP/",  // a server that got our ClientHello
    ]

    /// Keeps what `received` has of the first bytes.
    mutating func note(_ received: UnsafeRawBufferPointer) {
        bytes.append(contentsOf: received.prefix(Self.byteCountMax - bytes.count))
    }

    /// Whether the peer spoke unencrypted HTTP. No TLS record starts like that.
    var isPlaintextHTTP: Bool {
        Self.plaintextHTTP.contains { bytes.starts(with: $0.utf8) }
    }
}
