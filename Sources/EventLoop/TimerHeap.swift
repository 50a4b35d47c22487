import HeapModule

/// Names a scheduled timer.
public struct TimerID: Hashable, Sendable {
    let number: UInt64
}

/// The timers of one loop, by deadline.
///
/// A cancelled timer loses its action at once; its entry stays in the heap until it would have
/// been due, so cancelling is O(1).
struct TimerHeap {
    private struct Entry: Comparable {
        let deadline: ContinuousClock.Instant
        let number: UInt64
        static func < (left: Entry, right: Entry) -> Bool {
            (left.deadline, left.number) < (right.deadline, right.number)
        }
    }

    private var entries = Heap<Entry>()
    private var actions: [UInt64: () -> Void] = [:]
    private var lastNumber: UInt64 = 0

    mutating func insert(at deadline: ContinuousClock.Instant, _ action: @escaping () -> Void)
        -> TimerID
    {
        lastNumber += 1
        entries.insert(Entry(deadline: deadline, number: lastNumber))
        actions[lastNumber] = action
        return TimerID(number: lastNumber)
    }

    mutating func remove(_ id: TimerID) {
        actions[id.number] = nil
    }

    /// The deadline of the earliest timer that was not cancelled.
    var nextDeadline: ContinuousClock.Instant? {
        mutating get {
            while let first = entries.min, actions[first.number] == nil { entries.removeMin() }
            return entries.min?.deadline
        }
    }

    /// Removes the earliest timer that is due and returns its action.
    mutating func popDue(at now: ContinuousClock.Instant) -> (() -> Void)? {
        while let first = entries.min, first.deadline <= now {
            entries.removeMin()
            if let action = actions.removeValue(forKey: first.number) { return action }
        }
        return nil
    }
}
