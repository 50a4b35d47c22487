import HTTP1
import Testing

@Suite struct `Cutting the bytes anywhere` {
    static let streams: [Stream] = {
        let get = "GET /a HTTP/1.1\r\nHost: a\r\nX-Empty:\r\nAccept: */*\r\n\r\n"
        let post = "\r\nPOST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello\r\nworl"
        let chunked =
            "PUT /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            + "5\r\nhello\r\n2;a=b\r\n\r\n\r\na;q=\"\t x\"\r\n0123456789\r\n0\r\nX: y\r\n\r\n"
        let upgrade =
            "GET /d HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"
        let chunkedHead =
            "PUT /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
        let last = "GET /e HTTP/1.0\r\n\r\n"
        let good = [get + post + chunked + upgrade + last + get, chunked + chunked + post + get]
        let bad = [
            "\r\n\r\n", "\n", "\rGET", "GET", "GET /\r\n", "\u{16}\u{3}\u{1}\0", "\u{16}\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\n",
            "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\t\r\n\r\n",
            chunkedHead + "3\nabc", chunkedHead + "3\r\nabcd", chunkedHead + "z",
            chunkedHead + "0\r\nX: y\n\r\n", chunkedHead + "0\r\nX: y\nZ\u{1}: a\r\n\r\n",
            chunkedHead + "0\r\n\nGET", chunkedHead + "0\r\nX y: a\r\n\n",
            chunkedHead + "3;a=b;c=d\r\nabc\r\n0\r\n\r\n", chunkedHead + "3;\r\n\nabc",
            chunkedHead + "0\r\n" + String(repeating: "X: y\r\n", count: 40) + "X\n",
            "GET /" + String(repeating: "a", count: 500) + " HTTP/1.1\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: " + String(repeating: "b", count: 600) + "\r\n",
        ]
        return (good + bad + bad.map { get + post + $0 }).map(Stream.init)
    }()

    static var limits: HTTP1Limits {
        var limits = HTTP1Limits()
        limits.headBytesMax = 512
        limits.targetBytesMax = 128
        limits.chunkFramingBytesMax = 100
        return limits
    }

    @Test(arguments: streams)
    func `changes neither events nor error`(_ stream: Stream) {
        let bytes = Array(stream.text.utf8)
        let whole = Transcript(of: [bytes[...]], limits: Self.limits)

        compare(Transcript(of: cut(bytes) { 1 }, limits: Self.limits), to: whole)
        for at in 0...bytes.count {
            compare(
                Transcript(of: [bytes[..<at], bytes[at...]], limits: Self.limits), to: whole)
        }
        for seed in 0..<100 {
            var random = SplitMix(state: UInt64(seed))
            let pieces = cut(bytes) { Int.random(in: 0...24, using: &random) }
            compare(Transcript(of: pieces, limits: Self.limits), to: whole)
        }
    }

    /// An error hides the events of its own call, so a finer cut may show more before it.
    private func compare(_ cut: Transcript, to whole: Transcript) {
        #expect(cut.error == whole.error)
        if whole.error == nil {
            #expect(cut.lines == whole.lines)
        } else {
            #expect(cut.lines.starts(with: whole.lines))
        }
    }

    private func cut(_ bytes: [UInt8], size: () -> Int) -> [ArraySlice<UInt8>] {
        var pieces: [ArraySlice<UInt8>] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = rest.prefix(size())
            pieces.append(piece)
            rest = rest.dropFirst(piece.count)
        }
        return pieces
    }
}

/// What a peer sends, named in one line.
struct Stream: CustomTestStringConvertible {
    let text: String

    var testDescription: String { String(reflecting: text) }
}

/// A generator with a seed, so that a failure can be repeated.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
        return word ^ (word >> 31)
    }
}
