import ControlCentre

extension ReportPage {
    /// What has to be known to read a figure rightly.
    func writeNotes(on figure: ReportContent.Figure, to writer: inout HTMLWriter) {
        writer.element("ul", ["class": "notes"]) { writer in
            for part in figure.parts where part.hasOtherLength {
                writer.element("li", lengths(figure.parts[0], part))
            }
            for part in figure.parts {
                guard let included = part.included, !included.isEmpty else { continue }
                writer.element("li", "Mitgezählt, \(part.period): \(words(for: included)).")
            }
            for part in figure.parts where !part.leftOut.isEmpty {
                writer.element(
                    "li", "Nicht enthalten, \(part.period): \(words(for: part.leftOut)).")
            }
            if let threshold = figure.parameters.first(where: { $0.name == "suppress_below" }) {
                writer.element(
                    "li",
                    "„Unterdrückt“ sind Zahlen unter \(threshold.value), Null ausgenommen, und so "
                        + "viele weitere, dass sich keine von ihnen errechnen lässt.")
            }
            for note in recordingNotes(of: figure) { writer.element("li", note) }
            if figure.groups.contains(Dimension.outcome.rawValue) {
                writer.element(
                    "li",
                    "Ein Sachverhalt kann mehrere Ergebnisse haben; die Teile ergeben zusammen mehr "
                        + "als die Gesamtzahl.")
            }
        }
    }

    private func lengths(_ asked: ReportContent.Part, _ other: ReportContent.Part) -> String {
        let word = other.word ?? other.name
        guard let first = asked.spans.first, let second = other.spans.first,
            let days = German.days(localFrom: first.localFrom, localTo: first.localTo),
            let others = German.days(localFrom: second.localFrom, localTo: second.localTo)
        else { return "Die Zeiträume sind verschieden lang (\(word))." }
        return "Die Zeiträume sind verschieden lang: \(German.number(days)) Tage gegenüber "
            + "\(German.number(others)) Tagen (\(word))."
    }

    private func words(for counts: [(name: String, count: ReportContent.Value)]) -> String {
        counts.map { name, count in
            "\(Self.word(forCount: name)) \(count.german(of: name) ?? "–")"
        }.joined(separator: ", ")
    }

    private static func word(forCount name: String) -> String {
        let last = name.split(separator: ".").last.map(String.init) ?? name
        if let mode = OperatingMode(rawValue: last) { return mode.german }
        return switch last {
        case "retracted": "zurückgezogen"
        case "cancelled": "abgebrochen"
        case "refused": "abgewiesen"
        case "unjudged": "nicht bewertet"
        case "late": "verspätet eingegangen"
        default: last
        }
    }

    /// Since when is recorded what is not a number everywhere in the figure.
    private func recordingNotes(of figure: ReportContent.Figure) -> [String] {
        let states = figure.parts.flatMap { $0.cells + [$0.total] }
            .flatMap(\.values.values).filter { value in
                if case .state(let state) = value {
                    return state != RecordingState.suppressed.rawValue
                }
                return false
            }
        guard !states.isEmpty else { return [] }
        let asksForAutomatic = figure.parameters.contains { name, values in
            name == Dimension.source.rawValue && values == RecognitionSource.automatic.rawValue
        }
        let isAutomatic = asksForAutomatic || Metric(rawValue: figure.metric)?.isAutomatic == true
        var notes: [String] = []
        for span in figure.parts[0].spans {
            let site = content.word(for: span.site, of: Dimension.site.rawValue)
            let isByWay = isAutomatic || figure.groups.contains(Dimension.source.rawValue)
            notes.append("\(site): erfasst seit \(content.local(span.recordedSince)).")
            guard isByWay else { continue }
            notes.append(
                span.automaticSince.map {
                    "\(site): automatische Erkennung erfasst seit \(content.local($0))."
                } ?? "\(site): Eine automatische Erkennung ist bisher nicht erfasst.")
        }
        notes.append(
            "„Nicht erfasst“ und „teilweise erfasst“ sind keine Nullen: Für diese Zeit liegt nichts "
                + "oder nur ein Teil vor.")
        return notes
    }
}
