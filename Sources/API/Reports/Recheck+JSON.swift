import JSON
import Store

extension Recheck {
    /// - Parameter showingEntries: also what the rows of the journal are about, for those who may
    ///   read them; otherwise their positions alone.
    public func json(showingEntries: Bool) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("report", id.description)
            writer.member("checked_at", instant.rfc3339)
            writer.member("intact", isIntact)
            writer.object("tzdata_version") { writer in
                writer.member("frozen", frozenZones)
                writer.member("present", presentZones)
            }
            writer.object("same_position") {
                samePosition.write(to: &$0, showingEntries: showingEntries)
            }
            writer.object("now") { now.write(to: &$0, showingEntries: showingEntries) }
        }
        return writer.bytes
    }
}

extension Recheck.Comparison {
    /// Of more it is told only how many.
    private static let differencesMax = 1_000

    fileprivate func write(to writer: inout JSONWriter, showingEntries: Bool) {
        writer.member("position", position)
        writer.member("identical", isIdentical)
        writer.array("differences") { writer in
            for difference in differences.prefix(Self.differencesMax) {
                writer.object { difference.write(to: &$0, showingEntries: showingEntries) }
            }
        }
        writer.member("differences_omitted", max(0, differences.count - Self.differencesMax))
    }
}

extension Recheck.Difference {
    private static let entriesMax = 100

    fileprivate func write(to writer: inout JSONWriter, showingEntries: Bool) {
        writer.member("question", question)
        writer.member("figure", figure)
        writer.member("period", period)
        writer.member("row", row.rawValue)
        writer.object("group") { writer in
            for (name, key) in group { writer.member(name, key) }
        }
        writer.member("measure", measure)
        writer.member("before", before.json)
        writer.member("after", after.json)
        let entries = entries(showingEntries: showingEntries)
        writer.array("entries") { writer in
            for (position, event, subject) in entries.prefix(Self.entriesMax) {
                writer.object { writer in
                    writer.member("position", position)
                    if showingEntries {
                        writer.member("event", event)
                        writer.member("subject", subject)
                    }
                }
            }
        }
        writer.member("entries_omitted", max(0, entries.count - Self.entriesMax))
    }

    private func entries(showingEntries: Bool) -> [(Int64, event: String, subject: String)] {
        var positions: Set<Int64> = []
        return changes.filter { showingEntries || positions.insert($0.position).inserted }
            .map { ($0.position, $0.event, $0.subject) }
    }
}
