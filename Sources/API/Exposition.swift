/// Prometheus' text format, version 0.0.4, as it is written.
struct Exposition {
    private(set) var text = ""

    mutating func family(_ name: String, _ type: String, _ help: String) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
    }

    /// What a person has named, as the value of a label.
    static func escaped(_ name: String) -> String {
        name.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
    }

    mutating func sample(_ name: String, _ labels: String, _ value: Double) {
        let number = value == value.rounded() ? String(Int64(value)) : String(value)
        text += labels.isEmpty ? "\(name) \(number)\n" : "\(name){\(labels)} \(number)\n"
    }

    mutating func histogram(_ name: String, _ labels: String, _ histogram: Histogram) {
        let prefix = labels.isEmpty ? "" : labels + ","
        var cumulative: UInt64 = 0
        for (bound, count) in zip(histogram.bounds, histogram.counts) {
            cumulative += count
            sample("\(name)_bucket", "\(prefix)le=\"\(bound)\"", Double(cumulative))
        }
        cumulative += histogram.counts[histogram.bounds.count]
        sample("\(name)_bucket", "\(prefix)le=\"+Inf\"", Double(cumulative))
        sample("\(name)_sum", labels, histogram.sum)
        sample("\(name)_count", labels, Double(cumulative))
    }
}
