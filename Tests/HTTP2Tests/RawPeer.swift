import HTTP2

/// Frames built by hand, for what no session of ours would send.
enum Raw {
    static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
    static let settings = frame(type: 4)
    static let settingsAcknowledgement = frame(type: 4, flags: 1)
    static let endStream: UInt8 = 1
    static let endHeaders: UInt8 = 4

    /// RFC 9113 section 4.1.
    static func frame(
        type: UInt8, flags: UInt8 = 0, stream: UInt32 = 0, payload: [UInt8] = []
    ) -> [UInt8] {
        let length = UInt32(payload.count)
        return bigEndian(length).dropFirst() + [type, flags] + bigEndian(stream) + payload
    }

    static func headers(
        _ fields: [HeaderField], stream: UInt32, flags: UInt8 = endStream | endHeaders
    ) -> [UInt8] {
        frame(type: 1, flags: flags, stream: stream, payload: fields.flatMap(literal))
    }

    static func data(_ bytes: [UInt8], stream: UInt32, flags: UInt8 = 0) -> [UInt8] {
        frame(type: 0, flags: flags, stream: stream, payload: bytes)
    }

    static func reset(_ stream: UInt32, code: HTTP2ErrorCode) -> [UInt8] {
        frame(type: 3, stream: stream, payload: bigEndian(code.rawValue))
    }

    static let ping = frame(type: 6, payload: [1, 2, 3, 4, 5, 6, 7, 8])

    /// A literal field that is not indexed and not Huffman-coded (RFC 7541 section 6.2.2), so that
    /// each block stands alone.
    private static func literal(_ field: HeaderField) -> [UInt8] {
        [0] + string(Array(field.name.utf8)) + string(Array(field.value.utf8))
    }

    static func string(_ bytes: [UInt8]) -> [UInt8] {
        // An integer with a prefix of 7 bits (RFC 7541 section 5.1).
        guard bytes.count >= 127 else { return [UInt8(bytes.count)] + bytes }
        var prefix: [UInt8] = [127]
        var rest = bytes.count - 127
        while rest >= 128 {
            prefix.append(UInt8(rest % 128 + 128))
            rest /= 128
        }
        return prefix + [UInt8(rest)] + bytes
    }

    private static func bigEndian(_ number: UInt32) -> [UInt8] {
        withUnsafeBytes(of: number.bigEndian) { Array($0) }
    }

    struct Frame: Equatable {
        let type: UInt8
        let flags: UInt8
        let payload: [UInt8]

        /// The error code of a RST_STREAM or GOAWAY.
        var errorCode: HTTP2ErrorCode? {
            switch type {
            case 3: code(at: 0)
            case 7: code(at: 4)
            default: nil
            }
        }

        private func code(at offset: Int) -> HTTP2ErrorCode? {
            guard payload.count >= offset + 4 else { return nil }
            return HTTP2ErrorCode(
                rawValue: payload[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) })
        }
    }

    /// The frames in a session's output.
    static func frames(in bytes: [UInt8]) -> [Frame] {
        var rest = bytes[...]
        var frames: [Frame] = []
        while rest.count >= 9 {
            let head = Array(rest.prefix(9))
            let length = head[..<3].reduce(0) { $0 << 8 | Int($1) }
            rest = rest.dropFirst(9)
            frames.append(
                Frame(type: head[3], flags: head[4], payload: Array(rest.prefix(length))))
            rest = rest.dropFirst(length)
        }
        return frames
    }

    /// A server that has taken a client's preface and SETTINGS, and had its own acknowledged.
    static func connectedServer(_ limits: HTTP2Limits = HTTP2Limits()) throws -> HTTP2Session {
        let server = try HTTP2Session(.server, limits: limits)
        server.receive(preface + settings + settingsAcknowledgement)
        _ = server.takeAllOutput()
        _ = server.takeControlFrameCount()
        return server
    }
}
