/// The bodies that are being sent on one connection, in reused slots.
///
/// A slot's number travels through nghttp2 as the data source's descriptor and as the stream's
/// user data, so that no chunk costs a dictionary lookup.
struct OutgoingBodies {
    private struct Slot {
        var bytes: [UInt8]
        var sentCount = 0
        var next: StreamingBody?
    }

    private var slots: [Slot] = []
    private var vacant: [Int] = []

    mutating func add(_ bytes: [UInt8]) -> Int {
        add(Slot(bytes: bytes))
    }

    mutating func add(_ body: @escaping StreamingBody) -> Int {
        add(Slot(bytes: [], next: body))
    }

    private mutating func add(_ slot: Slot) -> Int {
        guard let index = vacant.popLast() else {
            slots.append(slot)
            return slots.count - 1
        }
        slots[index] = slot
        return index
    }

    /// Lets go of a body, sent or not, whose stream is closed.
    mutating func remove(_ index: Int) {
        slots[index] = Slot(bytes: [])
        vacant.append(index)
    }

    /// The closure behind a slot, or nil if its body is an array.
    func streamingBody(_ index: Int) -> StreamingBody? { slots[index].next }

    /// Copies the next bytes of an array; true if they were the last.
    mutating func copy(
        _ index: Int, into buffer: UnsafeMutableRawBufferPointer
    ) -> (count: Int, isLast: Bool) {
        let sentCount = slots[index].sentCount
        let bytes = slots[index].bytes
        let count = min(buffer.count, bytes.count - sentCount)
        bytes.withUnsafeBytes {
            buffer.copyMemory(from: .init(rebasing: $0[sentCount...].prefix(count)))
        }
        slots[index].sentCount = sentCount + count
        return (count, sentCount + count == bytes.count)
    }
}
