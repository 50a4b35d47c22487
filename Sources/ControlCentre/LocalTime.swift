/// A date and time of day as clocks on the wall show it, which names no instant by itself.
public struct LocalTime: Hashable, Sendable {
    /// The instant at which clocks in UTC show it.
    public let inUTC: Timestamp

    public init(inUTC: Timestamp) { self.inUTC = inUTC }

    /// Reads `2022-10-30T02:30`, with seconds and their fraction or without, or returns nil.
    public init?(_ text: String) {
        let seconds = text.utf8.count == Self.bytesWithoutSeconds ? ":00" : ""
        guard let instant = Timestamp(rfc3339: text + seconds + "Z") else { return nil }
        inUTC = instant
    }

    private static let bytesWithoutSeconds = 16

    /// How far clocks that show it at an instant are ahead of UTC, as RFC 3339 writes it: `+02:00`.
    public func offset(at instant: Timestamp) -> String {
        let minutes = (inUTC - instant).wholeMicroseconds / 60_000_000
        func twoDigits(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let size = minutes.magnitude
        return (minutes < 0 ? "-" : "+") + twoDigits(Int64(size / 60)) + ":"
            + twoDigits(Int64(size % 60))
    }
}

extension LocalTime: CustomStringConvertible {
    /// `2022-10-30T02:30:00`, with a fraction if there is one.
    public var description: String {
        let text = inUTC.rfc3339.dropLast()
        return text.hasSuffix(".000000") ? String(text.dropLast(7)) : String(text)
    }
}
