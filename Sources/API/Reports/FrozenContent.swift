import ControlCentre
import JSON
import Store

/// What a report says for ever, before it is bytes.
struct FrozenContent {
    let id: ReportID
    let draft: ReportDraft
    let timeZone: String
    let frozenAt: Timestamp
    let snapshot: StatisticsSnapshot
    /// In the order of the draft's figures.
    let answers: [StatisticsAnswer]
    /// The same as they are given out.
    let figures: [ReportContent.Figure]
    let predecessor: ReportContent.Predecessor?
    let names: PlaceNames
    /// Local texts of instants.
    let instants: [(instant: Timestamp, text: String)]
    /// In hexadecimal.
    let keyID: String

    /// RFC 8785 as `JSON.serialized(sortedKeys:)` has it: the bytes that are hashed and signed.
    var canonical: [UInt8] {
        var writer = JSONWriter()
        write(to: &writer)
        do throws(JSONError) {
            return try JSON.parse(writer.bytes).serialized(sortedKeys: true)
        } catch {
            preconditionFailure("what was written is no JSON: \(error)")
        }
    }

    private func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("format", "leitstand-report/1")
            writer.member("id", id.description)
            writer.member("title", draft.title)
            writer.member("reference", draft.reference)
            writer.member("stand", draft.stand)
            writer.member("site", draft.site?.description)
            writer.member("time_zone", timeZone)
            writer.member("frozen_at", frozenAt.rfc3339)
            writer.object("as_of") { writer in
                writer.member("asked", draft.asOf?.rfc3339)
                writer.member("known_at", snapshot.knownAt.rfc3339)
                writer.member("position", snapshot.position)
                writer.member("recorded_at", snapshot.recordedAt?.rfc3339)
            }
            writer.member("server_version", programVersion)
            writer.member(
                "tzdata_version", figures.compactMap { $0.answer["tzdata_version"]?.asString }.first
            )
            writer.member("key", keyID)
            writeQuestions(to: &writer)
            if let predecessor {
                writer.object("continues") { predecessor.write(to: &$0) }
            } else {
                writer.member("continues", nil as String?)
            }
            writer.array("definitions") { writer in
                for metric in Metric.allCases
                where answers.contains(where: { $0.question.metric == metric }) {
                    writer.object { MetricDefinition.current(of: metric).write(to: &$0) }
                }
            }
            writer.object("words") { writeWords(to: &$0) }
        }
    }

    private func writeQuestions(to writer: inout JSONWriter) {
        var rest = figures[...]
        writer.array("questions") { writer in
            for question in draft.questions {
                let figures = rest.prefix(question.answer.figures.count)
                rest = rest.dropFirst(figures.count)
                writer.object { writer in
                    writer.member("number", question.number)
                    writer.member("wording", question.wording)
                    writer.object("answer") { writer in
                        let (kind, text): (String, String?) =
                            switch question.answer {
                            case .figures(_, let text): ("figures", text)
                            case .text(let text): ("text", text)
                            case .notCollected(let text): ("not_collected", text)
                            }
                        writer.member("kind", kind)
                        writer.member("text", text)
                        writer.array("figures") { writer in
                            for figure in figures {
                                writer.object { figure.write(to: &$0) }
                            }
                        }
                    }
                }
            }
        }
    }

    // MARK: Words

    private func writeWords(to writer: inout JSONWriter) {
        var dimensions: [Dimension] = []
        var values: [Dimension: Set<String>] = [.site: []]
        for answer in answers {
            // A group whose cells have no value needs its own word all the same.
            for group in answer.question.groups where values[group] == nil { values[group] = [] }
            for part in [answer.period] + answer.comparisons.map(\.part) {
                values[.site]?.formUnion(part.spans.map(\.site.description))
                for cell in part.cells {
                    for (group, key) in zip(answer.question.groups, cell.keys) {
                        if let key { values[group, default: []].insert(key) }
                    }
                }
            }
            for filter in answer.question.filters {
                values[filter.dimension, default: []].formUnion(filter.values)
            }
        }
        dimensions = Dimension.allCases.filter { values[$0] != nil }
        writer.object("dimensions") { writer in
            for dimension in dimensions { writer.member(dimension.rawValue, dimension.german) }
        }
        writer.object("measures") { writer in
            for measure in Measure.allCases { writer.member(measure.rawValue, measure.german) }
        }
        writer.object("values") { writer in
            for dimension in dimensions {
                writer.object(dimension.rawValue) { writer in
                    for value in (values[dimension] ?? []).sorted() {
                        guard let word = word(for: value, of: dimension) else { continue }
                        writer.member(value, word)
                    }
                }
            }
        }
        writer.object("instants") { writer in
            for (instant, text) in instants { writer.member(instant.rfc3339, text) }
        }
    }

    private func word(for value: String, of dimension: Dimension) -> String? {
        switch dimension {
        case .site: names.sites[value]
        case .area: names.areas[value]
        case .camera: names.cameras[value]
        default: dimension.german(of: value)
        }
    }
}

extension ReportContent.Figure {
    fileprivate func write(to writer: inout JSONWriter) {
        writer.member("caption", caption)
        writer.object("question") { writer in
            writer.member("metric", metric)
            writer.object("parameters") { writer in
                for (name, value) in parameters { writer.member(name, value) }
            }
        }
        writer.member("answer", answer)
    }
}

extension ReportContent.Predecessor {
    fileprivate func write(to writer: inout JSONWriter) {
        writer.member("reference", reference)
        writer.member("stand", stand)
        writer.member("report", report)
        writer.array("figures") { writer in
            for pair in pairs {
                writer.object { writer in
                    writer.member("question", pair.question)
                    writer.member("figure", pair.figure)
                    writer.object("group") { writer in
                        for (name, key) in pair.group { writer.member(name, key) }
                    }
                    writer.member("measure", pair.measure)
                    writer.object("earlier") { writer in
                        writer.member("value", pair.earlier.json)
                        writer.member("local_from", pair.earlierPeriod?.localFrom)
                        writer.member("local_to", pair.earlierPeriod?.localTo)
                    }
                    writer.member("value", pair.now.json)
                }
            }
        }
    }
}
