import EventLoop
import Glibc

/// Opens a client's socket.
enum ClientSocket {
    /// Connects to the first of the addresses that answers.
    ///
    /// - Returns: a non-blocking descriptor, which the caller owns.
    static func open(
        to addresses: [SocketAddress], until deadline: ContinuousClock.Instant,
        on loop: isolated EventLoop
    ) async throws(ClientError) -> Int32 {
        var failure = ClientError.timedOut
        for address in addresses {
            do throws(ClientError) {
                return try await open(to: address, until: deadline, on: loop)
            } catch {
                failure = error
            }
        }
        throw failure
    }

    private static func open(
        to address: SocketAddress, until deadline: ContinuousClock.Instant,
        on loop: isolated EventLoop
    ) async throws(ClientError) -> Int32 {
        let type = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = socket(address.family, type, 0)
        guard descriptor >= 0 else { throw .cannotConnect(text(of: errno)) }
        do throws(ClientError) {
            try await connect(descriptor, to: address, until: deadline, on: loop)
            return descriptor
        } catch {
            close(descriptor)
            throw error
        }
    }

    private static func connect(
        _ descriptor: Int32, to address: SocketAddress, until deadline: ContinuousClock.Instant,
        on loop: isolated EventLoop
    ) async throws(ClientError) {
        if address.connect(descriptor) != 0 {
            guard errno == EINPROGRESS else { throw .cannotConnect(text(of: errno)) }
            let attempt = ConnectionAttempt(descriptor)
            guard try await attempt.isDecided(by: deadline, on: loop) else { throw .timedOut }
            let failure = pendingError(of: descriptor)
            guard failure == 0 else { throw .cannotConnect(text(of: failure)) }
        }
        // Where nobody listens on an ephemeral port, TCP may connect a socket to itself.
        guard !isConnectedToItself(descriptor) else { throw .cannotConnect(text(of: ECONNREFUSED)) }
    }

    private static func pendingError(of descriptor: Int32) -> Int32 {
        var number: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        let result = getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &number, &length)
        return result == 0 ? number : errno
    }

    private static func isConnectedToItself(_ descriptor: Int32) -> Bool {
        let own = name(of: descriptor, by: getsockname)
        return own != nil && own == name(of: descriptor, by: getpeername)
    }

    private static func name(
        of descriptor: Int32,
        by call: (Int32, UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
    ) -> [UInt8]? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutablePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { call(descriptor, $0, &length) }
        }
        guard result == 0 else { return nil }
        return withUnsafeBytes(of: storage) { Array($0.prefix(Int(length))) }
    }

    static func text(of number: Int32) -> String { String(cString: strerror(number)) }
}

/// A `connect` that is under way.
private final class ConnectionAttempt: Watcher {
    private let descriptor: Int32
    private var continuation: CheckedContinuation<Bool, Never>?

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    /// Waits until the attempt has succeeded or failed; false when it did neither in time.
    func isDecided(
        by deadline: ContinuousClock.Instant, on loop: isolated EventLoop
    ) async throws(ClientError) -> Bool {
        do throws(SystemError) {
            try loop.watch(descriptor, for: .writable, by: self)
        } catch {
            throw .cannotConnect(error.description)
        }
        let timer = loop.schedule(after: deadline - .now) { self.finish(false) }
        let isDecided = await withCheckedContinuation { continuation = $0 }
        loop.cancel(timer)
        loop.unwatch(descriptor)
        return isDecided
    }

    func ready(_ readiness: Readiness, on loop: isolated EventLoop) { finish(true) }

    private func finish(_ isDecided: Bool) {
        continuation?.resume(returning: isDecided)
        continuation = nil
    }
}
