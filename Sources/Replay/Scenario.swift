import ControlCentre

/// A site and what happens at it, to be played as if its cameras saw it now.
///
/// Read from `scenario.json`; see `deploy/scenarios/mannheim/README.md` for the format.
public struct Scenario: Sendable, Equatable {
    public struct Site: Sendable, Equatable {
        public let id: SiteID
        public let name: String
        /// An IANA name such as `Europe/Berlin`.
        public let timeZone: String
    }

    /// The node that reports.
    public struct Node: Sendable, Equatable {
        public let name: String
        public let model: String
    }

    public struct Area: Sendable, Equatable {
        /// Names the area within the scenario.
        public let key: String
        public let name: String
    }

    /// A camera, which shows one recording.
    public struct Camera: Sendable, Equatable {
        /// The site's own key for it, by which detections name it.
        public let key: String
        /// The key of its area.
        public let area: String
        public let name: String
        public let recording: String
        /// When the recording begins, from the beginning of the evening; before it if negative.
        public let startsAt: Duration
        public let incidents: [Incident]
    }

    /// What happens in a recording.
    public struct Incident: Sendable, Equatable {
        /// The class that the recording's annotators gave it.
        public let annotatedClass: String
        /// Both ends included, counted from 1.
        public let frames: ClosedRange<Int>
        public let nature: Nature
    }

    /// What becomes of an incident in a control centre.
    public enum Nature: Sendable, Equatable {
        /// A node reports it as this pattern.
        case reported(BehaviourPattern)
        /// No pattern of ours: no node reports it. An observer may see it, and would count it so.
        case observable(Category)
    }

    public enum Category: String, Sendable, CaseIterable {
        case criminalOffence = "criminal_offence"
        case administrativeOffence = "administrative_offence"
        case hazardPrevention = "hazard_prevention"
    }

    /// Where its facts come from, for people.
    public let source: String
    public let site: Site
    public let node: Node
    public let framesPerSecond: Int
    /// The confidence of each detection.
    public let confidence: Double
    public let areas: [Area]
    public let cameras: [Camera]
}
