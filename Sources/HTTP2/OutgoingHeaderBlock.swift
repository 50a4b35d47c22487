import CNGHTTP2

/// Scratch memory in which a head is laid out for nghttp2, which copies it on submission.
struct OutgoingHeaderBlock {
    private var bytes: [UInt8] = []
    private var entries: [nghttp2_nv] = []

    /// Calls `body` with `:status` and `fields`; the library turns names into lower case.
    mutating func withEntries<Result>(
        status: Int, fields: [HeaderField], _ body: (UnsafePointer<nghttp2_nv>?, Int) -> Result
    ) -> Result {
        precondition((100...999).contains(status), "a status has three digits")
        clear()
        bytes.append(contentsOf: ":status".utf8)
        for digit in [status / 100, status / 10 % 10, status % 10] {
            bytes.append(UInt8(ascii: "0") + UInt8(digit))
        }
        appendEntry(nameCount: 7, valueCount: 3)
        return withEntries(fields, body)
    }

    /// Calls `body` with `fields`, pseudo-header fields first.
    mutating func withEntries<Result>(
        fields: [HeaderField], _ body: (UnsafePointer<nghttp2_nv>?, Int) -> Result
    ) -> Result {
        clear()
        return withEntries(fields, body)
    }

    private mutating func withEntries<Result>(
        _ fields: [HeaderField], _ body: (UnsafePointer<nghttp2_nv>?, Int) -> Result
    ) -> Result {
        for field in fields {
            let start = bytes.count
            bytes.append(contentsOf: field.name.utf8)
            let middle = bytes.count
            bytes.append(contentsOf: field.value.utf8)
            appendEntry(nameCount: middle - start, valueCount: bytes.count - middle)
        }
        return Self.point(&entries, into: &bytes, body)
    }

    private mutating func clear() {
        bytes.removeAll(keepingCapacity: true)
        entries.removeAll(keepingCapacity: true)
    }

    // The pointers follow once all bytes are there, because growing moves them.
    private mutating func appendEntry(nameCount: Int, valueCount: Int) {
        entries.append(
            nghttp2_nv(
                name: nil, value: nil, namelen: nameCount, valuelen: valueCount,
                flags: UInt8(NGHTTP2_NV_FLAG_NONE.rawValue)))
    }

    private static func point<Result>(
        _ entries: inout [nghttp2_nv], into bytes: inout [UInt8],
        _ body: (UnsafePointer<nghttp2_nv>?, Int) -> Result
    ) -> Result {
        bytes.withUnsafeMutableBufferPointer { bytes in
            entries.withUnsafeMutableBufferPointer { entries in
                var next = bytes.baseAddress
                for index in entries.indices {
                    entries[index].name = next
                    entries[index].value = next.map { $0 + entries[index].namelen }
                    next = next.map { $0 + entries[index].namelen + entries[index].valuelen }
                }
                return body(entries.baseAddress, entries.count)
            }
        }
    }
}
