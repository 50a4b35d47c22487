import ControlCentre
import HTTP
import Store

/// Holds whose review is due within this time belong to a handover.
private let reviewWithin: Duration = .seconds(24 * 3_600)
/// Of each kind a handover shows at most so many; all are counted.
private let itemsMax: Int32 = 100

extension API {
    func addHandover() {
        add(.get, "/v1/handover", for: [.observer, .shiftSupervisor]) { api, call in
            var query = QueryReader(call.request)
            let site = try query.site(for: call)
            if site == nil { query.refuse("site", code: "missing", "is required") }
            try query.finish()
            guard let site,
                let handover = try await api.database.handover(
                    at: site, call.receivedAt, reviewWithin: reviewWithin, itemsMax: itemsMax)
            else { throw Problem.unknown("site") }
            try await api.logHandover(of: site, showing: handover.holds, by: call)
            return .json(handover.document)
        }
    }
}
