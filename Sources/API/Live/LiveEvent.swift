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
        guard Self.kinds.contains(where: { event.name.hasPrefix($0) }) else { return nil }
        id = event.id
        name = event.name
        kind = String(event.name.prefix { $0 != "." })
        site = event.site
        bytes = Self.block(id: event.id, name: event.name, data: event.document)
    }

    private static let kinds = [
        "alarm.", "site.", "area.", "camera.", "node.", "incident.", "intervention.", "rule.",
        "flood.", "hold.", "shelving.", "mode-window.", "interruption.", "import.",
    ]

    /// The names that `types` takes: an event, or the first part of its name.
    static func isType(_ text: String) -> Bool { types.contains(text) }

    private static let types: Set<String> = {
        let steps = [
            "raised", "late", "extended", "cleared", "acknowledged", "released", "taken-over",
            "assigned", "confirmed", "dismissed", "commented", "shelved", "unshelved",
            "annunciated", "closed", "reopened",
        ]
        var types: Set<String> = ["alarm"]
        for step in steps { types.insert("alarm.\(step)") }
        for resource in ["site", "area", "camera", "node"] {
            types.formUnion([resource, "\(resource).created", "\(resource).changed"])
        }
        types.formUnion(["alarm.overdue", "alarm.stale"])
        types.formUnion(["rule", "rule.created", "flood", "flood.started", "flood.ended"])
        types.formUnion(["node.lost", "node.returned", "node.status-changed"])
        for step in ["created", "changed", "retracted", "assessed"] {
            types.formUnion(["incident", "incident.\(step)"])
        }
        for step in ["created", "changed", "arrived", "completed", "cancelled"] {
            types.formUnion(["intervention", "intervention.\(step)"])
        }
        types.formUnion([
            "hold", "hold.created", "hold.changed", "hold.release-requested", "hold.released",
        ])
        for resource in ["mode-window", "interruption"] {
            types.insert(resource)
            for event in ["created", "ended", "cancelled"] { types.insert("\(resource).\(event)") }
        }
        types.formUnion(["import", "import.completed"])
        types.formUnion(["shelving", "shelving.started", "shelving.ended"])
        return types
    }()

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
        if let site, event.site != site { return false }
        guard let types else { return true }
        return types.contains(event.kind) || types.contains(event.name)
    }
}
