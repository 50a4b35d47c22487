extension StatisticsAnswer {
    /// The total as a ministry writes it into a sentence: `552 (gesamtes Vorjahr: 686)`.
    public var germanSentence: String {
        let word = period.germanWord(of: question.metric)
        let figure = word + period.germanTotal(of: question.metric)
        guard !comparisons.isEmpty else { return figure }
        let others = comparisons.map { comparison, part in
            "\(comparison.german): \(part.germanTotal(of: question.metric))"
        }
        return "\(figure) (\(others.joined(separator: "; ")))"
    }
}

extension StatisticsAnswer.Part {
    /// What the number is, where the metric says several.
    fileprivate func germanWord(of metric: Metric) -> String {
        guard total.state == .complete else { return "" }
        let measures = MetricDefinition.current(of: metric).measures
        if measures.contains(.median) {
            return total.tallies.number(of: .median) == nil ? "" : "im Median "
        }
        guard measures.count > 1, let first = measures.first else { return "" }
        return "\(first.german): "
    }

    /// A number, or why there is none; of times the median.
    fileprivate func germanTotal(of metric: Metric) -> String {
        guard total.state == .complete else { return total.state.german }
        let measures = MetricDefinition.current(of: metric).measures
        if measures.contains(.median) {
            return total.tallies.number(of: .median)
                .map { German.duration(seconds: $0) } ?? "nicht bekannt"
        }
        guard let measure = measures.first, let number = total.tallies.number(of: measure) else {
            return "kein Wert"
        }
        return measure.isWhole
            ? German.number(Int64(number)) : German.number(number, decimals: 3)
    }
}
