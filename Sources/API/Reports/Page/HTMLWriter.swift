/// Writes HTML; every text and every attribute's value is escaped on its way.
///
///     var writer = HTMLWriter()
///     writer.element("p", ["class": "note"]) { $0.text(note) }
struct HTMLWriter {
    private(set) var html = ""

    /// An element with what `body` writes into it.
    mutating func element(
        _ name: StaticString, _ attributes: KeyValuePairs<StaticString, String> = [:],
        _ body: (inout HTMLWriter) -> Void
    ) {
        begin(name, attributes)
        body(&self)
        html += "</\(name)>"
    }

    /// An element with a text.
    mutating func element(
        _ name: StaticString, _ attributes: KeyValuePairs<StaticString, String>, _ text: String
    ) {
        element(name, attributes) { $0.text(text) }
    }

    /// An element with a text.
    mutating func element(_ name: StaticString, _ text: String) { element(name, [:], text) }

    /// An element that has no content, as `br` or an SVG's `rect`.
    mutating func empty(
        _ name: StaticString, _ attributes: KeyValuePairs<StaticString, String> = [:]
    ) {
        begin(name, attributes, end: "/>")
    }

    mutating func text(_ text: String) { html += Self.escaped(text) }

    /// A text that may be broken inside its longest words: one that no line can hold would widen a
    /// table beyond the paper.
    mutating func breakable(_ text: String) {
        var length = 0
        for scalar in text.unicodeScalars {
            length = scalar == " " || scalar == "-" ? 0 : length + 1
            if length > Self.wordMax {
                empty("wbr")
                length = 1
            }
            self.text(String(scalar))
        }
    }

    private static let wordMax = 24

    /// Writes what is HTML already: the program's own, never what a person wrote.
    mutating func own(_ html: StaticString) { self.html += "\(html)" }

    private mutating func begin(
        _ name: StaticString, _ attributes: KeyValuePairs<StaticString, String>,
        end: StaticString = ">"
    ) {
        html += "<\(name)"
        for (name, value) in attributes { html += " \(name)=\"\(Self.escaped(value))\"" }
        html += "\(end)"
    }

    private static func escaped(_ text: String) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case "'": escaped += "&#39;"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
