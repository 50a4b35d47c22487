import CEpoll
import Glibc

/// Whoever is told that a descriptor is ready: a listener, a connection, a database connection.
public protocol Watcher: AnyObject {
    /// Called on the loop; must not block.
    func ready(_ readiness: Readiness, on loop: isolated EventLoop)
}

/// What a descriptor is ready for, or is watched for.
public struct Readiness: OptionSet, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let readable = Readiness(rawValue: 1)
    public static let writable = Readiness(rawValue: 2)
    /// The peer closed or the descriptor failed; reported whether watched for or not.
    public static let hangup = Readiness(rawValue: 4)

    init(epollEvents events: UInt32) {
        var readiness: Readiness = []
        if events & EPOLLIN.rawValue != 0 { readiness.insert(.readable) }
        if events & EPOLLOUT.rawValue != 0 { readiness.insert(.writable) }
        if events & (EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0 { readiness.insert(.hangup) }
        self = readiness
    }

    var epollEvents: UInt32 {
        var events: UInt32 = 0
        if contains(.readable) { events |= EPOLLIN.rawValue }
        if contains(.writable) { events |= EPOLLOUT.rawValue }
        return events
    }
}

/// A failed system call.
public struct SystemError: Error, Equatable, CustomStringConvertible {
    public let call: String
    /// The C `errno`.
    public let number: Int32

    public init(call: String, number: Int32) {
        self.call = call
        self.number = number
    }

    public var description: String { "\(call): \(String(cString: strerror(number)))" }

    /// Returns `result`, or throws what `errno` says when it is negative.
    @discardableResult
    public static func check(_ call: String, _ result: Int32) throws(SystemError) -> Int32 {
        guard result >= 0 else { throw SystemError(call: call, number: errno) }
        return result
    }
}
