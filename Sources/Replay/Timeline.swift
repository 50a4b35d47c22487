import ControlCentre

/// What the node of a scenario reports and when, from the first detection on.
///
/// Pure: the same scenario gives the same timeline.
public struct Timeline: Sendable, Equatable {
    /// One detection to be made.
    public struct Moment: Sendable, Equatable {
        /// From the first detection of the scenario.
        public let offset: Duration
        /// Which of the scenario's cameras sees it.
        public let camera: Int
        public let pattern: BehaviourPattern
        public let annotatedClass: String
        /// The frame of the camera's recording.
        public let frame: Int
    }

    /// By time, then by camera.
    public let moments: [Moment]
    /// How many incidents are reported.
    public let incidentCount: Int
    /// How many cameras report any.
    public let cameraCount: Int

    /// From the first to the last detection.
    public var duration: Duration { moments.last?.offset ?? .zero }

    /// How often an incident is reported while it lasts.
    private static let reportsPerSecond = 2

    public init(_ scenario: Scenario) {
        var moments: [Moment] = []
        var incidentCount = 0
        var reporting: Set<Int> = []
        for (index, camera) in scenario.cameras.enumerated() {
            for incident in camera.incidents {
                guard case .reported(let pattern) = incident.nature else { continue }
                incidentCount += 1
                reporting.insert(index)
                let step = max(1, scenario.framesPerSecond / Self.reportsPerSecond)
                for frame in stride(
                    from: incident.frames.lowerBound, through: incident.frames.upperBound, by: step)
                {
                    moments.append(
                        Moment(
                            offset: camera.startsAt + scenario.time(ofFrame: frame), camera: index,
                            pattern: pattern, annotatedClass: incident.annotatedClass,
                            frame: frame))
                }
            }
        }
        moments.sort { ($0.offset, $0.camera, $0.frame) < ($1.offset, $1.camera, $1.frame) }
        let first = moments.first?.offset ?? .zero
        self.moments = moments.map { $0.earlier(by: first) }
        self.incidentCount = incidentCount
        cameraCount = reporting.count
    }
}

extension Timeline.Moment {
    fileprivate func earlier(by time: Duration) -> Self {
        Self(
            offset: offset - time, camera: camera, pattern: pattern,
            annotatedClass: annotatedClass, frame: frame)
    }
}

extension Scenario {
    /// From the beginning of a recording; its first frame is frame 1.
    fileprivate func time(ofFrame frame: Int) -> Duration {
        .microseconds(Int64(frame - 1) * 1_000_000 / Int64(framesPerSecond))
    }
}
