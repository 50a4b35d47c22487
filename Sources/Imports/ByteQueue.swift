/// Bytes one after the other, from pieces that are asked for as they are needed.
struct ByteQueue {
    private let read: () -> [UInt8]?
    private var piece: [UInt8] = []
    private var place = 0
    private var isAtEnd = false

    /// - Parameter read: the next piece, never empty; nil at the end.
    init(_ read: @escaping () -> [UInt8]?) { self.read = read }

    /// The byte so many after the next, 0 to 2; nil beyond the end.
    mutating func peek(_ distance: Int = 0) -> UInt8? {
        while place + distance >= piece.count {
            guard !isAtEnd, let next = read() else {
                isAtEnd = true
                return nil
            }
            piece = piece[place...] + next
            place = 0
        }
        return piece[place + distance]
    }

    mutating func pop() -> UInt8? {
        guard let byte = peek() else { return nil }
        place += 1
        return byte
    }

    /// Gives up what is left, but reads it: whoever counts or digests the pieces sees them all.
    mutating func clear() {
        piece = []
        place = 0
        while !isAtEnd { if read() == nil { isAtEnd = true } }
    }

    /// Passes over the three bytes by which some programs mark UTF-8.
    mutating func dropByteOrderMark() {
        guard peek() == 0xEF, peek(1) == 0xBB, peek(2) == 0xBF else { return }
        place += 3
    }
}
