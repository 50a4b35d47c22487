import ControlCentre
import EventLoop
import Store

@testable import API
@testable import Store

/// A journal in memory, which answers after some turns of the loop.
final class FakeJournal: JournalSource {
    private(set) var events: [JournalEvent] = []
    private(set) var readsRunning = 0
    private(set) var readsRunningMax = 0
    private(set) var readCount = 0
    /// Turns of the loop between the reading of the head and that of the events, and after it.
    var delay: () -> Int = { 1 }
    var failure: StoreError?

    var head: EventID { events.last?.id ?? .origin }

    /// Commits one change that makes these events.
    func commit(_ changes: [(name: String, site: String)]) {
        let position = (events.last?.id.position ?? 0) + 1
        for (index, change) in changes.enumerated() {
            let id = EventID(position: position, ordinal: Int32(index + 1))
            events.append(
                JournalEvent(
                    id: id, name: change.name, site: SiteID(change.site), subject: "s",
                    document: Array(#"{"id":"\#(id)"}"#.utf8)))
        }
    }

    func events(after id: EventID, site: SiteID?, limit: Int)
        async throws(StoreError) -> (events: [JournalEvent], head: EventID)
    {
        readCount += 1
        readsRunning += 1
        readsRunningMax = max(readsRunningMax, readsRunning)
        defer { readsRunning -= 1 }
        let head = head
        for _ in 0..<delay() { await Task.yield() }
        if let failure { throw failure }
        let page = events.filter { $0.id > id && (site == nil || $0.site == site) }.prefix(limit)
        for _ in 0..<delay() { await Task.yield() }
        return (Array(page), head)
    }
}
