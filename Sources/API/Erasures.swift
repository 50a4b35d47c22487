import ControlCentre
import HTTP
import JSON
import Store

extension API {
    func addErasures() {
        add(.post, "/v1/erasures", for: [.administrator]) { api, call in
            try call.rejectParameters()
            let order = try call.body { ErasureOrder(&$0) }
            let erasure = try await api.database.erase(
                order.kind, order.id, reason: order.reason, only: call.site, by: call.author(),
                at: call.receivedAt)
            guard let erasure else {
                throw Problem.refusedMember(
                    404, "erasure.unknown", "/id", "There is nothing of this kind and id.")
            }
            return .json(erasure)
        }
    }
}

/// What an administrator orders to be erased.
private struct ErasureOrder {
    let kind: ErasureKind
    let id: UUID
    let reason: String

    init?(_ reader: inout ObjectReader) {
        let kind = reader.requiredCase("kind", of: ErasureKind.self)
        let id = reader.required("id", expected: "a UUID") { UUID($0) }
        let reason = reader.requiredWords("reason", length: 1...500)
        guard let kind, let id, let reason else { return nil }
        (self.kind, self.id, self.reason) = (kind, id, reason)
    }
}
