import EventLoop
import Glibc
import TLS

/// The listening sockets of a process: for each address, one socket per loop on the same port.
public struct ListeningSockets: Sendable {
    public struct Socket: Sendable {
        public let descriptor: Int32
        public let tls: TLSContext?
    }

    /// A place to listen, and whether it speaks TLS.
    public struct Place: Sendable {
        public var address: ListenAddress
        public var tls: TLSContext?
        public init(address: ListenAddress, tls: TLSContext?) {
            self.address = address
            self.tls = tls
        }
    }

    /// The sockets of each loop.
    public let byLoop: [[Socket]]
    /// The places with the ports that they got, in the order given.
    public let places: [Place]

    /// Opens all sockets, or none.
    public init(_ places: [Place], loops: Int) throws(SystemError) {
        var byLoop = Array(repeating: [Socket](), count: loops)
        var bound: [Place] = []
        do throws(SystemError) {
            for place in places {
                var address = place.address
                try Listener.refuseOccupied(address)
                for index in 0..<loops {
                    let (descriptor, port) = try Listener.open(address)
                    // The first socket chooses the port for the others.
                    address = ListenAddress(host: address.host, port: port)
                    byLoop[index].append(Socket(descriptor: descriptor, tls: place.tls))
                }
                bound.append(Place(address: address, tls: place.tls))
            }
        } catch {
            for socket in byLoop.joined() { close(socket.descriptor) }
            throw error
        }
        self.byLoop = byLoop
        self.places = bound
    }
}
