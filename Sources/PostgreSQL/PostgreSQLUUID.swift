/// A UUID as PostgreSQL's type `uuid` holds it: 16 bytes, no version required.
///
/// A value of its own so that this module needs neither Foundation nor the domain's id types;
/// both convert by the two halves.
public struct PostgreSQLUUID: Hashable, Sendable {
    /// The first eight bytes, most significant first.
    public let high: UInt64
    /// The last eight bytes, most significant first.
    public let low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
}
