import EventLoop

/// Wakes one waiting task of its loop, which else goes on when its time is up.
final class Bell {
    private var waiting: CheckedContinuation<Void, Never>?

    /// Returns when the bell is rung, or after `time`.
    func wait(atMost time: Duration? = nil, on loop: isolated EventLoop) async {
        precondition(waiting == nil, "a bell is for one task")
        let timer = time.map { loop.schedule(after: $0) { self.ring() } }
        await withCheckedContinuation { waiting = $0 }
        if let timer { loop.cancel(timer) }
    }

    /// Does nothing when nobody waits.
    func ring() {
        waiting?.resume()
        waiting = nil
    }
}
