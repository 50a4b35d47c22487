/// Judges the bytes of a body that are not body: chunk lines, extensions, trailers.
///
/// llhttp reads them; this bounds them and insists on CRLF, because llhttp 8.1 lets a bare LF end
/// the trailers even in its strict mode.
struct ChunkFraming {
    private let limits: HTTP1Limits
    private var unpaidBytes = 0
    private var endsInCarriageReturn = false
    private var hasBareLineEnd = false

    /// What each byte of body pays for; one-byte chunks cost five or six.
    private static let framingBytesPerBodyByte = 8

    init(limits: HTTP1Limits) {
        self.limits = limits
    }

    /// Takes the next bytes of framing; refuses them only for their number.
    mutating func note(_ bytes: UnsafeRawBufferPointer) throws(HTTP1Error) {
        unpaidBytes += bytes.count
        guard unpaidBytes <= limits.chunkFramingBytesMax else {
            throw .chunkFramingTooLarge(maximum: limits.chunkFramingBytesMax)
        }
        for byte in bytes {
            if endsInCarriageReturn != (byte == .lineFeed) { hasBareLineEnd = true }
            endsInCarriageReturn = byte == .carriageReturn
        }
    }

    /// Ends a run of framing bytes. Only here are its line ends judged: earlier, it would depend
    /// on how the bytes were cut whether llhttp or this found the first fault.
    func endRun() throws(HTTP1Error) {
        guard !hasBareLineEnd, !endsInCarriageReturn else { throw .malformedChunkFraming }
    }

    mutating func pay(forBodyBytes count: Int) {
        unpaidBytes = max(0, unpaidBytes - Self.framingBytesPerBodyByte * count)
    }
}
