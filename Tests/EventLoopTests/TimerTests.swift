import EventLoop
import Testing

@Suite struct `Timers of a loop` {
    @Test func `fire in the order of their deadlines, equal ones in the order made`() async throws {
        let fired = try await onLoop { loop in
            var fired: [Int] = []
            await loop.signals(4) { signal in
                for (delay, name) in [(6, 3), (2, 1), (6, 4), (4, 2)] {
                    loop.schedule(after: .milliseconds(delay)) {
                        fired.append(name)
                        signal()
                    }
                }
            }
            return fired
        }

        #expect(fired == [1, 2, 3, 4])
    }

    @Test func `do not fire after they were cancelled, not even in the turn when both are due`()
        async throws
    {
        let fired = try await onLoop { loop in
            var fired: [String] = []
            var victim: TimerID?
            await loop.signals { signal in
                let early = loop.schedule(after: .milliseconds(1)) { fired.append("early") }
                loop.schedule(after: .zero) {
                    fired.append("first")
                    if let victim { loop.cancel(victim) }
                }
                victim = loop.schedule(after: .zero) { fired.append("victim") }
                loop.schedule(after: .milliseconds(4)) { signal() }
                loop.cancel(early)
            }
            return fired
        }

        #expect(fired == ["first"])
    }

    @Test func `a timer made by a timer fires, and an earlier one is not kept waiting by a later`()
        async throws
    {
        let fired = try await onLoop { loop in
            var fired: [String] = []
            await loop.signals { signal in
                loop.schedule(after: .seconds(3_600)) { fired.append("in an hour") }
                loop.schedule(after: .milliseconds(1)) {
                    fired.append("outer")
                    loop.schedule(after: .milliseconds(1)) {
                        fired.append("inner")
                        signal()
                    }
                }
            }
            return fired
        }

        #expect(fired == ["outer", "inner"])
    }

    @Test func `never fire before their time`() async throws {
        let (delay, elapsed) = try await onLoop { loop in
            let delay = Duration.milliseconds(7)
            let start = ContinuousClock.now
            await loop.sleep(for: delay)
            loop.preconditionIsolated()
            return (delay, ContinuousClock.now - start)
        }

        #expect(elapsed >= delay)
    }

    @Test func `a thousand sleepers all wake`() async throws {
        let woken = try await onLoop { loop in
            var woken = 0
            await loop.signals(1_000) { signal in
                for index in 0..<1_000 {
                    Task {
                        await loop.sleep(for: .microseconds(index % 50 * 100))
                        loop.preconditionIsolated()
                        woken += 1
                        signal()
                    }
                }
            }
            return woken
        }

        #expect(woken == 1_000)
    }
}
