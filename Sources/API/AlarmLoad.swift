import ControlCentre
import HTTP
import JSON
import Store

extension API {
    func addAlarmLoad() {
        add(.get, "/v1/alarm-load", for: [.observer, .shiftSupervisor, .statistician]) {
            api, call in
            var query = QueryReader(call.request)
            let site = try query.site(for: call)
            if site == nil {
                query.refuse("site", code: "missing", "is required for a token of all sites")
            }
            try query.finish()
            guard let site,
                let load = try await api.database.alarmLoad(of: site, at: call.receivedAt)
            else { throw Problem.unknown("site") }
            return .json(load)
        }
    }
}
