import ControlCentre
import HTTP
import JSON
import Store

extension API {
    /// Entries of one heartbeat at most.
    static let heartbeatEntriesMax = 2_000

    func addHeartbeats() {
        add(.post, "/v1/nodes/{id}/heartbeat", for: [.node]) { api, call in
            try call.rejectParameters()
            let id = try call.id(NodeID.self, of: "node")
            // Of other nodes a node knows nothing.
            guard id == call.principal?.node else { throw Problem.unknown("node") }
            let heartbeat = try call.body { Heartbeat(&$0) }
            guard
                let receipt = try await api.database.record(
                    heartbeat, of: id, by: call.author(), at: call.receivedAt)
            else { throw Problem.unknown("node") }
            return .receipt(receipt, of: heartbeat, from: id)
        }
    }
}

extension Heartbeat {
    fileprivate init?(_ reader: inout ObjectReader) {
        let sentAt = reader.nullableTime("sent_at")
        let queueLength = reader.requiredInteger("queue_length", in: 0...1_000_000_000)
        let entries = reader.requiredObjects("cameras", count: 0...API.heartbeatEntriesMax) {
            Entry(&$0)
        }
        guard let queueLength, let entries else { return nil }
        self.init(sentAt: sentAt, queueLength: queueLength, entries: entries)
    }
}

extension Heartbeat.Entry {
    fileprivate init?(_ reader: inout ObjectReader) {
        let camera = reader.requiredLine("camera", length: 1...200)
        let pattern = reader.nullableLine("pattern", length: 1...64)
        let status = reader.requiredCase("status", of: AnalysisStatus.self)
        guard let camera, let status else { return nil }
        self.init(camera: camera, pattern: pattern, status: status)
    }
}

extension Response {
    fileprivate static func receipt(
        _ receipt: HeartbeatReceipt, of heartbeat: Heartbeat, from node: NodeID
    ) -> Response {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("node", node.description)
            writer.member("received_at", receipt.receivedAt.rfc3339)
            writer.member("next_due_at", receipt.dueAt.rfc3339)
            writer.member("heartbeat_seconds", receipt.heartbeatSeconds)
            writer.name("refused")
            writer.array { writer in
                for (place, refusal) in receipt.refused {
                    writer.object { writer in
                        writer.member("camera", heartbeat.entries[place].camera)
                        writer.member("pattern", heartbeat.entries[place].pattern)
                        writer.name("problem")
                        Problem(refusal, at: "/cameras/\(place)").write(
                            to: &writer, requestID: nil)
                    }
                }
            }
        }
        return .json(writer.bytes)
    }
}

extension Problem {
    /// - Parameter pointer: of the entry in the body.
    fileprivate init(_ refusal: HeartbeatRefusal, at pointer: String) {
        let (member, detail) =
            switch refusal {
            case .unknownCamera: ("camera", "No camera of the node's site has this id or key.")
            case .patternNotPermitted: ("pattern", "The site does not permit this pattern.")
            case .repeatedCamera: ("camera", "An earlier entry is of this camera and pattern.")
            }
        self = .refusedMember(422, refusal.rawValue, "\(pointer)/\(member)", detail)
    }
}
