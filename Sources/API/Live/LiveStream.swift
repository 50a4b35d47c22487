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
    /// Whose stream it is: it ends when the token is revoked or expires.
    let bearer: Principal
    private let hub: LiveHub
    /// Everything up to here has been sent or filtered out.
    private(set) var cursor: EventID
    private var pending: [UInt8]
    private var pendingStart = 0
    private var wake: (() -> Void)?
    private var abort: (() -> Void)?
    private var isWaiting = false
    private var isReadingJournal = false
    private var heartbeatIsDue = false
    private var isFinished = false
    private var isCutOff = false
    private var lastRead = ContinuousClock.now

    /// Bytes gathered for one read at most, beyond the event that crosses it.
    private static let batchBytes = 16 * 1024

    /// - Parameter cursor: what the reader has seen already.
    init(
        hub: LiveHub, filter: LiveFilter, bearer: Principal, after cursor: EventID,
        on loop: EventLoop
    ) {
        self.hub = hub
        self.filter = filter
        self.bearer = bearer
        self.cursor = cursor
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
        guard !isReadingJournal, !isFinished else { return }
        switch hub.position(after: cursor) {
        case .ring(let events):
            for event in events {
                if pending.count >= Self.batchBytes { break }
                cursor = event.id
                if filter.takes(event) { pending.append(contentsOf: event.bytes) }
            }
            if pending.isEmpty {
                if !events.isEmpty { return refill() }
                // Nothing new for it: it has seen all that there is.
                if let head = hub.head, head > cursor { cursor = head }
                if heartbeatIsDue { pending = LiveEvent.heartbeat(id: cursor) }
            }
            heartbeatIsDue = false
        case .journal:
            isReadingJournal = true
            hub.readJournal(for: self)
        case .lost(let head):
            pending = LiveEvent.resync(id: head)
            cursor = head
        case .unknown:
            break
        }
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
