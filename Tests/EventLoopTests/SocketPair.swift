import EventLoop
import Glibc

/// Two connected non-blocking sockets; the owner closes them.
struct SocketPair {
    let near: Int32
    let far: Int32

    init() throws(SystemError) {
        var descriptors: [Int32] = [-1, -1]
        try SystemError.check(
            "socketpair",
            socketpair(
                AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0, &descriptors))
        (near, far) = (descriptors[0], descriptors[1])
    }

    func sendByte() {
        var byte: UInt8 = 1
        _ = write(far, &byte, 1)
    }

    func closeBoth() {
        close(near)
        close(far)
    }
}

/// Tells `handler` of each readiness of what it watches.
final class Probe: Watcher {
    private let handler: (Readiness) -> Void

    init(_ handler: @escaping (Readiness) -> Void) { self.handler = handler }

    func ready(_ readiness: Readiness, on loop: isolated EventLoop) { handler(readiness) }
}

/// Takes what waits at a descriptor, so that it is not ready any more.
func drain(_ descriptor: Int32) {
    var buffer = [UInt8](repeating: 0, count: 256)
    while read(descriptor, &buffer, buffer.count) > 0 {}
}
