import Dispatch
import Glibc
import Synchronization

/// Runs an event loop's jobs on the loop's serial queue, one after the other.
///
/// A job that is enqueued by code already on the loop goes to a local run list and is run before
/// the loop polls again: no thread is woken, no lock is taken. A job from elsewhere goes to an
/// inbox, which wakes the queue once however many jobs arrive meanwhile. Plain closures take the
/// same way and keep their place among the jobs.
final class LoopExecutor: SerialExecutor, @unchecked Sendable {
    // @unchecked: `runList` is touched only by the thread that runs `queue` at the moment; the
    // inbox guards itself.
    let queue: DispatchQueue
    private var runList: [Work] = []
    private let inbox = Mutex<[Work]>([])

    private enum Work: Sendable {
        case job(UnownedJob)
        case call(@Sendable () -> Void)
    }

    init(label: String) {
        queue = DispatchQueue(label: label, qos: .userInitiated)
    }

    func enqueue(_ job: consuming ExecutorJob) {
        add(.job(UnownedJob(job)))
    }

    /// Calls `body` as the loop, after all that was enqueued before from the same thread.
    func perform(_ body: @escaping @Sendable () -> Void) { add(.call(body)) }

    private func add(_ work: Work) {
        if isCurrent {
            runList.append(work)
            return
        }
        let wasEmpty = inbox.withLock { inbox in
            inbox.append(work)
            return inbox.count == 1
        }
        if wasEmpty {
            queue.async { [self] in enter {} }
        }
    }

    /// Runs `body` as the loop, then all jobs that are waiting.
    ///
    /// Called on `queue` only.
    func enter(_ body: () -> Void) {
        pthread_setspecific(currentExecutorKey, Unmanaged.passUnretained(self).toOpaque())
        body()
        runJobs()
        pthread_setspecific(currentExecutorKey, nil)
    }

    /// Runs what is in the run list and the inbox until both are empty.
    func runJobs() {
        while true {
            if runList.isEmpty {
                let arrived = inbox.withLock { inbox in
                    let arrived = inbox
                    inbox.removeAll(keepingCapacity: true)
                    return arrived
                }
                if arrived.isEmpty { return }
                runList = arrived
            }
            var works: [Work] = []
            swap(&works, &runList)
            for work in works {
                switch work {
                case .job(let job): job.runSynchronously(on: asUnownedSerialExecutor())
                case .call(let body): body()
                }
            }
            if runList.isEmpty {
                // Gives the buffer back, so that a steady stream of jobs allocates nothing.
                works.removeAll(keepingCapacity: true)
                swap(&works, &runList)
            }
        }
    }

    var isCurrent: Bool {
        pthread_getspecific(currentExecutorKey) == Unmanaged.passUnretained(self).toOpaque()
    }

    func checkIsolated() {
        precondition(isCurrent, "not on the event loop \(queue.label)")
    }

    func isIsolatingCurrentContext() -> Bool? { isCurrent }

    func isSameExclusiveExecutionContext(other: LoopExecutor) -> Bool { self === other }
}

/// The thread-specific key that tells which executor the current thread is running.
private let currentExecutorKey: pthread_key_t = {
    var key = pthread_key_t()
    let result = pthread_key_create(&key, nil)
    precondition(result == 0, "pthread_key_create failed with \(result)")
    return key
}()
