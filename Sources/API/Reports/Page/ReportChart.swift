import ControlCentre

/// A chart of bars by month, as SVG that needs no colours: two periods differ by filling and
/// hatching, and each bar has its number.
struct ReportChart {
    private struct Strip {
        var label: String
        /// One per month, each with a bar per period.
        var slots: [(label: String, bars: [ReportContent.Cell?])]

        var hasBars: Bool {
            slots.contains { $0.bars.contains { ($0.flatMap(ReportChart.height) ?? 0) > 0 } }
        }
        /// A year of which nothing is known takes no more room than its words.
        var barsHeight: Double { hasBars ? 100 : 0 }
        var height: Double { barsHeight + 50 }
    }

    private let id: String
    private let title: String
    private let series: [String]
    private let strips: [Strip]
    private let highest: Double

    private static let measure = Measure.count.rawValue
    private static let monthsOfAStrip = 12
    private static let width = 680.0
    private static let left = 40.0
    private static let barsHeight = 100.0

    init(_ figure: ReportContent.Figure, _ rows: FigureRows, id: String) {
        self.id = id
        title = "Anzahl je Monat"
        var strips: [Strip] = []
        if figure.parts.count > 1, rows.rows.count <= Self.monthsOfAStrip {
            series = figure.parts.map(\.heading)
            strips = [
                Strip(
                    label: "",
                    slots: rows.rows.map { (String($0.headings[0].prefix(3)), $0.cells) })
            ]
        } else {
            // Other periods stand in the table; a chart of so many bars would not be read.
            series = [figure.parts[0].heading]
            for cell in figure.parts[0].cells {
                guard let key = cell.keys[0] else { continue }
                let year = String(key.prefix(4))
                if strips.last?.label != year { strips.append(Strip(label: year, slots: [])) }
                let month = Int(key.dropFirst(5)).flatMap { German.month($0) } ?? key
                strips[strips.count - 1].slots.append((String(month.prefix(3)), [cell]))
            }
        }
        self.strips = strips
        highest = max(
            1,
            strips.flatMap(\.slots).flatMap(\.bars).compactMap { $0.flatMap(Self.height) }.max()
                ?? 1)
    }

    /// The number of a bar, or what is known of it.
    private static func height(_ cell: ReportContent.Cell) -> Double? {
        for value in [cell.values[measure], cell.knownPart[measure]] {
            if case .whole(let number) = value { return Double(number) }
        }
        return nil
    }

    func write(to writer: inout HTMLWriter) {
        // Of nothing but reasons why there is no number the table tells enough.
        guard strips.contains(where: \.hasBars) else { return }
        let height = strips.reduce(0) { $0 + $1.height }
        writer.element("figure") { writer in
            writer.element(
                "svg",
                [
                    "xmlns": "http://www.w3.org/2000/svg", "role": "img",
                    "viewBox": "0 0 \(Self.width) \(height)", "aria-label": title,
                ]
            ) { writer in
                writer.element("defs") { writer in
                    writer.element(
                        "pattern",
                        [
                            "id": "hatch-\(id)", "width": "5", "height": "5",
                            "patternUnits": "userSpaceOnUse", "patternTransform": "rotate(45)",
                        ]
                    ) { writer in
                        writer.empty("rect", ["width": "5", "height": "5", "fill": "#fff"])
                        writer.empty("rect", ["width": "1.6", "height": "5", "fill": "#000"])
                    }
                }
                var top = 0.0
                for strip in strips {
                    write(strip, top: top, to: &writer)
                    top += strip.height
                }
            }
            writer.element("figcaption") { writeLegend(to: &$0) }
        }
    }

    private func write(_ strip: Strip, top: Double, to writer: inout HTMLWriter) {
        let base = top + 20 + strip.barsHeight
        let slot = (Self.width - Self.left) / Double(Self.monthsOfAStrip)
        if !strip.label.isEmpty {
            writer.element(
                "text", ["x": "0", "y": Self.text(base), "font-size": "13", "font-weight": "bold"],
                strip.label)
        }
        for (index, (label, bars)) in strip.slots.enumerated() {
            let first = Self.left + Double(index) * slot
            let width = min(24, (slot - 8) / Double(series.count))
            let start = first + (slot - width * Double(series.count)) / 2
            for (number, cell) in bars.enumerated() {
                guard let cell else { continue }
                write(
                    cell, series: number, x: start + Double(number) * width, width: width,
                    base: base, to: &writer)
            }
            writer.element(
                "text",
                [
                    "x": Self.text(first + slot / 2), "y": Self.text(base + 16), "font-size": "12",
                    "text-anchor": "middle",
                ], label)
        }
        writer.empty(
            "line",
            [
                "x1": Self.text(Self.left), "x2": Self.text(Self.width), "y1": Self.text(base),
                "y2": Self.text(base), "stroke": "#000",
            ])
    }

    private func write(
        _ cell: ReportContent.Cell, series: Int, x: Double, width: Double, base: Double,
        to writer: inout HTMLWriter
    ) {
        let value = cell.values[Self.measure] ?? .none
        let number = Self.height(cell) ?? 0
        let height = number / highest * Self.barsHeight
        if height > 0 {
            let isWhole = value.isNumber && series == 0
            writer.empty(
                "rect",
                [
                    "x": Self.text(x), "y": Self.text(base - height), "width": Self.text(width),
                    "height": Self.text(height),
                    "fill": isWhole ? "#444" : series == 0 ? "#fff" : "url(#hatch-\(id))",
                    "stroke": "#000", "stroke-dasharray": value.isNumber ? "none" : "3 2",
                ])
        }
        let label =
            switch value {
            case .whole(let number): German.number(number)
            case .fraction(let number): German.number(number, decimals: 1)
            case .state(RecordingState.partial.rawValue): "t. e."
            case .state(RecordingState.notRecorded.rawValue): "n. e."
            case .state(RecordingState.suppressed.rawValue): "u."
            case .state(let state): state
            case .none: ""
            }
        writer.element(
            "text",
            [
                "x": Self.text(x + width / 2), "y": Self.text(base - height - 4),
                "font-size": series > 0 || self.series.count > 1 ? "9.5" : "11",
                "text-anchor": "middle",
            ], label)
    }

    private func writeLegend(to writer: inout HTMLWriter) {
        var parts: [String] = []
        if series.count > 1 {
            parts.append("gefüllt: \(series[0])")
            parts.append("schraffiert: \(series[1])")
            if series.count > 2 { parts.append("dritte Säule: \(series[2])") }
        }
        let states = strips.flatMap(\.slots).flatMap(\.bars).compactMap {
            $0?.values[Self.measure]
        }
        if states.contains(.state(RecordingState.notRecorded.rawValue)) {
            parts.append("n. e.: nicht erfasst")
        }
        if states.contains(.state(RecordingState.partial.rawValue)) {
            parts.append("t. e., gestrichelt: teilweise erfasst, soweit bekannt")
        }
        if states.contains(.state(RecordingState.suppressed.rawValue)) {
            parts.append("u.: unterdrückt")
        }
        writer.text(([title] + parts).joined(separator: "; ") + ".")
    }

    /// A coordinate with at most two digits after the point.
    private static func text(_ coordinate: Double) -> String {
        let hundredths = Int((coordinate * 100).rounded())
        let rest = hundredths % 100
        if rest == 0 { return "\(hundredths / 100)" }
        return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)"
    }
}
