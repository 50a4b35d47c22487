/// Why an observer found that an alarm was not real.
public enum DismissalReason: String, Hashable, Sendable, CaseIterable {
    case play
    case embrace
    case crowd
    case sport
    case weather
    case animal
    case technical
    case other
}
