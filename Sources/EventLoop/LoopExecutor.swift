import Dispatch
import Glibc
import Synchronization

/// Runs an event loop's jobs on the loop's serial queue, one after the other.
///
/// A job that is enqueued by code already on the loop goes to a local run list and is run before
/// the loop polls again: no thread is woken, no lock is taken. A job from elsewhere goes to an
/// inbox, which wakes the queue once however many jobs arrive meanwhile.
final class LoopExecutor: SerialExecutor, @unchecked Sendable {
    // @unchecked: `runList` is touched only by the thread that runs `queue` at the moment; the
    // inbox guards itself.
    let queue: DispatchQueue
    private var runList: [UnownedJob] = []
    private let inbox = Mutex<[UnownedJob]>([])

    init(label: String) {
        queue = DispatchQueue(label: label, qos: .userInitiated)
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if isCurrent {
            runList.append(job)
            return
        }
        let wasEmpty = inbox.withLock { jobs in
            jobs.append(job)
            return jobs.count == 1
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

    /// Runs the jobs in the run list and the inbox until both are empty.
    func runJobs() {
        while true {
            if runList.isEmpty {
                let arrived = inbox.withLock { jobs in
                    let arrived = jobs
                    jobs.removeAll(keepingCapacity: true)
                    return arrived
                }
                if arrived.isEmpty { return }
                runList = arrived
            }
            var jobs: [UnownedJob] = []
            swap(&jobs, &runList)
            for job in jobs {
                job.runSynchronously(on: asUnownedSerialExecutor())
            }
            if runList.isEmpty {
                // Gives the buffer back, so that a steady stream of jobs allocates nothing.
                jobs.removeAll(keepingCapacity: true)
                swap(&jobs, &runList)
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
