import ControlCentre

extension ReportPage {
    /// Numbers that stand side by side on A4.
    private static let columnsMax = 5

    /// A figure: what it is, its sentence, its tables and its chart.
    func write(_ figure: ReportContent.Figure, id: String, to writer: inout HTMLWriter) {
        let definition = content.definition(of: figure)
        writer.element("h3", figure.caption ?? definition?.title ?? figure.metric)
        if let sentence = figure.sentence {
            writer.element("p", ["class": "sentence"], sentence)
        }
        writeFilters(of: figure, to: &writer)
        let measures = definition?.measures ?? figure.parts[0].total.values.keys.sorted()
        if figure.groups.isEmpty {
            writeTotals(figure, measures, to: &writer)
        } else {
            let rows = FigureRows(figure, of: content)
            if measures.count == 1 {
                writeRows(
                    rows, figure, Array(figure.parts.indices), measures, named: false, to: &writer)
            } else {
                // Several measures of several periods would not fit side by side.
                for part in figure.parts.indices {
                    if figure.groups.count + measures.count <= Self.columnsMax + 1 {
                        writeRows(rows, figure, [part], measures, named: true, to: &writer)
                    } else {
                        writeColumns(rows, figure, part, measures, to: &writer)
                    }
                }
            }
            if measures == [Measure.count.rawValue], figure.groups == [Dimension.month.rawValue] {
                ReportChart(figure, rows, id: id).write(to: &writer)
            }
        }
        writeNotes(on: figure, to: &writer)
    }

    private func writeFilters(of figure: ReportContent.Figure, to writer: inout HTMLWriter) {
        let filters = figure.parameters.compactMap { name, values -> String? in
            guard let dimension = Dimension(rawValue: name) else { return nil }
            let words = values.split(separator: ",").map { content.word(for: String($0), of: name) }
            return "\(dimension.german): \(words.joined(separator: ", "))"
        }
        guard !filters.isEmpty else { return }
        writer.element("p", ["class": "filters"], "Nur " + filters.joined(separator: "; ") + ".")
    }

    /// A line for each measure, the periods beside each other.
    private func writeTotals(
        _ figure: ReportContent.Figure, _ measures: [String], to writer: inout HTMLWriter
    ) {
        writer.element("table") { writer in
            writer.element("thead") { writer in
                writer.element("tr") { writer in
                    writer.element("th", ["scope": "col"], "Kennwert")
                    for part in figure.parts {
                        writer.element("th", ["scope": "col", "class": "n"], part.heading)
                    }
                }
            }
            writer.element("tbody") { writer in
                for measure in measures {
                    writer.element("tr") { writer in
                        writer.element(
                            "th", ["scope": "row"], content.word(forMeasure: measure))
                        for part in figure.parts { write(part.total, measure, to: &writer) }
                    }
                }
            }
        }
    }

    /// - Parameter named: whether the columns are headed by their measures, and the table by its
    ///   period; otherwise the columns by their periods.
    private func writeRows(
        _ rows: FigureRows, _ figure: ReportContent.Figure, _ parts: [Int], _ measures: [String],
        named: Bool, to writer: inout HTMLWriter
    ) {
        writer.element("table") { writer in
            writer.element("thead") { writer in
                // Not a caption, which may be left alone at the foot of a page.
                if named {
                    let columns = figure.groups.count + measures.count
                    writer.element("tr") { writer in
                        writer.element(
                            "th", ["class": "period", "colspan": "\(columns)"],
                            figure.parts[parts[0]].heading)
                    }
                }
                writer.element("tr") { writer in
                    for group in figure.groups {
                        writer.element("th", ["scope": "col"], content.word(for: group))
                    }
                    for part in parts {
                        for measure in measures {
                            let heading =
                                named
                                ? content.word(forMeasure: measure) : figure.parts[part].heading
                            writer.element("th", ["scope": "col", "class": "n"], heading)
                        }
                    }
                }
            }
            writer.element("tbody") { writer in
                let shown = figure.isByCalendar ? rows.withoutRepeats : rows.rows
                for row in shown where parts.contains(where: { row.cells[$0] != nil }) {
                    writer.element("tr") { writer in
                        for heading in row.headings {
                            writer.element("th", ["scope": "row"]) { $0.breakable(heading) }
                        }
                        for part in parts {
                            for measure in measures {
                                write(row.cells[part], measure, to: &writer)
                            }
                        }
                    }
                }
                writer.element("tr", ["class": "total"]) { writer in
                    writer.element(
                        "th", ["scope": "row", "colspan": "\(figure.groups.count)"], "Gesamt")
                    for part in parts {
                        for measure in measures {
                            write(rows.total.cells[part], measure, to: &writer)
                        }
                    }
                }
            }
        }
    }

    /// A line for each of many measures, the rows beside each other, as many as fit.
    private func writeColumns(
        _ rows: FigureRows, _ figure: ReportContent.Figure, _ part: Int, _ measures: [String],
        to writer: inout HTMLWriter
    ) {
        var columns = rows.rows.filter { $0.cells[part] != nil }.map {
            (heading: $0.headings.joined(separator: ", "), cell: $0.cells[part])
        }
        columns.append(("Gesamt", rows.total.cells[part]))
        for first in stride(from: 0, to: columns.count, by: Self.columnsMax) {
            let shown = columns[first...].prefix(Self.columnsMax)
            writer.element("table") { writer in
                writer.element("thead") { writer in
                    writer.element("tr") { writer in
                        writer.element(
                            "th", ["class": "period", "colspan": "\(shown.count + 1)"],
                            figure.parts[part].heading)
                    }
                    writer.element("tr") { writer in
                        let groups = figure.groups.map { content.word(for: $0) }
                        writer.element("th", ["scope": "col"], groups.joined(separator: ", "))
                        for column in shown {
                            writer.element("th", ["scope": "col", "class": "n"]) {
                                $0.breakable(column.heading)
                            }
                        }
                    }
                }
                writer.element("tbody") { writer in
                    for measure in measures {
                        writer.element("tr") { writer in
                            writer.element(
                                "th", ["scope": "row"], content.word(forMeasure: measure))
                            for column in shown { write(column.cell, measure, to: &writer) }
                        }
                    }
                }
            }
        }
    }

    /// A cell; what is not recorded is said in words and never a number.
    private func write(
        _ cell: ReportContent.Cell?, _ measure: String, to writer: inout HTMLWriter
    ) {
        let value = cell?.values[measure] ?? .none
        guard var text = value.german(of: measure) else {
            writer.element("td", ["class": "n"], "–")
            return
        }
        if let known = cell?.knownPart[measure], known.isNumber, known != .whole(0),
            let part = known.german(of: measure)
        {
            text += " (bekannt: \(part))"
        }
        writer.element("td", ["class": value.isNumber ? "n" : "s"], text)
    }
}
