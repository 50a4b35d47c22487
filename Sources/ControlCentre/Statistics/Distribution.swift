/// How many cases there are of each value, and how many of which the value is not known.
public struct Distribution: Sendable, Hashable {
    /// Some cases of one value; fewer than none take back what was counted before.
    public struct Entry: Sendable, Hashable {
        public var value: Int64
        public var count: Int64

        public init(value: Int64, count: Int64) {
            self.value = value
            self.count = count
        }
    }

    /// By ascending value, each once, none of a count of zero.
    private var entries: [Entry] = []
    public private(set) var missing: Int64 = 0

    public init() {}

    /// How many cases have a known value.
    public var known: Int64 { entries.reduce(0) { $0 + $1.count } }

    public var isEmpty: Bool { entries.isEmpty && missing == 0 }

    /// All cases, whether their values are known or not.
    public var count: Int64 { known + missing }

    /// In their order.
    public var values: [Int64] { entries.map(\.value) }

    /// - Parameter value: nil: it is not known.
    public mutating func add(_ count: Int64, of value: Int64?) {
        guard let value else {
            missing += count
            return
        }
        let place = place(of: value)
        if place < entries.count, entries[place].value == value {
            entries[place].count += count
            if entries[place].count == 0 { entries.remove(at: place) }
        } else if count != 0 {
            entries.insert(Entry(value: value, count: count), at: place)
        }
    }

    /// Adds many at once, in any order; quickest where stretches of them are in order already.
    public mutating func add(_ more: [Entry]) {
        entries += more
        entries.sort { $0.value < $1.value }
        var last = -1
        for entry in entries {
            if last >= 0, entries[last].value == entry.value {
                entries[last].count += entry.count
            } else {
                if last < 0 || entries[last].count != 0 { last += 1 }
                entries[last] = entry
            }
        }
        if last >= 0, entries[last].count == 0 { last -= 1 }
        entries.removeSubrange((last + 1)...)
    }

    /// How many cases have that value.
    public func count(of value: Int64) -> Int64 {
        let place = place(of: value)
        return place < entries.count && entries[place].value == value ? entries[place].count : 0
    }

    /// How many cases have a greater value.
    public func count(above value: Int64) -> Int64 {
        entries.reduce(0) { $1.value > value ? $0 + $1.count : $0 }
    }

    /// The greatest value; nil of no cases.
    public var maximum: Int64? { entries.last?.value }

    /// Which part of all cases has one of the values that most have; nil of no cases.
    public func share(ofMostFrequent most: Int) -> Double? {
        guard known > 0 else { return nil }
        let counts = entries.map(\.count).sorted(by: >)
        return Double(counts.prefix(most).reduce(0, +)) / Double(known)
    }

    public mutating func add(_ other: Distribution) {
        missing += other.missing
        add(other.entries)
    }

    /// Where a value is, or where it belongs.
    private func place(of value: Int64) -> Int {
        var (lower, upper) = (0, entries.count)
        while lower < upper {
            let middle = (lower + upper) / 2
            if entries[middle].value < value { lower = middle + 1 } else { upper = middle }
        }
        return lower
    }

    /// The arithmetic mean; nil of no cases.
    public var mean: Double? {
        let known = known
        guard known > 0 else { return nil }
        let sum = entries.reduce(0) { $0 + $1.value * $1.count }
        return Double(sum) / Double(known)
    }

    /// The value below which that fraction lies, interpolated between two neighbours as
    /// PostgreSQL's `percentile_cont` does; nil of no cases.
    public func percentile(_ fraction: Double) -> Double? {
        precondition((0...1).contains(fraction), "a percentile outside 0 and 1")
        let known = entries.reduce(0) { $0 + max(0, $1.count) }
        guard known > 0 else { return nil }
        let place = fraction * Double(known - 1)
        let lower = value(at: Int64(place.rounded(.down)))
        let upper = value(at: Int64(place.rounded(.up)))
        return lower + (place - place.rounded(.down)) * (upper - lower)
    }

    private func value(at place: Int64) -> Double {
        var before: Int64 = 0
        for entry in entries where entry.count > 0 {
            before += entry.count
            if place < before { return Double(entry.value) }
        }
        preconditionFailure("a place behind the last case")
    }
}
