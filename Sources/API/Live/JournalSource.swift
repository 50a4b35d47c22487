import ControlCentre
import Store

/// Where a reader that is behind the ring finds its events.
protocol JournalSource: AnyObject {
    /// Events after `id` in order, at most `limit`, and the head as it was before they were read.
    ///
    /// - Parameter site: nil for all sites.
    func events(after id: EventID, site: SiteID?, limit: Int)
        async throws(StoreError) -> (events: [JournalEvent], head: EventID)
}

extension Database: JournalSource {}
