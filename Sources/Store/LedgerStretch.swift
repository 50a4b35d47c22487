import ControlCentre
import PostgreSQL

/// A stretch of time at one site, and the parts of an answer to which all of it belongs.
///
/// The periods that a question is compared with overlap: what lies in two of them is read once.
struct LedgerStretch {
    /// Bit n: belongs to part n.
    let parts: Int32
    let site: SiteID
    let timeZone: String
    let from: Timestamp
    let to: Timestamp
    /// The local months that it consists of, if it consists of whole ones.
    let months: LedgerSpan.Months?

    /// The whole months of the spans.
    static func wholeMonths(of spans: [LedgerSpan]) -> [LedgerStretch] {
        split(spans) { span in span.months.map { ($0.from, $0.to) } }
    }

    /// What is before and behind the whole months of the spans.
    static func fringes(of spans: [LedgerSpan]) -> [LedgerStretch] {
        split(spans) { span in (span.span.from, span.months?.from ?? span.span.to) }
            + split(spans) { span in span.months.map { ($0.to, span.span.to) } }
    }

    /// The whole of the spans.
    static func all(of spans: [LedgerSpan]) -> [LedgerStretch] {
        split(spans) { span in (span.span.from, span.span.to) }
    }

    /// Cuts an interval of each span where one of another span of its site begins or ends.
    private static func split(
        _ spans: [LedgerSpan], _ interval: (LedgerSpan) -> (from: Timestamp, to: Timestamp)?
    ) -> [LedgerStretch] {
        var stretches: [LedgerStretch] = []
        for (site, spans) in Dictionary(grouping: spans, by: \.span.site) {
            let intervals = spans.compactMap { span in
                interval(span).map { (part: span.part, from: $0.from, to: $0.to) }
            }
            var names: [Timestamp: String] = [:]
            for months in spans.compactMap(\.months) {
                names[months.from] = months.first
                names[months.to] = months.end
            }
            let cuts = Set(intervals.flatMap { [$0.from, $0.to] }).sorted()
            for (from, to) in zip(cuts, cuts.dropFirst()) {
                let parts = intervals.reduce(Int32(0)) { parts, interval in
                    interval.from <= from && to <= interval.to
                        ? parts | 1 << interval.part : parts
                }
                guard parts != 0, let zone = spans.first?.span.timeZone else { continue }
                var months: LedgerSpan.Months?
                if let first = names[from], let end = names[to] {
                    months = LedgerSpan.Months(first: first, end: end, from: from, to: to)
                }
                stretches.append(
                    LedgerStretch(
                        parts: parts, site: site, timeZone: zone, from: from, to: to,
                        months: months))
            }
        }
        return stretches
    }
}

extension Query {
    /// Takes stretches and returns them as `s (parts, site, zone, lower, upper)`.
    mutating func bind(_ stretches: [LedgerStretch]) -> String {
        let parts = bind(.int32s(stretches.map(\.parts)))
        let sites = bind(.texts(stretches.map(\.site.description)))
        let zones = bind(.texts(stretches.map(\.timeZone)))
        let lower = bind(
            .timestamps(microsecondsSinceUnixEpoch: stretches.map(\.from.microsecondsSinceEpoch)))
        let upper = bind(
            .timestamps(microsecondsSinceUnixEpoch: stretches.map(\.to.microsecondsSinceEpoch)))
        return """
            unnest(\(parts), \(sites), \(zones), \(lower), \(upper))
                AS s (parts, site, zone, lower, upper)
            """
    }

    /// Takes stretches of whole months and returns them as `s (parts, site, first_month,
    /// end_month)`.
    mutating func bindMonths(_ stretches: [LedgerStretch]) -> String {
        let parts = bind(.int32s(stretches.map(\.parts)))
        let sites = bind(.texts(stretches.map(\.site.description)))
        let first = bind(.texts(stretches.map { $0.months?.first }))
        let end = bind(.texts(stretches.map { $0.months?.end }))
        return """
            unnest(\(parts), \(sites), \(first)::date[], \(end)::date[])
                AS s (parts, site, first_month, end_month)
            """
    }
}
