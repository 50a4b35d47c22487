/// What a node can recognise: the closed catalogue of patterns.
///
/// The raw value is the pattern's name in the API and the database. The first nine are Hamburg's
/// published list. Automatic evaluation is lawful only for patterns that indicate an offence, so a
/// site permits its own choice of these, each with its legal basis.
public enum BehaviourPattern: String, Hashable, Sendable, CaseIterable {
    case lying
    case falling
    case staggering
    case kicking
    case hitting
    case pushing
    case jostling
    case aggressivePosture = "aggressive_posture"
    case defensivePosture = "defensive_posture"
    case fighting
    case robbery
    case vandalism
    case weapon

    /// What a new site permits: all but lying, falling and staggering, which alone do not indicate
    /// an offence. They are refused until somebody enters a legal basis.
    public static let permittedByDefault: Set<BehaviourPattern> =
        Set(allCases).subtracting([.lying, .falling, .staggering])
}
