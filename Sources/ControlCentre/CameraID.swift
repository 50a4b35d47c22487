/// Names a camera.
public struct CameraID: UUIDIdentifier {
    public let uuid: UUID

    public init(_ uuid: UUID) { self.uuid = uuid }
}
