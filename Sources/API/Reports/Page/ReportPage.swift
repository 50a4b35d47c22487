import ControlCentre
import JSON

/// A frozen report as a page to print: a pure function of what was frozen and of whether it has been
/// released.
struct ReportPage {
    let content: ReportContent
    /// In hexadecimal.
    let hash: String
    let signature: [UInt8]
    /// Nil: it is a draft. As the report's time zone shows it.
    let releasedAt: String?

    var html: String {
        var writer = HTMLWriter()
        writer.own("<!DOCTYPE html>\n")
        writer.element("html", ["lang": "de"]) { writer in
            writer.element("head") { writer in
                writer.empty("meta", ["charset": "utf-8"])
                writer.empty(
                    "meta",
                    [
                        "http-equiv": "Content-Security-Policy",
                        "content": ReportStyle.contentSecurityPolicy,
                    ])
                writer.empty(
                    "meta", ["name": "viewport", "content": "width=device-width, initial-scale=1"])
                writer.element("title", "\(content.reference): \(content.title)")
                writer.element("style") { $0.own(ReportStyle.css) }
            }
            writer.own("\n")
            writer.element("body") { writer in
                if releasedAt == nil {
                    writer.element("div", ["class": "watermark", "aria-hidden": "true"], "Entwurf")
                    writer.element("p", ["class": "draft"], "Entwurf – nicht freigegeben")
                }
                writeHeader(to: &writer)
                if let predecessor = content.predecessor { write(predecessor, to: &writer) }
                for question in content.questions { write(question, to: &writer) }
                writeDefinitions(to: &writer)
                writeProof(to: &writer)
            }
        }
        writer.own("\n")
        return writer.html
    }

    private func writeHeader(to writer: inout HTMLWriter) {
        writer.element("header") { writer in
            writer.element("h1", content.title)
            writer.element("dl") { writer in
                write("Zu", content.reference, to: &writer)
                write("Stand", content.stand, to: &writer)
                if let releasedAt { write("Freigegeben", releasedAt, to: &writer) }
            }
        }
    }

    private func write(_ question: ReportContent.Question, to writer: inout HTMLWriter) {
        writer.element("section") { writer in
            writer.element("h2", "Zu Frage \(question.number)")
            writer.element("div", ["class": "wording"]) { paragraphs(question.wording, to: &$0) }
            if question.kind == "not_collected" {
                writer.element("p", ["class": "sentence"], "Nicht erhoben.")
            }
            if let text = question.text { paragraphs(text, to: &writer) }
            for (index, figure) in question.figures.enumerated() {
                write(figure, id: "\(question.number)-\(index + 1)", to: &writer)
            }
        }
    }

