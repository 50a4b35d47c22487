/// How many cases there are of each value, and how many of which the value is not known.
public struct Distribution: Sendable, Hashable {
    /// By value.
    private var counts: [Int64: Int64] = [:]
    public private(set) var missing: Int64 = 0

    public init() {}

    /// How many cases have a known value.
    public var known: Int64 { counts.values.reduce(0, +) }

    /// All cases, whether their values are known or not.
    public var count: Int64 { known + missing }

    /// - Parameter value: nil: it is not known.
    public mutating func add(_ count: Int64, of value: Int64?) {
        guard let value else {
            missing += count
            return
        }
        counts[value, default: 0] += count
    }

    /// How many cases have that value.
    public func count(of value: Int64) -> Int64 { counts[value] ?? 0 }

    public mutating func add(_ other: Distribution) {
        missing += other.missing
        counts.merge(other.counts, uniquingKeysWith: +)
    }

    /// The arithmetic mean; nil of no cases.
    public var mean: Double? {
        let known = known
        guard known > 0 else { return nil }
        let sum = counts.reduce(0) { $0 + $1.key * $1.value }
        return Double(sum) / Double(known)
    }

    /// The value below which that fraction lies, interpolated between two neighbours as
    /// PostgreSQL's `percentile_cont` does; nil of no cases.
    public func percentile(_ fraction: Double) -> Double? {
        precondition((0...1).contains(fraction), "a percentile outside 0 and 1")
        let sorted = counts.filter { $0.value > 0 }.sorted { $0.key < $1.key }
        let known = sorted.reduce(0) { $0 + $1.value }
        guard known > 0 else { return nil }
        let place = fraction * Double(known - 1)
        let lower = Self.value(at: Int64(place.rounded(.down)), in: sorted)
        let upper = Self.value(at: Int64(place.rounded(.up)), in: sorted)
        return lower + (place - place.rounded(.down)) * (upper - lower)
    }

    private static func value(
        at place: Int64, in sorted: [(key: Int64, value: Int64)]
    ) -> Double {
        var before: Int64 = 0
        for (value, count) in sorted {
            before += count
            if place < before { return Double(value) }
        }
        preconditionFailure("a place behind the last case")
    }
}
