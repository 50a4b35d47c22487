import ControlCentre
import EventLoop
import HTTP
import Store

/// One reader of the live stream: a cursor into the journal, and the bytes that it is sending.
///
/// The connection pulls; nothing is prepared for a reader that does not read.
final class LiveStream: BodyStream {
    let loop: EventLoop
    let filter: LiveFilter
    let token: TokenID
    /// When the token that opened it expires; nil: never.
    let expiresAt: Timestamp?
    private let hub: LiveHub
    /// Everything up to here has been sent or filtered out.
    private(set) var cursor: EventID
    private var pending: [UInt8]
    private var pendingStart = 0
    private var wake: (() -> Void)?
    private var abort: (() -> Void)?
    /// Whether it is settled where it begins.
    private var isPlaced: Bool
    private var isWaiting = false
    private var isReadingJournal = false
    private var heartbeatIsDue = false
    private var isFinished = false
    private var isCutOff = false
    private var lastRead = ContinuousClock.now

    /// Bytes gathered for one read at most, beyond the event that crosses it.
    private static let batchBytes = 16 * 1024

    /// - Parameters:
    ///   - cursor: what the reader has seen already.
    ///   - isResumed: whether it says so itself, and may come from before the replay window.
    init(
        hub: LiveHub, filter: LiveFilter, principal: Principal, after cursor: EventID,
        isResumed: Bool, on loop: EventLoop
    ) {
        self.hub = hub
        self.filter = filter
        token = principal.token
        expiresAt = principal.expiresAt
        self.cursor = cursor
        isPlaced = !isResumed
        self.loop = loop
        // A browser waits this long before it resumes.
        pending = Array("retry: 2000\n".utf8)
        if cursor != .origin { pending += LiveEvent.heartbeat(id: cursor) }
    }

    // MARK: BodyStream

    func begin(wake: @escaping () -> Void, abort: @escaping () -> Void) {
        self.wake = wake
        self.abort = abort
        hub.add(self)
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) -> BodyRead {
        lastRead = .now
        if isCutOff { return .failed }
        if pendingStart == pending.count { refill() }
        guard pendingStart < pending.count else {
            if isFinished { return .finished }
            // Nothing is kept for a reader that waits, of whom there may be thousands.
            pending = []
            pendingStart = 0
            isWaiting = true
            return .waiting
        }
        let count = min(buffer.count, pending.count - pendingStart)
        pending.withUnsafeBytes {
            buffer.copyMemory(
                from: UnsafeRawBufferPointer(rebasing: $0[pendingStart..<pendingStart + count]))
        }
        pendingStart += count
        return .bytes(count)
    }

    func end() {
        hub.remove(self)
        wake = nil
        abort = nil
    }

    private func refill() {
        pending.removeAll(keepingCapacity: true)
        pendingStart = 0
        guard !isReadingJournal, !isFinished, isPlaced || place() else { return }
        if hub.holdsAll(after: cursor) {
            gather()
        } else {
            isReadingJournal = true
            hub.readJournal(for: self)
        }
    }

    /// Asks the hub where to begin; false when there is nothing to read yet.
    private func place() -> Bool {
        guard let start = hub.start(after: cursor) else { return false }
        isPlaced = true
        switch start {
        case .after(let id):
            cursor = id
            return true
        case .lost(let head):
            cursor = head
            pending = LiveEvent.resync(id: head)
            return false
        }
    }

    /// Takes the next events from the ring.
    private func gather() {
        hub.visit(after: cursor) { event in
            guard pending.count < Self.batchBytes else { return false }
            cursor = event.id
            if filter.takes(event) { pending.append(contentsOf: event.bytes) }
            return true
        }
        if pending.isEmpty {
            // Nothing new for it: it has seen all that there is.
            if let head = hub.head, head > cursor { cursor = head }
            if heartbeatIsDue { pending = LiveEvent.heartbeat(id: cursor) }
        }
        heartbeatIsDue = false
    }

    // MARK: Called by the hub

    /// A page of the journal, after which everything up to `id` is known.
    func take(_ events: [LiveEvent], upTo id: EventID) {
        isReadingJournal = false
        for event in events where filter.takes(event) {
            pending.append(contentsOf: event.bytes)
        }
        cursor = max(cursor, id)
        wakeIfWaiting()
    }

    func heartbeat() {
        heartbeatIsDue = true
        wakeIfWaiting()
    }

    func wakeIfWaiting() {
        guard isWaiting else { return }
        isWaiting = false
        wake?()
    }

    /// True when something waits for a reader that has taken nothing for too long.
    func isStalled(at now: ContinuousClock.Instant) -> Bool {
        let hasBacklog = pendingStart < pending.count || (hub.head.map { $0 > cursor } ?? false)
        return hasBacklog && !isWaiting && !isReadingJournal
            && now - lastRead > hub.limits.stallTimeMax
    }

    /// Ends the stream after what is pending.
    func finish() {
        isFinished = true
        wakeIfWaiting()
    }

    /// Ends the stream at once, so that the reader sees it broken off.
    func cutOff() {
        isCutOff = true
        abort?()
    }
}
