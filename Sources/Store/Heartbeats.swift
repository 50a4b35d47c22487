import ControlCentre
import PostgreSQL

/// What a node does with a camera's picture, as it says itself.
public enum AnalysisStatus: String, Sendable, CaseIterable {
    /// It evaluates the picture.
    case analysing
    /// It would, but gets no picture, or one on which nothing is to be seen.
    case blind
    /// It does not.
    case off
}

/// A node's sign of life, and what it says of its cameras.
public struct Heartbeat: Sendable {
    public struct Entry: Sendable {
        /// The camera's id or the site's own key for it.
        public var camera: String
        /// Nil for all patterns that the site permits.
        public var pattern: String?
        public var status: AnalysisStatus

        public init(camera: String, pattern: String?, status: AnalysisStatus) {
            self.camera = camera
            self.pattern = pattern
            self.status = status
        }
    }

    /// By the node's clock.
    public var sentAt: Timestamp?
    /// How many detections wait in the node to be posted.
    public var queueLength: Int
    /// Of a camera that is not among them nothing is known.
    public var entries: [Entry]

    public init(sentAt: Timestamp?, queueLength: Int, entries: [Entry]) {
        self.sentAt = sentAt
        self.queueLength = queueLength
        self.entries = entries
    }
}

/// Why an entry of a heartbeat was not taken; the others were.
public enum HeartbeatRefusal: String, Sendable {
    /// No such camera, or one of another site: the answer is the same.
    case unknownCamera = "heartbeat.unknown-camera"
    case patternNotPermitted = "heartbeat.pattern-not-permitted"
    /// An earlier entry is of the same camera and pattern.
    case repeatedCamera = "heartbeat.repeated-camera"
}

/// What became of a heartbeat.
public struct HeartbeatReceipt: Sendable {
    public let receivedAt: Timestamp
    /// When the next one is due.
    public let dueAt: Timestamp
    public let heartbeatSeconds: Int
    /// The entries that were not taken, by their place.
    public let refused: [(place: Int, refusal: HeartbeatRefusal)]
}

extension Database {
    /// Commits a heartbeat. One that says what the last one said updates a single row.
    ///
    /// - Returns: nil when there is no such node.
    public func record(
        _ heartbeat: Heartbeat, of node: NodeID, by author: Author, at instant: Timestamp
    ) async throws(StoreError) -> HeartbeatReceipt? {
        let entries = heartbeat.entries
        let statement = Statement(
            """
            SELECT received_at, due_at, seconds, array_to_string(refused, ' '),
                array_to_string(reasons, ' '), is_journaled
            FROM record_heartbeat(
                $1, $2, $3, $4, $5, $6, $7, $8, sha256(convert_to($9, 'UTF8')), $10, $11, $12)
            """,
            .uuid(node), .time(instant), .time(heartbeat.sentAt),
            .int64(Int64(heartbeat.queueLength)), .texts(entries.map(\.camera)),
            .uuids(entries.map { CameraID($0.camera).map { PostgreSQLUUID($0.uuid) } }),
            .texts(entries.map(\.pattern)), .texts(entries.map(\.status.rawValue)),
            .text(Self.canonical(entries)), .optional(author.token), .text(author.role.rawValue),
            .text(author.requestID))
        do throws(PostgreSQLError) {
            let row = try await transact([statement])[0]
            guard row.rowCount == 1 else { return nil }
            if try row.bool(0, 5) { announceCommit() }
            return HeartbeatReceipt(
                receivedAt: try row.time(0, 0), dueAt: try row.time(0, 1),
                heartbeatSeconds: Int(try row.int64(0, 2)),
                refused: try Self.refusals(
                    places: try row.text(0, 3), reasons: try row.text(0, 4)))
        } catch {
            throw StoreError(error)
        }
    }

    /// What two heartbeats have in common that say the same of the cameras. Neither a camera nor a
    /// pattern contains a line's end.
    private static func canonical(_ entries: [Heartbeat.Entry]) -> String {
        entries.map { "\($0.camera)\n\($0.pattern ?? "")\n\($0.status.rawValue)\n" }.joined()
    }

    private static func refusals(
        places: String, reasons: String
    ) throws(PostgreSQLError) -> [(place: Int, refusal: HeartbeatRefusal)] {
        var refusals: [(place: Int, refusal: HeartbeatRefusal)] = []
        for (place, reason) in zip(places.split(separator: " "), reasons.split(separator: " ")) {
            guard let place = Int(place), let refusal = HeartbeatRefusal(rawValue: String(reason))
            else {
                throw .unexpectedValue("\(reason) is no reason to refuse a heartbeat's entry")
            }
            refusals.append((place - 1, refusal))
        }
        return refusals
    }

    /// Reports each node that has missed three heartbeats, once over all instances.
    ///
    /// - Parameter servingSince: since when this instance has been able to take heartbeats. A node
    ///   did not miss what nobody could take.
    /// - Returns: how many nodes are lost now.
    public func reportLostNodes(servingSince: Timestamp, at instant: Timestamp = .now())
        async throws(StoreError) -> Int
    {
        let results = try await work([
            Statement("SELECT mark_lost_nodes($1, $2)", .time(servingSince), .time(instant)),
            Statement("SELECT count(*) FROM nodes WHERE lost"),
        ])
        do throws(PostgreSQLError) {
            if try results[0].int64(0, 0) > 0 { announceCommit() }
            return Int(try results[1].int64(0, 0))
        } catch {
            throw StoreError(error)
        }
    }
}
