/// The first message of a client without extensions, as TLS up to 1.2 allows (RFC 5246 §7.4.1.2).
struct ClientHello {
    let version: UInt16
    let cipherSuites: [UInt16]

    /// The message in a record of its own.
    var record: [UInt8] {
        let suites = cipherSuites.flatMap(Self.bytes)
        let body =
            Self.bytes(version) + [UInt8](repeating: 7, count: 32)  // the client's random
            + [0]  // no session
            + Self.bytes(UInt16(suites.count)) + suites
            + [1, 0]  // no compression
        let message = [1, 0] + Self.bytes(UInt16(body.count)) + body
        return [22] + Self.bytes(0x0301) + Self.bytes(UInt16(message.count)) + message
    }

    private static func bytes(_ number: UInt16) -> [UInt8] {
        [UInt8(number >> 8), UInt8(number & 0xff)]
    }
}
