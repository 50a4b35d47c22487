/// By what figures can be parted, and of what they can be restricted to some values.
public enum Dimension: String, Hashable, Sendable, CaseIterable {
    // Of the metric's clock, in the site's time zone
    case month
    case week
    case day
    case hourOfDay = "hour_of_day"
    case weekday

    case site
    case area
    case monitored
    case camera
    case category
    case subcategory
    case source
    case pattern
    case model
    case rule
    case precinct
    case operatingMode = "operating_mode"
    case dismissalReason = "dismissal_reason"
    /// A matter may have several: the parts add up to more than the total.
    case outcome
    case late
    case immediate

    /// Whether its values are stretches of the calendar, of which a question takes one kind.
    public var isCalendar: Bool { self == .month || self == .week || self == .day }

    /// All its values in their order, where they are the same everywhere; nil: what occurs.
    public var values: [String]? {
        switch self {
        case .hourOfDay: (0..<24).map { $0 < 10 ? "0\($0)" : "\($0)" }
        case .weekday: ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
        case .monitored, .late, .immediate: ["true", "false"]
        case .category: Category.allCases.map(\.rawValue)
        case .source: RecognitionSource.allCases.map(\.rawValue)
        case .operatingMode: OperatingMode.allCases.map(\.rawValue)
        case .dismissalReason: DismissalReason.allCases.map(\.rawValue)
        case .month, .week, .day, .site, .area, .camera, .subcategory, .pattern, .model, .rule,
            .precinct, .outcome:
            nil
        }
    }

    /// Whether a text can be one of its values.
    public func takes(_ text: String) -> Bool {
        if let values { return values.contains(text) }
        return switch self {
        case .area, .camera: UUID(text)?.description == text
        case .rule: Int32(text).map { $0 > 0 && $0.description == text } ?? false
        case .site: SiteID(text) != nil
        case .subcategory: Subcategory(rawValue: text) != nil
        case .pattern: BehaviourPattern(rawValue: text) != nil
        case .outcome: IncidentOutcome(rawValue: text) != nil
        default: (1...200).contains(text.unicodeScalars.count)
        }
    }
}
