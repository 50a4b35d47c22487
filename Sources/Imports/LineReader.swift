/// Takes a text apart into its lines, without their ends; blank ones are passed over.
struct LineReader {
    enum Line: Equatable {
        case line(Int, [UInt8])
        case tooLong(Int)
    }

    /// Bytes of one line at most.
    static let lineBytesMax = 64 * 1024

    private var bytes: ByteQueue
    private var number = 0
    private var isAtStart = true

    init(_ bytes: ByteQueue) { self.bytes = bytes }

    /// The next line with its number, counted from 1; nil at the end.
    mutating func next() -> Line? {
        if isAtStart {
            isAtStart = false
            bytes.dropByteOrderMark()
        }
        while bytes.peek() != nil {
            number += 1
            var line: [UInt8] = []
            var isTooLong = false
            while let byte = bytes.pop(), byte != UInt8(ascii: "\n") {
                if line.count < Self.lineBytesMax { line.append(byte) } else { isTooLong = true }
            }
            if isTooLong { return .tooLong(number) }
            if line.contains(where: { !Self.blanks.contains($0) }) { return .line(number, line) }
        }
        return nil
    }

    private static let blanks: Set<UInt8> = [0x20, 0x09, 0x0D]
}
