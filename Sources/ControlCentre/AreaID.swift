/// Names a watched area of a site.
public struct AreaID: UUIDIdentifier {
    public let uuid: UUID

    public init(_ uuid: UUID) { self.uuid = uuid }
}
