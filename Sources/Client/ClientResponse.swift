import HTTP2

/// A whole response.
public struct ClientResponse: Sendable {
    public let status: Int
    /// The fields in the order in which they came, names in lower case, without `:status`.
    public let fields: [HeaderField]
    public let body: [UInt8]

    /// The value of the first field of that name, which is given in lower case.
    public func field(_ name: String) -> String? {
        fields.first { $0.name == name }?.value
    }
}
