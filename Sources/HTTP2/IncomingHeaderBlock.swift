/// The header block that is being received; a connection has at most one at a time.
///
/// Over the limits it forgets all but the pseudo-header fields and keeps nothing more, but the
/// library goes on decoding: otherwise the HPACK tables of both sides would part.
struct IncomingHeaderBlock {
    private var fields: [HeaderField] = []
    private var byteCount = 0
    private var isTooLarge = false

    private let bytesMax: Int
    private let fieldsMax: Int

    /// Enough for the usual head, so that the array does not grow.
    private static let fieldsUsual = 12
    /// RFC 9113 section 6.5.2.
    private static let overheadBytesPerField = 32

    init(limits: HTTP2Limits) {
        bytesMax = Int(limits.headerBytesMax)
        fieldsMax = limits.headerFieldsMax
    }

    mutating func begin() {
        fields = []
        byteCount = 0
        isTooLarge = false
    }

    mutating func append(name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>) {
        guard !isTooLarge else { return }
        byteCount += name.count + value.count + Self.overheadBytesPerField
        guard byteCount <= bytesMax, fields.count < fieldsMax else {
            isTooLarge = true
            fields.removeAll { !$0.name.hasPrefix(":") }
            return
        }
        if fields.isEmpty { fields.reserveCapacity(Self.fieldsUsual) }
        // Nearly all names have at most 15 bytes, which a String holds without an allocation.
        fields.append(
            (String(decoding: name, as: UTF8.self), String(decoding: value, as: UTF8.self)))
    }

    /// Hands the fields over and is empty afterwards.
    mutating func take() -> (fields: [HeaderField], isTooLarge: Bool) {
        let taken = fields
        fields = []
        return (taken, isTooLarge)
    }
}
