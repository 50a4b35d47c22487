import EventLoop
import Glibc
import HTTP
import TLS

/// The listeners and connections of one loop.
///
/// Non-Sendable: made on its loop, and touched only there. The listening descriptors are opened
/// before (see `ListeningSockets`), so that every loop listens on the same ports.
public final class Server {
    let limits: ServerLimits
    let responder: any Responder
    private let observe: (ServerObservation) -> Void
    private var listeners: [Listener] = []
    private var connections: [ObjectIdentifier: Connection] = [:]
    private var isDraining = false
    /// Of all connections.
    var incomingBytes = 0
    private var whenEmpty: CheckedContinuation<Void, Never>?
    /// One buffer serves all reads of the loop: a connection consumes what it read at once.
    let readBuffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 * 1024, alignment: 16)
    private var date = DateField()
    /// Tells this server's request ids from those of others, and of other loops.
    private let requestPrefix = String(UInt64.random(in: .min ... .max), radix: 36)
    private var requestCount: UInt64 = 0

    public init(
        responder: any Responder, limits: ServerLimits,
        observe: @escaping (ServerObservation) -> Void
    ) {
        self.responder = responder
        self.limits = limits
        self.observe = observe
    }

    deinit { readBuffer.deallocate() }

    /// Starts accepting on sockets that are already listening; the server closes them.
    public func listen(on sockets: [ListeningSockets.Socket], loop: isolated EventLoop)
        throws(SystemError)
    {
        for socket in sockets {
            let listener = Listener(
                descriptor: socket.descriptor, tls: socket.tls, server: self)
            try loop.watch(socket.descriptor, for: .readable, by: listener)
            listeners.append(listener)
        }
        scheduleTick(on: loop)
    }

    func accept(_ socket: Int32, tls context: TLSContext?, on loop: isolated EventLoop) {
        guard connections.count < limits.connectionsMax, !isDraining else {
            observe(.connectionRefused)
            close(socket)
            return
        }
        var tls: TLSStream?
        if let context {
            do {
                tls = try TLSStream(server: context)
            } catch {
                observe(.peerFailed("TLS: \(error)"))
                close(socket)
                return
            }
        }
        let connection = Connection(socket: socket, tls: tls, server: self, loop: loop)
        do {
            try loop.watch(socket, for: .readable, by: connection)
        } catch {
            observe(.peerFailed("\(error)"))
            close(socket)
            return
        }
        connections[ObjectIdentifier(connection)] = connection
        observe(.connectionOpened)
        // Most clients have sent their first bytes by now.
        connection.ready(.readable, on: loop)
    }

    func closed(_ connection: Connection) {
        guard connections.removeValue(forKey: ObjectIdentifier(connection)) != nil else { return }
        observe(.connectionClosed)
        if connections.isEmpty, let whenEmpty {
            self.whenEmpty = nil
            whenEmpty.resume()
        }
    }

    func peerFailed(_ text: String) { observe(.peerFailed(text)) }

    /// A request id that no other request has; a random one each would cost a system call.
    func makeRequestID() -> String {
        requestCount += 1
        return "\(requestPrefix)-\(requestCount)"
    }

    /// The `date` field's value (RFC 9110, section 6.6.1), made once a second.
    func dateValue() -> String { date.value() }

    /// Stops accepting, lets running requests finish, and returns when all connections are
    /// closed, or have been cut off after `time`.
    public func drain(within time: Duration, on loop: isolated EventLoop) async {
        isDraining = true
        for listener in listeners {
            loop.unwatch(listener.descriptor)
            close(listener.descriptor)
        }
        listeners.removeAll()
        for connection in Array(connections.values) { connection.drain(on: loop) }
        guard !connections.isEmpty else { return }
        let deadline = loop.schedule(after: time) { [self] in
            for connection in Array(connections.values) { connection.close(on: loop) }
        }
        await withCheckedContinuation { whenEmpty = $0 }
        loop.cancel(deadline)
    }

    private func scheduleTick(on loop: isolated EventLoop) {
        loop.schedule(after: .seconds(1)) { [weak self] in
            guard let self else { return }
            let now = ContinuousClock.now
            for connection in Array(connections.values) { connection.tick(at: now, on: loop) }
            if !isDraining || !connections.isEmpty { scheduleTick(on: loop) }
        }
    }
}

/// The value of the `date` field, cached for the second that it names.
private struct DateField {
    private var second: time_t = 0
    private var text = ""

    mutating func value() -> String {
        let now = time(nil)
        if now == second { return text }
        second = now
        var parts = tm()
        var seconds = now
        gmtime_r(&seconds, &parts)
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ]
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        text =
            "\(days[Int(parts.tm_wday)]), \(two(parts.tm_mday)) \(months[Int(parts.tm_mon)]) "
            + "\(1900 + parts.tm_year) \(two(parts.tm_hour)):\(two(parts.tm_min)):"
            + "\(two(parts.tm_sec)) GMT"
        return text
    }
}
