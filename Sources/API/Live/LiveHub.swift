import ControlCentre
import DequeModule
import EventLoop
import Store

/// The live streams of one loop and the ring of events that they share.
///
/// Readers are cursors into the ring, not queues of their own: ten thousand slow readers cost no
/// more than their cursors. A reader that has fallen behind the ring reads the journal, of which
/// a bounded number do so at a time; one that takes nothing for too long is cut off and may resume
/// by Last-Event-ID.
public final class LiveHub {
    let journal: any JournalSource
    /// How many positions back a reader may begin.
    private let replayWindow: Int64
    let limits: LiveLimits
    private var ring: Deque<LiveEvent> = []
    private var ringBytes = 0
    /// All events after this one, up to `head`, are in the ring.
    private var floor: EventID?
    /// Nil until the feed has told of it.
    private(set) var head: EventID?
    private var streams: [ObjectIdentifier: LiveStream] = [:]
    private var readingJournal = 0
    private var waitingForJournal: [LiveStream] = []
    private var sinceHeartbeat = 0
    private var isEnding = false

    init(journal: any JournalSource, replayWindow: Int64, limits: LiveLimits) {
        self.journal = journal
        self.replayWindow = replayWindow
        self.limits = limits
    }

    var readerCount: Int { streams.count }

    // MARK: Feeding

    /// Takes new events in order, and the id up to which all is known now.
    public func take(_ events: [LiveEvent], head: EventID) {
        let isFirst = floor == nil
        if isFirst { floor = head }
        for event in events {
            // What is encoded may show what has just been erased; the journal shows it no more.
            if event.kind == "erasure" { emptyRing() }
            ring.append(event)
            ringBytes += event.bytes.count
        }
        while ring.count > limits.ringEventsMax || ringBytes > limits.ringBytesMax,
            let first = ring.popFirst()
        {
            ringBytes -= first.bytes.count
            floor = first.id
        }
        self.head = head
        // Most looks at the journal find nothing, and there may be many readers.
        guard isFirst || !events.isEmpty else { return }
        for stream in streams.values { stream.wakeIfWaiting() }
    }

    /// Called once a second: heartbeats, readers that take nothing, and tokens that have expired.
    public func tick() {
        sinceHeartbeat += 1
        let isHeartbeat = sinceHeartbeat >= limits.heartbeatSeconds
        if isHeartbeat { sinceHeartbeat = 0 }
        let now = ContinuousClock.now
        let time = Timestamp.now()
        for stream in Array(streams.values) {
            if stream.isStalled(at: now) {
                stream.cutOff()
            } else if let expiresAt = stream.expiresAt, expiresAt <= time {
                stream.finish()
            } else if isHeartbeat {
                stream.heartbeat()
            }
        }
    }

    /// Ends the streams that a token opened.
    func end(streamsOf token: TokenID) {
        for stream in Array(streams.values) where stream.token == token { stream.finish() }
    }

    /// Ends all streams, for a drain; none is begun any more.
    public func endAll() {
        isEnding = true
        for stream in Array(streams.values) { stream.finish() }
    }

    /// Lets all that it has be read from the journal.
    private func emptyRing() {
        floor = ring.last?.id ?? floor
        ring.removeAll()
        ringBytes = 0
    }

    // MARK: Reading

    func add(_ stream: LiveStream) {
        streams[ObjectIdentifier(stream)] = stream
        if isEnding { stream.finish() }
    }

    func remove(_ stream: LiveStream) {
        streams[ObjectIdentifier(stream)] = nil
        waitingForJournal.removeAll { $0 === stream }
    }

    /// Where a new reader begins.
    enum Start {
        /// With what follows this id.
        case after(EventID)
        /// What it asks for is older than the replay window; it goes on after the newest event.
        case lost(head: EventID)
    }

    /// Where a reader begins that has seen everything up to `id`; nil as long as the feed has not
    /// told of its head.
    ///
    /// Decided once: a reader that is within the window when it begins is never lost while it
    /// catches up, however fast the head moves.
    func start(after id: EventID) -> Start? {
        guard let head else { return nil }
        let oldest = head.position - replayWindow
        if oldest <= 0 { return .after(id) }
        // 0.0 asks for the window's oldest event, which is never lost.
        if id == .origin { return .after(EventID(position: oldest, ordinal: .max)) }
        return id.position < oldest ? .lost(head: head) : .after(id)
    }

    /// Whether all events after `id` that are known here are in the ring.
    func holdsAll(after id: EventID) -> Bool { floor.map { id >= $0 } ?? false }

    /// Shows the ring's events after `id` until `visit` returns false.
    func visit(after id: EventID, _ visit: (LiveEvent) -> Bool) {
        for index in firstIndex(after: id)..<ring.count where !visit(ring[index]) { return }
    }

    private func firstIndex(after id: EventID) -> Int {
        var low = 0
        var high = ring.count
        while low < high {
            let middle = (low + high) / 2
            if ring[middle].id > id { high = middle } else { low = middle + 1 }
        }
        return low
    }

    /// Reads the journal on for a reader, now or when it is its turn.
    func readJournal(for stream: LiveStream) {
        guard readingJournal < limits.journalReadersMax else {
            waitingForJournal.append(stream)
            return
        }
        readingJournal += 1
        let loop = stream.loop
        // Sound: hub and stream belong to this loop, which assumeIsolated makes sure of.
        nonisolated(unsafe) let hub = self
        nonisolated(unsafe) let reader = stream
        loop.assumeIsolated { loop in
            _ = Task {
                _ = loop
                await hub.readPage(for: reader, after: reader.cursor, site: reader.filter.site)
            }
        }
    }

    private func readPage(for stream: LiveStream, after: EventID, site: SiteID?) async {
        do throws(StoreError) {
            let page = try await journal.events(
                after: after, site: site, limit: limits.journalPageSize)
            let isComplete = page.events.count < limits.journalPageSize
            let last = page.events.last?.id ?? after
            stream.take(
                page.events.compactMap { LiveEvent($0) },
                upTo: isComplete ? max(last, page.head) : last)
        } catch {
            // The database is away: the client resumes by Last-Event-ID when it is back.
            stream.cutOff()
        }
        readingJournal -= 1
        if !waitingForJournal.isEmpty { readJournal(for: waitingForJournal.removeFirst()) }
    }
}
