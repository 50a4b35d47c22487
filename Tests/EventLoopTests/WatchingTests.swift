import EventLoop
import Glibc
import Testing

@Suite struct `Watching descriptors` {
    @Test func `a watcher is told what its descriptor is ready for, until it is unwatched`()
        async throws
    {
        let told = try await onLoop { loop in
            let pair = try SocketPair()
            defer { pair.closeBoth() }
            var told: [Readiness] = []

            try await loop.firstReadiness(of: pair.near, for: .writable) { told.append($0) }
            pair.sendByte()
            try await loop.firstReadiness(of: pair.near, for: [.readable]) { told.append($0) }
            // Nobody watches any more: a timer's turn comes, and no watcher's before it.
            await loop.sleep(for: .milliseconds(1))
            return told
        }

        #expect(told == [.writable, .readable])
    }

    @Test func `interest can be dropped and taken again without losing what came between`()
        async throws
    {
        let order = try await onLoop { loop in
            let pair = try SocketPair()
            defer { pair.closeBoth() }
            var order: [String] = []
            await loop.signals { signal in
                let probe = Probe { _ in
                    order.append("ready")
                    drain(pair.near)
                    signal()
                }
                do {
                    try loop.watch(pair.near, for: .readable, by: probe)
                } catch {
                    Issue.record(error)
                    signal()
                }
                loop.setInterest([], of: pair.near)
                pair.sendByte()
                loop.schedule(after: .milliseconds(2)) {
                    order.append("interested")
                    loop.setInterest(.readable, of: pair.near)
                }
            }
            loop.unwatch(pair.near)
            return order
        }

        #expect(order == ["interested", "ready"])
    }

    @Test func `a peer's end is told even to who watches for nothing`() async throws {
        let told = try await onLoop { loop in
            let pair = try SocketPair()
            defer { close(pair.near) }
            close(pair.far)
            var told: Readiness = []
            try await loop.firstReadiness(of: pair.near, for: []) { told = $0 }
            return told
        }

        #expect(told.contains(.hangup))
    }

    @Test func `of two that are ready at once, the first may unwatch the second`() async throws {
        let told = try await onLoop { loop in
            let (one, other) = (try SocketPair(), try SocketPair())
            defer {
                one.closeBoth()
                other.closeBoth()
            }
            one.sendByte()
            other.sendByte()
            var told = 0
            await loop.signals { signal in
                let probe = Probe { _ in
                    told += 1
                    loop.unwatch(one.near)
                    loop.unwatch(other.near)
                }
                do {
                    try loop.watch(one.near, for: .readable, by: probe)
                    try loop.watch(other.near, for: .readable, by: probe)
                } catch {
                    Issue.record(error)
                }
                loop.schedule(after: .milliseconds(2)) { signal() }
            }
            return told
        }

        #expect(told == 1)
    }

    /// The kernel gives the lowest free number to the next descriptor, and an event of the old one
    /// may have been fetched in the same poll.
    @Test func `who inherits a descriptor's number gets none of its events`() async throws {
        let (heirs, stale) = try await onLoop { loop in
            let pairs = [try SocketPair(), try SocketPair()]
            var heirs: [SocketPair] = []
            var stale = 0
            await loop.signals { signal in
                var isDone = false
                for pair in pairs {
                    pair.sendByte()
                    let probe = Probe { _ in
                        // Whichever comes first replaces both by sockets where nothing waits.
                        guard !isDone else { return }
                        isDone = true
                        for pair in pairs {
                            loop.unwatch(pair.near)
                            pair.closeBoth()
                        }
                        do {
                            for _ in pairs {
                                let heir = try SocketPair()
                                heirs.append(heir)
                                let probe = Probe { _ in stale += 1 }
                                try loop.watch(heir.near, for: .readable, by: probe)
                            }
                        } catch {
                            Issue.record(error)
                        }
                        loop.schedule(after: .milliseconds(2)) { signal() }
                    }
                    do {
                        try loop.watch(pair.near, for: .readable, by: probe)
                    } catch {
                        Issue.record(error)
                    }
                }
            }
            for heir in heirs {
                loop.unwatch(heir.near)
                heir.closeBoth()
            }
            return (heirs.map(\.near), stale)
        }

        #expect(heirs.count == 2)
        #expect(stale == 0)
    }

    @Test func `more descriptors than one poll hands over are all served`() async throws {
        let served = try await onLoop { loop in
            var pairs: [SocketPair] = []
            for _ in 0..<300 { pairs.append(try SocketPair()) }
            var served: Set<Int32> = []
            await loop.signals(pairs.count) { signal in
                for pair in pairs {
                    let probe = Probe { _ in
                        served.insert(pair.near)
                        loop.unwatch(pair.near)
                        signal()
                    }
                    do {
                        try loop.watch(pair.near, for: .readable, by: probe)
                    } catch {
                        Issue.record(error)
                    }
                    pair.sendByte()
                }
            }
            for pair in pairs { pair.closeBoth() }
            return served.count
        }

        #expect(served == 300)
    }

    @Test func `a stopped loop watches nothing any more`() async throws {
        let pair = try SocketPair()
        defer { pair.closeBoth() }
        let loop = try EventLoop(name: "stopped")
        await loop.stop()
        await loop.stop()

        await #expect(throws: SystemError(call: "epoll_ctl", number: EBADF)) {
            try await loop.run { (loop) throws(SystemError) in
                try loop.watch(pair.near, for: .readable, by: Probe { _ in })
            }
        }
    }
}

extension EventLoop {
    /// Watches until the first readiness and unwatches.
    fileprivate func firstReadiness(
        of descriptor: Int32, for interest: Readiness, _ handler: @escaping (Readiness) -> Void
    ) async throws(SystemError) {
        var failure: SystemError?
        await signals { signal in
            let probe = Probe { readiness in
                handler(readiness)
                self.unwatch(descriptor)
                signal()
            }
            do throws(SystemError) {
                try watch(descriptor, for: interest, by: probe)
            } catch {
                failure = error
                signal()
            }
        }
        if let failure { throw failure }
    }
}
