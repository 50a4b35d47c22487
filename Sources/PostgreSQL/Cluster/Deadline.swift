import Glibc

/// A point in time until which something is asked for again and again.
struct Deadline {
    private let end: ContinuousClock.Instant

    init(after duration: Duration) { end = .now + duration }

    /// Waits 5 ms; false once the time is up.
    func pause() -> Bool {
        usleep(5_000)
        return ContinuousClock.now < end
    }
}
