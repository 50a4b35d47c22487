/// Names a time in which a camera or a site works in another mode.
public struct ModeWindowID: UUIDIdentifier {
    public let uuid: UUID

    public init(_ uuid: UUID) { self.uuid = uuid }
}
