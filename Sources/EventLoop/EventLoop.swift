import CEpoll
import Dispatch
import Glibc
import HeapModule

/// One thread of control that waits for descriptors and timers and runs the jobs of its tasks.
///
/// A process has one loop per core. Everything that belongs to a connection (socket, TLS, codec,
/// database connections) is a plain non-Sendable class owned by one loop and is touched only by
/// functions that take `isolated EventLoop` or by tasks started on the loop.
///
/// Mechanism: an actor on a serial Dispatch queue. The descriptors are in an epoll set whose own
/// descriptor is watched by a single Dispatch source, so that a wake-up serves all sockets that
/// are ready and no event costs a thread hop. Jobs started on the loop stay in a local run list.
///
/// The loop lives until `stop()`; it must have been stopped before it is released.
public actor EventLoop {
    public nonisolated let name: String

    nonisolated let executor: LoopExecutor
    public nonisolated var unownedExecutor: UnownedSerialExecutor {
        executor.asUnownedSerialExecutor()
    }

    private let epoll: Int32
    private let timerDescriptor: Int32
    private let source: any DispatchSourceRead
    /// Whether `stop()` was called: who sleeps in a loop of its own must look, for it would not
    /// sleep any more.
    public private(set) var isStopped = false
    private var watches: [Int32: Watch] = [:]
    private var generation: UInt32 = 0
    private var events: [epoll_event]
    private var timers = TimerHeap()
    /// The tasks that sleep; they must be woken even if their timers never fire.
    private var sleepers: [UInt64: CheckedContinuation<Void, Never>] = [:]
    private var lastSleeper: UInt64 = 0
    private var armedDeadline: ContinuousClock.Instant?

    private struct Watch {
        let watcher: any Watcher
        let generation: UInt32
        var interest: Readiness
    }

    /// How many descriptors one poll hands over; more wait for the next round.
    private static let eventsPerPollMax = 256
    /// How many rounds one wake-up runs before Dispatch gets the thread back.
    private static let roundsPerWakeMax = 16

    /// Creates a loop that is already running.
    ///
    /// - Throws: `SystemError` when the process is out of descriptors.
    public init(name: String) throws(SystemError) {
        self.name = name
        executor = LoopExecutor(label: name)
        epoll = try SystemError.check("epoll_create1", epoll_create1(Int32(EPOLL_CLOEXEC)))
        timerDescriptor = try SystemError.check(
            "timerfd_create",
            timerfd_create(CLOCK_MONOTONIC, Int32(TFD_NONBLOCK | TFD_CLOEXEC)))
        events = Array(repeating: epoll_event(), count: Self.eventsPerPollMax)
        var interest = epoll_event(
            events: Readiness.readable.epollEvents,
            data: epoll_data_t(u64: UInt64(UInt32(bitPattern: timerDescriptor))))
        try SystemError.check(
            "epoll_ctl", epoll_ctl(epoll, EPOLL_CTL_ADD, timerDescriptor, &interest))
        source = DispatchSource.makeReadSource(fileDescriptor: epoll, queue: executor.queue)
        Self.activate(source, of: self, epoll: epoll, timer: timerDescriptor)
    }

    // Formed here, outside any isolation: a handler formed in an isolated context would be
    // isolated itself and trap when Dispatch calls it.
    private nonisolated static func activate(
        _ source: any DispatchSourceRead, of loop: EventLoop, epoll: Int32, timer: Int32
    ) {
        let executor = loop.executor
        source.setEventHandler { [weak loop] in
            guard let loop else { return }
            executor.enter {
                var rounds = 0
                while loop.assumeIsolated({ $0.poll() }), rounds < roundsPerWakeMax {
                    executor.runJobs()
                    rounds += 1
                }
            }
        }
        // The kernel may still report on a descriptor until the source is cancelled.
        source.setCancelHandler {
            close(timer)
            close(epoll)
        }
        source.activate()
    }

    /// Stops the loop: no watcher and no timer is called any more, and whoever sleeps wakes. What
    /// comes later to be watched is refused, what comes to be scheduled is dropped.
    public func stop() {
        guard !isStopped else { return }
        watches.removeAll()
        timers = TimerHeap()
        isStopped = true
        source.cancel()
        for sleeper in sleepers.values { sleeper.resume() }
        sleepers.removeAll()
    }

    // MARK: Descriptors

    /// Calls `watcher` whenever `descriptor` is ready in a way named by `interest`, until
    /// `unwatch`.
    ///
    /// Readiness is level-triggered. The caller keeps owning the descriptor and closes it after
    /// `unwatch`. The loop retains the watcher.
    ///
    /// - Throws: `SystemError` when the kernel refuses, and after `stop()`.
    public func watch(_ descriptor: Int32, for interest: Readiness, by watcher: any Watcher)
        throws(SystemError)
    {
        // The number of the loop's own descriptor may name something else by now.
        guard !isStopped else { throw SystemError(call: "epoll_ctl", number: EBADF) }
        generation &+= 1
        let watch = Watch(watcher: watcher, generation: generation, interest: interest)
        var event = Self.event(for: watch, descriptor: descriptor)
        try SystemError.check("epoll_ctl", epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event))
        watches[descriptor] = watch
    }

    /// Changes what a watched descriptor is watched for; does nothing for one not watched.
    public func setInterest(_ interest: Readiness, of descriptor: Int32) {
        guard var watch = watches[descriptor], watch.interest != interest else { return }
        watch.interest = interest
        watches[descriptor] = watch
        var event = Self.event(for: watch, descriptor: descriptor)
        let result = epoll_ctl(epoll, EPOLL_CTL_MOD, descriptor, &event)
        precondition(result == 0, "epoll_ctl of a watched descriptor failed with errno \(errno)")
    }

    /// Forgets a descriptor; events of it that are already fetched are not delivered.
    public func unwatch(_ descriptor: Int32) {
        guard watches.removeValue(forKey: descriptor) != nil else { return }
        epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, nil)
    }

    private static func event(for watch: Watch, descriptor: Int32) -> epoll_event {
        let key = UInt64(watch.generation) << 32 | UInt64(UInt32(bitPattern: descriptor))
        return epoll_event(
            events: watch.interest.epollEvents, data: epoll_data_t(u64: key))
    }

    /// Hands over what is ready now; false when nothing was.
    private func poll() -> Bool {
        guard !isStopped else { return false }
        let count = Int(epoll_wait(epoll, &events, Int32(Self.eventsPerPollMax), 0))
        guard count > 0 else { return false }
        for index in 0..<count {
            let event = events[index]
            let descriptor = Int32(truncatingIfNeeded: event.data.u64)
            if descriptor == timerDescriptor {
                fireTimers()
                continue
            }
            // An earlier watcher of this batch may have closed this descriptor, and its number
            // may already name another one: the generation tells.
            guard let watch = watches[descriptor],
                watch.generation == UInt32(event.data.u64 >> 32)
            else { continue }
            watch.watcher.ready(Readiness(epollEvents: event.events), on: self)
        }
        return true
    }

    // MARK: Timers

    /// Runs `action` on the loop once `delay` has passed, unless it is cancelled before.
    ///
    /// An action formed on the loop may touch what the loop owns.
    @discardableResult
    public func schedule(after delay: Duration, _ action: @escaping () -> Void) -> TimerID {
        let id = timers.insert(at: .now + delay, action)
        armTimer()
        return id
    }

    /// Cancels a timer; does nothing when it has fired or was cancelled.
    public func cancel(_ timer: TimerID) {
        timers.remove(timer)
    }

    /// Suspends the calling task for `delay`, or until the loop is stopped.
    public func sleep(for delay: Duration) async {
        guard !isStopped else { return }
        await withCheckedContinuation { continuation in
            lastSleeper += 1
            let sleeper = lastSleeper
            sleepers[sleeper] = continuation
            schedule(after: delay) { self.sleepers.removeValue(forKey: sleeper)?.resume() }
        }
    }

    private func fireTimers() {
        var expirations: UInt64 = 0
        read(timerDescriptor, &expirations, MemoryLayout<UInt64>.size)
        armedDeadline = nil
        let now = ContinuousClock.now
        while let action = timers.popDue(at: now) {
            action()
        }
        armTimer()
    }

    private func armTimer() {
        guard !isStopped, let next = timers.nextDeadline else { return }
        if let armedDeadline, armedDeadline <= next { return }
        armedDeadline = next
        let (seconds, attoseconds) = max(next - .now, .nanoseconds(1)).components
        var setting = itimerspec(
            it_interval: timespec(),
            it_value: timespec(
                tv_sec: Int(seconds), tv_nsec: max(1, Int(attoseconds / 1_000_000_000))))
        timerfd_settime(timerDescriptor, 0, &setting, nil)
    }

    // MARK: Work

    /// Runs `body` on the loop and returns its result.
    public func run<Result: Sendable, Failure: Error>(
        _ body: @Sendable (isolated EventLoop) throws(Failure) -> Result
    ) async throws(Failure) -> Result {
        try body(self)
    }

    /// Starts a task on the loop.
    ///
    /// Tasks begin in the order in which one thread spawns them, and after `run` bodies that it
    /// has awaited.
    public nonisolated func spawn(
        _ body: @escaping @Sendable (isolated EventLoop) async -> Void
    ) {
        perform { loop in
            // The task inherits the loop, so its first job goes straight to the run list.
            _ = Task {
                _ = loop
                await body(loop)
            }
        }
    }

    /// Runs `body` on the loop, some time; calls from one thread run in the order made.
    ///
    /// A task made off the loop would begin on the global pool, and two of them could overtake
    /// each other there.
    nonisolated func perform(_ body: @escaping @Sendable (isolated EventLoop) -> Void) {
        executor.perform { [self] in assumeIsolated { loop in body(loop) } }
    }
}
