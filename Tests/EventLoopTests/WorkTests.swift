import Dispatch
import EventLoop
import Synchronization
import Testing

/// What a test's jobs write down; belongs to the loop.
private final class Record {
    var numbers: [Int] = []
}

@Suite struct `Work on a loop` {
    @Test func `tasks spawned from one thread begin in order, on the loop`() async throws {
        let loop = try EventLoop(name: "test")
        let record = await loop.run { loop in LoopBound(Record(), to: loop) }

        // Often enough that two threads of a pool would overtake each other.
        for number in 0..<20_000 {
            loop.spawn { loop in
                loop.preconditionIsolated()
                await record.run { record, _ in record.numbers.append(number) }
            }
        }
        let numbers = await record.settled(at: 20_000)
        await loop.stop()

        #expect(numbers == Array(0..<20_000))
    }

    @Test func `what is performed from one thread runs in order`() async throws {
        let loop = try EventLoop(name: "test")
        let record = await loop.run { loop in LoopBound(Record(), to: loop) }

        for number in 0..<20_000 {
            record.perform { record, loop in
                loop.preconditionIsolated()
                record.numbers.append(number)
            }
        }
        let numbers = await record.run { record, _ in record.numbers }
        await loop.stop()

        // The reading went the same way, so everything was there when it came.
        #expect(numbers == Array(0..<20_000))
    }

    @Test func `what is performed from another loop runs in order`() async throws {
        let (here, there) = (try EventLoop(name: "here"), try EventLoop(name: "there"))
        let record = await there.run { loop in LoopBound(Record(), to: loop) }

        await here.run { _ in
            for number in 0..<5_000 {
                record.perform { record, _ in record.numbers.append(number) }
            }
        }
        let numbers = await record.run { record, _ in record.numbers }
        await here.stop()
        await there.stop()

        #expect(numbers == Array(0..<5_000))
    }

    @Test func `no job is lost when several threads spawn at once`() async throws {
        let loop = try EventLoop(name: "test")
        let record = await loop.run { loop in LoopBound(Record(), to: loop) }

        DispatchQueue.concurrentPerform(iterations: 8) { thread in
            for number in 0..<2_000 {
                loop.spawn { loop in
                    await record.run { record, _ in record.numbers.append(thread * 2_000 + number) }
                }
            }
        }
        let numbers = await record.settled(at: 16_000)
        await loop.stop()

        #expect(Set(numbers) == Set(0..<16_000))
        for thread in 0..<8 {
            let own = numbers.filter { $0 / 2_000 == thread }
            #expect(own == own.sorted())
        }
    }

    @Test func `a task comes back to its loop after each suspension`() async throws {
        let (here, there) = (try EventLoop(name: "here"), try EventLoop(name: "there"))

        await here.run(times: 500) { here in
            await there.run { there in there.preconditionIsolated() }
            here.preconditionIsolated()
            await Task.yield()
            here.preconditionIsolated()
        }
        await here.stop()
        await there.stop()
    }

    @Test func `a job that a watcher starts runs before the next event is fetched`() async throws {
        let order = try await onLoop { loop in
            let (one, other) = (try SocketPair(), try SocketPair())
            defer {
                one.closeBoth()
                other.closeBoth()
            }
            var order: [String] = []
            await loop.signals { signal in
                let second = Probe { _ in
                    order.append("event")
                    loop.unwatch(other.near)
                    signal()
                }
                let first = Probe { _ in
                    loop.unwatch(one.near)
                    other.sendByte()
                    Task {
                        _ = loop
                        order.append("job")
                    }
                }
                do {
                    try loop.watch(other.near, for: .readable, by: second)
                    try loop.watch(one.near, for: .readable, by: first)
                } catch {
                    Issue.record(error)
                }
                one.sendByte()
            }
            return order
        }

        #expect(order == ["job", "event"])
    }

    @Test func `a value bound to a loop is reached on it, and errors come back`() async throws {
        struct Refused: Error, Equatable {}
        let loop = try EventLoop(name: "test")
        let record = await loop.run { loop in LoopBound(Record(), to: loop) }

        let count = await record.run { record, loop in
            loop.preconditionIsolated()
            record.numbers.append(1)
            await loop.sleep(for: .microseconds(100))
            loop.preconditionIsolated()
            return record.numbers.count
        }
        await #expect(throws: Refused.self) {
            try await record.run { (_, _) throws(Refused) in throw Refused() }
        }
        await loop.stop()

        #expect(count == 1)
    }
}

extension EventLoop {
    fileprivate func run(times: Int, _ body: @Sendable (isolated EventLoop) async -> Void) async {
        for _ in 0..<times { await body(self) }
    }
}

extension LoopBound<Record> {
    /// The numbers once there are `count`; only jobs that are on their way are waited for.
    fileprivate func settled(at count: Int) async -> [Int] {
        while true {
            let numbers = await run { record, _ in record.numbers }
            if numbers.count >= count { return numbers }
            await Task.yield()
        }
    }
}
