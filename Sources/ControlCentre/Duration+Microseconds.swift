extension Duration {
    /// The whole microseconds in it, rounded towards zero and saturating at the ends of `Int64`.
    var wholeMicroseconds: Int64 {
        let (seconds, attoseconds) = components
        let (whole, overflows) = seconds.multipliedReportingOverflow(by: 1_000_000)
        let (sum, overflowsToo) = whole.addingReportingOverflow(attoseconds / 1_000_000_000_000)
        guard !overflows, !overflowsToo else { return seconds < 0 ? .min : .max }
        return sum
    }
}
