import ControlCentre
import Store

/// An event as live streams send it, encoded once for all readers.
public struct LiveEvent: Sendable {
    let id: EventID
    let name: String
    /// The first part of its name.
    let kind: String
    let site: SiteID?
    /// A whole event block (HTML Standard, section 9.2.6).
    let bytes: [UInt8]

    /// Nil for what no live stream shows.
    public init?(_ event: JournalEvent) {
        guard Self.events.contains(event.name) else { return nil }
        id = event.id
        name = event.name
        kind = String(event.name.prefix { $0 != "." })
        site = event.site
        bytes = Self.block(id: event.id, name: event.name, data: event.document)
    }

    /// What live streams show, by the first part of the name.
    private static let names = [
        "alarm": [
            "raised", "late", "extended", "cleared", "acknowledged", "released", "taken-over",
            "assigned", "confirmed", "dismissed", "commented", "shelved", "unshelved",
            "annunciated", "overdue", "stale", "closed", "reopened", "linked", "unlinked",
        ],
        "area": ["created", "changed"],
        "camera": ["created", "changed"],
        "erasure": ["completed"],
        "flood": ["started", "ended"],
        "hold": ["created", "changed", "release-requested", "released"],
        "import": ["completed"],
        "incident": ["created", "changed", "retracted", "assessed"],
        "interruption": ["created", "ended", "cancelled"],
        "intervention": ["created", "changed", "arrived", "completed", "cancelled"],
        "mode-window": ["created", "ended", "cancelled"],
        "node": ["created", "changed", "lost", "returned", "status-changed"],
        "rule": ["created"],
        "shelving": ["created", "ended"],
        "site": ["created", "changed"],
    ]

    /// The names that `types` takes: an event, or the first part of its name.
    static func isType(_ text: String) -> Bool { names[text] != nil || events.contains(text) }

    private static let events = Set(
        names.flatMap { kind, steps in steps.map { "\(kind).\($0)" } })

    static func block(id: EventID, name: String, data: [UInt8]) -> [UInt8] {
        var block = Array("id: \(id)\nevent: \(name)\ndata: ".utf8)
        block.append(contentsOf: data)
        block.append(contentsOf: "\n\n".utf8)
        return block
    }

    /// Carries no event, only the id up to which the reader knows all: without it a filtered
    /// reader would resume from far back.
    static func heartbeat(id: EventID) -> [UInt8] { Array(": heartbeat\nid: \(id)\n\n".utf8) }

    static func resync(id: EventID) -> [UInt8] {
        block(
            id: id, name: "resync",
            data: Array(
                #"{"reason":"the id is older than the replay window; read the lists again"}"#.utf8))
    }
}

/// Which events a reader wants.
struct LiveFilter {
    let site: SiteID?
    /// Names of events or their first parts; nil for all.
    let types: Set<String>?

    func takes(_ event: LiveEvent) -> Bool {
        // The name of somebody of all sites may be shown at each.
        let isOfAll = event.site == nil && event.kind == "erasure"
        if let site, event.site != site, !isOfAll { return false }
        guard let types else { return true }
        return types.contains(event.kind) || types.contains(event.name)
    }
}
