/// What detections must share to belong to one episode.
public struct CorrelationKey: Hashable, Sendable {
    public let site: SiteID
    public let camera: CameraID
    public let pattern: BehaviourPattern
    public let mode: OperatingMode
    /// The version of the node's model; nil in production, and where the node named none.
    public let modelVersion: String?

    /// The key of a detection.
    ///
    /// In production the model's version is left out: an update must not split what an observer is
    /// handling. In the other modes it is what is being compared.
    public init(
        site: SiteID, camera: CameraID, pattern: BehaviourPattern, mode: OperatingMode,
        modelVersion: String?
    ) {
        self.site = site
        self.camera = camera
        self.pattern = pattern
        self.mode = mode
        self.modelVersion = mode == .production ? nil : modelVersion
    }
}
