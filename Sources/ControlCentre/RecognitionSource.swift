/// How a matter came to be known first: derived from its earliest recognition, never chosen.
public enum RecognitionSource: String, Hashable, Sendable, CaseIterable {
    case automatic
    case observer
    case reported
}
