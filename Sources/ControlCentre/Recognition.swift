/// One way in which a matter came to be known, and when.
public struct Recognition: Hashable, Sendable {
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        /// The server received an alarm of it.
        case alarm
        /// An observer saw it.
        case observer
        /// Somebody called.
        case call
    }

    public let kind: Kind
    public let at: Timestamp
    /// Of kind alarm: which one.
    public let alarm: AlarmID?
    /// Nobody said when: it stands at the time of the matter, and moves with it.
    public let isAssumed: Bool

    /// The receipt of an alarm.
    public static func alarm(_ alarm: AlarmID, receivedAt instant: Timestamp) -> Recognition {
        Recognition(kind: .alarm, at: instant, alarm: alarm, isAssumed: false)
    }

    /// What an observer saw.
    public static func observer(at instant: Timestamp, isAssumed: Bool = false) -> Recognition {
        Recognition(kind: .observer, at: instant, alarm: nil, isAssumed: isAssumed)
    }

    /// What a caller said.
    public static func call(at instant: Timestamp) -> Recognition {
        Recognition(kind: .call, at: instant, alarm: nil, isAssumed: false)
    }

    /// How a matter is known if this is its earliest recognition.
    public var source: RecognitionSource {
        switch kind {
        case .alarm: .automatic
        case .observer: .observer
        case .call: .reported
        }
    }

    /// The one that counts: the earliest, and of several at the same instant the first in the order
    /// of ``Kind``.
    public static func earliest(of recognitions: [Recognition]) -> Recognition? {
        recognitions.min { ($0.at, rank($0.kind)) < ($1.at, rank($1.kind)) }
    }

    private static func rank(_ kind: Kind) -> Int {
        switch kind {
        case .alarm: 0
        case .observer: 1
        case .call: 2
        }
    }
}
