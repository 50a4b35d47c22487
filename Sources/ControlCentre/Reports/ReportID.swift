/// Names a frozen report.
public struct ReportID: UUIDIdentifier {
    public let uuid: UUID

    public init(_ uuid: UUID) { self.uuid = uuid }
}
