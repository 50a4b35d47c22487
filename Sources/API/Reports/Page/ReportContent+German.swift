import ControlCentre

extension ReportContent.Value {
    /// As it is printed; nil of no value.
    ///
    /// - Parameter measure: its name tells the unit.
    func german(of measure: String) -> String? {
        switch self {
        case .none: nil
        case .state(let state): Self.german(state: state)
        case .whole(let number):
            measure.hasSuffix("_seconds")
                ? German.duration(seconds: Double(number)) : German.number(number)
        case .fraction(let number):
            measure.hasSuffix("_seconds")
                ? German.duration(seconds: number) : German.number(number, decimals: 3)
        }
    }

    private static func german(state: String) -> String {
        RecordingState(rawValue: state)?.german ?? state
    }

    var isNumber: Bool {
        switch self {
        case .whole, .fraction: true
        case .state, .none: false
        }
    }
}

extension ReportContent {
    func word(for dimension: String) -> String { words.dimensions[dimension] ?? dimension }

    /// What a key of a group is called; nil is a case without a value.
    func word(for key: String?, of dimension: String) -> String {
        guard let key else { return "ohne Angabe" }
        return words.values[dimension]?[key] ?? key
    }

    func word(forMeasure measure: String) -> String { words.measures[measure] ?? measure }

    /// An instant as the report's time zone shows it.
    func local(_ instant: String) -> String {
        words.instants[instant].map { German.moment($0) } ?? instant
    }
}

extension ReportContent.Part {
    /// The comparison's word; nil of the period asked about.
    var word: String? { PeriodComparison(rawValue: name)?.german }

    /// `1. Januar bis 31. Oktober 2023`; sites' days differ in their instants alone.
    var period: String {
        spans.first.map { German.period(localFrom: $0.localFrom, localTo: $0.localTo) } ?? ""
    }

    /// The period with what it is to the one asked about.
    var heading: String { word.map { "\(period) (\($0))" } ?? period }
}
