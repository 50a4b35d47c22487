/// Names an alarm.
public struct AlarmID: UUIDIdentifier {
    public let uuid: UUID

    public init(_ uuid: UUID) { self.uuid = uuid }
}
