import ControlCentre
import JSON

/// What a replay did, for people and for programs.
public struct Summary: Sendable {
    public let site: SiteID
    public let timeline: Timeline
    public let speed: Double
    public let tally: Tally
    public let ending: Playback.Ending
    public let elapsed: Duration

    public init(
        site: SiteID, timeline: Timeline, speed: Double, tally: Tally, ending: Playback.Ending,
        elapsed: Duration
    ) {
        self.site = site
        self.timeline = timeline
        self.speed = speed
        self.tally = tally
        self.ending = ending
        self.elapsed = elapsed
    }

    /// Whether each detection that was made arrived and was taken.
    public var isComplete: Bool {
        if case .failed = ending { return false }
        return tally.refused == 0 && tally.waiting == 0
    }

    /// Some lines of English.
    public var text: String {
        var lines = [
            "\(verb) \(site): \(timeline.incidentCount) incidents of \(timeline.cameraCount) cameras,"
                + " in \(seconds(elapsed)) s at speed \(number(speed))",
            "detections: \(tally.sent) sent, \(tally.created) created, \(tally.duplicates)"
                + " duplicates, \(tally.refused) refused, \(tally.waiting) lost",
            "alarms: \(tally.alarms.count)"
                + (tally.alarms.first.map { ", the first \($0)" } ?? ""),
        ]
        if tally.countedOnly > 0 {
            lines.append("counted only, as too old for an alarm: \(tally.countedOnly)")
        }
        for (code, count) in tally.refusals.sorted(by: { $0.key < $1.key }) {
            lines.append("refused as \(code): \(count)")
        }
        if tally.absences > 0 {
            lines.append(
                "the server was away \(tally.absences) time\(tally.absences == 1 ? "" : "s");"
                    + " requests sent again: \(tally.resends)")
        }
        if case .failed(let reason) = ending { lines.append("failed: \(reason)") }
        return lines.joined(separator: "\n")
    }

    /// One JSON object with the same content, and all alarms.
    public var json: [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("site", site.description)
            writer.member("ending", endingName)
            if case .failed(let reason) = ending {
                writer.member("reason", reason)
            } else {
                writer.member("reason", nil as String?)
            }
            writer.member("speed", speed)
            writer.member("elapsed_seconds", elapsed / .seconds(1))
            writer.member("incidents", timeline.incidentCount)
            writer.member("cameras", timeline.cameraCount)
            writer.member("scheduled", timeline.moments.count)
            writer.member("made", tally.made)
            writer.member("sent", tally.sent)
            writer.member("created", tally.created)
            writer.member("duplicates", tally.duplicates)
            writer.member("counted_only", tally.countedOnly)
            writer.member("refused", tally.refused)
            writer.member("lost", tally.waiting)
            writer.member("absences", tally.absences)
            writer.member("resends", tally.resends)
            writer.object("refusals") { writer in
                for (code, count) in tally.refusals.sorted(by: { $0.key < $1.key }) {
                    writer.member(code, count)
                }
            }
            writer.array("alarms") { writer in
                for alarm in tally.alarms { writer.value(alarm) }
            }
        }
        return writer.bytes
    }

    private var verb: String {
        switch ending {
        case .finished: "replayed"
        case .stopped: "stopped replaying"
        case .failed: "failed to replay"
        }
    }

    private var endingName: String {
        switch ending {
        case .finished: "finished"
        case .stopped: "stopped"
        case .failed: "failed"
        }
    }

    private func seconds(_ duration: Duration) -> String {
        number((duration / .seconds(1) * 10).rounded() / 10)
    }

    private func number(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e9 ? "\(Int(value))" : "\(value)"
    }
}
