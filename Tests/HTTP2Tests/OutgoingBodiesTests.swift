import Testing

@testable import HTTP2

@Suite struct `Outgoing bodies` {
    @Test func `the slot of a removed body is used again`() {
        var bodies = OutgoingBodies()
        let first = bodies.add([1])
        let second = bodies.add([2])

        bodies.remove(first)
        let third = bodies.add([3])

        #expect(third == first)
        #expect(second != first)
    }

    @Test func `a body is copied piece by piece`() {
        var bodies = OutgoingBodies()
        let slot = bodies.add([1, 2, 3])
        var pieces: [[UInt8]] = []
        var buffer: [UInt8] = [0, 0]

        for _ in 0..<2 {
            let (count, isLast) = buffer.withUnsafeMutableBytes { bodies.copy(slot, into: $0) }
            pieces.append(Array(buffer.prefix(count)))
            #expect(isLast == (pieces.count == 2))
        }

        #expect(pieces == [[1, 2], [3]])
    }
}