    /// Blank lines part paragraphs, as a person writes them.
    private func paragraphs(_ text: String, to writer: inout HTMLWriter) {
        var lines: [Substring] = []
        func end(_ writer: inout HTMLWriter) {
            guard !lines.isEmpty else { return }
            writer.element("p") { writer in
                for (index, line) in lines.enumerated() {
                    if index > 0 { writer.empty("br") }
                    writer.text(String(line))
                }
            }
            lines = []
        }
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.allSatisfy(\.isWhitespace) { end(&writer) } else { lines.append(line) }
        }
        end(&writer)
    }

    // MARK: Beside an earlier answer

    private func write(_ predecessor: ReportContent.Predecessor, to writer: inout HTMLWriter) {
        let stand = predecessor.stand.map { " (Stand \($0))" } ?? ""
        writer.element("section") { writer in
            writer.element("h2", "Fortschreibung von \(predecessor.reference)")
            writer.element("table") { writer in
                writer.element("thead") { writer in
                    writer.element("tr") { writer in
                        writer.element("th", ["scope": "col"], "Frage")
                        writer.element("th", ["scope": "col"], "Kennzahl")
                        writer.element(
                            "th", ["scope": "col", "class": "n"], predecessor.reference + stand)
                        writer.element(
                            "th", ["scope": "col", "class": "n"],
                            "\(content.reference) (Stand \(content.stand))")
                    }
                }
                writer.element("tbody") { writer in
                    for pair in predecessor.pairs { write(pair, to: &writer) }
                }
            }
        }
    }

    private func write(_ pair: ReportContent.Pair, to writer: inout HTMLWriter) {
        let question = content.questions.first { $0.number == pair.question }
        let place = Int(pair.figure) - 1
        guard let figures = question?.figures, figures.indices.contains(place) else { return }
        let figure = figures[place]
        let definition = content.definition(of: figure)
        var name = figure.caption ?? definition?.title ?? figure.metric
        if !pair.group.isEmpty {
            name +=
                ": "
                + pair.group.map { content.word(for: $0.key, of: $0.name) }
                .joined(separator: ", ")
        }
        if (definition?.measures.count ?? 1) > 1 {
            name += " – \(content.word(forMeasure: pair.measure))"
        }
        func cell(_ value: ReportContent.Value, _ period: String?, _ writer: inout HTMLWriter) {
            writer.element("td", ["class": value.isNumber ? "n" : "s"]) { writer in
                writer.text(value.german(of: pair.measure) ?? "–")
                if let period {
                    writer.empty("br")
                    writer.element("small", period)
                }
            }
        }
        let earlier = pair.earlierPeriod.map {
            German.period(localFrom: $0.localFrom, localTo: $0.localTo)
        }
        writer.element("tr") { writer in
            writer.element("th", ["scope": "row"], "\(pair.question)")
            writer.element("td") { $0.breakable(name) }
            cell(pair.earlier, earlier, &writer)
            cell(pair.now, figure.parts[0].period, &writer)
        }
    }

    // MARK: What it rests on

    private func writeDefinitions(to writer: inout HTMLWriter) {
        guard !content.definitions.isEmpty else { return }
        writer.element("section", ["class": "definitions"]) { writer in
            writer.element("h2", "Was die Kennzahlen bedeuten")
            writer.element("dl") { writer in
                for definition in content.definitions {
                    writer.element(
                        "dt",
                        "\(definition.title) (\(definition.metric), Fassung \(definition.version))")
                    writer.element("dd", definition.counts)
                    writer.element("dd", "Zeitbezug: \(definition.clock)")
                    writer.element("dd", "Erfasst: \(definition.recorded)")
                }
            }
            writer.element(
                "p",
                "Zeiten von Dauer sind auf ganze Sekunden gerundet. „–“: kein Wert, oder außerhalb "
                    + "des Zeitraums.")
        }
    }

    private func writeProof(to writer: inout HTMLWriter) {
        writer.element("section", ["class": "proof"]) { writer in
            writer.element("h2", "Nachweis")
            writer.element("dl") { writer in
                let recorded =
                    content.recordedAt.map { ", verzeichnet \(content.local($0))" } ?? ""
                write("Bericht", content.id, to: &writer)
                write(
                    "Kenntnisstand",
                    "Position \(content.position) des Journals\(recorded); alle Zahlen aus einem "
                        + "Abbild, Kenntnis bis \(content.local(content.knownAt))", to: &writer)
                write("Festgeschrieben", content.local(content.frozenAt), to: &writer)
                write("Zeitzone", zone, to: &writer)
                write("Programm", "Leitstand \(content.serverVersion)", to: &writer)
                writeCode("SHA-256", hash, to: &writer)
                writeCode("Unterschrift", signature.base64, to: &writer)
                writeCode("Schlüssel", content.keyID, to: &writer)
            }
            writer.element(
                "p",
                "SHA-256 und Unterschrift (Ed25519) gelten für den Bericht in kanonischem JSON; beide "
                    + "lassen sich mit openssl prüfen.")
        }
    }

    private var zone: String {
        content.tzdataVersion.map { "\(content.timeZone) (tzdata \($0))" } ?? content.timeZone
    }

    private func write(_ term: String, _ text: String, to writer: inout HTMLWriter) {
        writer.element("dt", term)
        writer.element("dd", text)
    }

    private func writeCode(_ term: String, _ text: String, to writer: inout HTMLWriter) {
        writer.element("dt", term)
        writer.element("dd") { $0.element("code", text) }
    }
}
