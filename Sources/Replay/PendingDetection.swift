import ControlCentre
import JSON

/// A detection that the node has made: the same bytes however often it is sent.
struct PendingDetection {
    let json: [UInt8]

    /// Makes the detection of a moment as one that occurs at `instant`.
    init(_ moment: Timeline.Moment, of scenario: Scenario, at instant: Timestamp) {
        let camera = scenario.cameras[moment.camera]
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("id", DetectionID.make(at: instant).description)
            writer.member("camera", camera.key)
            writer.member("pattern", moment.pattern.rawValue)
            writer.member("confidence", scenario.confidence)
            writer.member("occurred_at", instant.rfc3339)
            writer.member("recording", camera.recording)
            writer.object("attributes") { writer in
                writer.member("class", moment.annotatedClass)
                writer.member("frame", moment.frame)
            }
        }
        json = writer.bytes
    }

    /// The body of a request for some of them: one alone, or an array.
    static func body(of detections: [PendingDetection]) -> [UInt8] {
        if detections.count == 1 { return detections[0].json }
        var writer = JSONWriter()
        writer.array { writer in
            for detection in detections { writer.raw(detection.json) }
        }
        return writer.bytes
    }
}
