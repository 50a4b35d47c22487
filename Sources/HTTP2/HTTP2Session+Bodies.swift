import CNGHTTP2

/// The bodies that go out, whichever the role.
extension HTTP2Session {
    /// The slot of the body that a stream sends; its user data is the slot's number plus one.
    func bodySlot(of stream: Int32) -> Int? {
        nghttp2_session_get_stream_user_data(library, stream).map { Int(bitPattern: $0) - 1 }
    }

    static func userData(slot: Int) -> UnsafeMutableRawPointer? {
        UnsafeMutableRawPointer(bitPattern: slot + 1)
    }

    /// Fills the payload of one DATA frame; answers as nghttp2's data source callback.
    func readBody(
        slot: Int, into buffer: UnsafeMutableRawBufferPointer, flags: inout UInt32
    ) -> Int {
        let read: StreamingRead
        if let next = bodies.streamingBody(slot) {
            read = next(buffer)
        } else {
            let (count, isLast) = bodies.copy(slot, into: buffer)
            read = isLast ? .finished(bytes: count) : .bytes(count)
        }
        switch read {
        case .bytes(let count):
            precondition((1...buffer.count).contains(count), "a body wrote past its buffer")
            bodyRead(count, room: buffer.count)
            return count
        case .finished(let count):
            precondition((0...buffer.count).contains(count), "a body wrote past its buffer")
            bodyRead(count, room: buffer.count)
            flags |= NGHTTP2_DATA_FLAG_EOF.rawValue
            return count
        case .waiting:
            return Int(NGHTTP2_ERR_DEFERRED.rawValue)
        case .failed:
            return Int(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue)
        }
    }
}
