import ControlCentre

/// A detection as a node sent it, valid in itself; nothing is known yet of what it names.
public struct IncomingDetection: Sendable {
    public var id: DetectionID
    public var site: SiteID
    public var node: NodeID
    /// The camera's id or the site's own key for it.
    public var camera: String
    public var pattern: String
    public var operatingMode: OperatingMode?
    public var model: String?
    /// 0 to 1.
    public var confidence: Double
    public var occurredAt: Timestamp
    public var endedAt: Timestamp?
    public var receivedAt: Timestamp
    /// Boxes, keypoints, track, recording and attributes as a JSON object; nil without any.
    public var payload: [UInt8]?
    /// The content in canonical form, without id, camera and `occurred_at`: what a resend must
    /// equal.
    public var content: [UInt8]

    public init(
        id: DetectionID, site: SiteID, node: NodeID, camera: String, pattern: String,
        operatingMode: OperatingMode?, model: String?, confidence: Double, occurredAt: Timestamp,
        endedAt: Timestamp?, receivedAt: Timestamp, payload: [UInt8]?, content: [UInt8]
    ) {
        self.id = id
        self.site = site
        self.node = node
        self.camera = camera
        self.pattern = pattern
        self.operatingMode = operatingMode
        self.model = model
        self.confidence = confidence
        self.occurredAt = occurredAt
        self.endedAt = endedAt
        self.receivedAt = receivedAt
        self.payload = payload
        self.content = content
    }
}

/// What became of a detection that was sent.
public enum IngestOutcome: Sendable, Equatable {
    /// Committed; the alarm that it raised or extended, if any.
    case created(AlarmID?)
    /// Committed before, with the same content.
    case duplicate(AlarmID?)
    /// Committed, but older than the retention period: it counts and has no alarm.
    case countedOnly
    case refused(DetectionRefusal)
}

/// Why a detection was not taken.
public enum DetectionRefusal: Sendable, Hashable {
    /// No such camera, or one of another site: the answer is the same.
    case unknownCamera
    /// It happened when the camera had been removed.
    case cameraRemoved
    case patternNotPermitted
    /// Its time is further ahead of our clock than is tolerated.
    case inFuture
    /// The same id and time were sent before with other content.
    case idReused
    /// PostgreSQL refuses to store it, for the reason given.
    case notStorable(String)
}

extension DetectionRefusal {
    /// Names the reason for programs, in problems and in the statistics.
    public var code: String {
        switch self {
        case .unknownCamera: "detection.unknown-camera"
        case .cameraRemoved: "detection.camera-removed"
        case .patternNotPermitted: "detection.pattern-not-permitted"
        case .inFuture: "detection.in-future"
        case .idReused: "detection.id-reused"
        case .notStorable: "detection.not-storable"
        }
    }
}
