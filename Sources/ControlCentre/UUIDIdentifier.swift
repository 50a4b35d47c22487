/// An identifier that is a UUID, written in lower case.
public protocol UUIDIdentifier: Identifier {
    /// The identifier's bytes.
    var uuid: UUID { get }

    /// The identifier with these bytes.
    init(_ uuid: UUID)
}

extension UUIDIdentifier {
    /// Reads a UUID in its canonical form, in any case.
    public init?(_ text: String) {
        guard let uuid = UUID(text) else { return nil }
        self.init(uuid)
    }

    /// A new identifier of version 7, made at `instant`.
    public static func make(at instant: Timestamp) -> Self {
        Self(UUID.v7(at: instant))
    }

    public var description: String { uuid.description }

    public static func < (left: Self, right: Self) -> Bool { left.uuid < right.uuid }
}
