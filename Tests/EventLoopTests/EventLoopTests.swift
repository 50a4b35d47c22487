import EventLoop
import Testing
final class Conn {
    var n = 0
    let loop: EventLoop
    init(loop: EventLoop) { self.loop = loop }
    func handle() async -> Int { await Task.yield(); n += 1; return n }
    func start(on loop: isolated EventLoop) {
        Task { _ = loop
            let r = await self.handle()
            self.done(r, on: loop)
        }
    }
    func done(_ x: Int, on loop: isolated EventLoop) { n += x }
}
@Suite struct `Event loop` {
    @Test func `runs`() async throws {
        let loop = try EventLoop(name: "t")
        await loop.run { loop in
            let c = Conn(loop: loop)
            c.start(on: loop)
        }
        await loop.sleep(for: .milliseconds(5))
        await loop.stop()
    }
}
