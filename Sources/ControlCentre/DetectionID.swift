/// The name that a node gave a detection.
///
/// It is unique only together with the site and `occurred_at`: the same id at another instant is
/// another detection.
public struct DetectionID: UUIDIdentifier {
    public let uuid: UUID

    public init(_ uuid: UUID) { self.uuid = uuid }
}
