/// Names an ordered interruption of the watching.
public struct InterruptionID: UUIDIdentifier {
    public let uuid: UUID

    public init(_ uuid: UUID) { self.uuid = uuid }
}
