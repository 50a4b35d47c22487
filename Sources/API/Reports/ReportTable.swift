import ControlCentre

extension CSVDialect {
    /// A report as a table: a line for each value, whatever the figure is parted by, and for what is
    /// answered in words.
    func table(of content: ReportContent) -> [UInt8] {
        var table = self == .excelDE ? "\u{FEFF}" : ""
        table += line([
            "report", "as_of_position", "question", "figure", "caption", "metric", "version",
            "period", "local_from", "local_to", "row", "group", "measure", "value",
        ])
        for question in content.questions {
            let head = [content.id, "\(content.position)", "\(question.number)"]
            let blank = Array(repeating: "", count: 7)
            if question.kind == "not_collected" {
                table += line(head + blank + ["not_collected", "", "", "nicht erhoben"])
            }
            if let text = question.text { table += line(head + blank + ["text", "", "", text]) }
            for (index, figure) in question.figures.enumerated() {
                let definition = content.definition(of: figure)
                let name = figure.caption ?? definition?.title ?? ""
                let version = definition.map { "\($0.version)" } ?? ""
                let measures = definition?.measures ?? []
                for part in figure.parts {
                    // Sites' days differ in their instants alone.
                    let span = part.spans.first
                    let places =
                        head + ["\(index + 1)", name, figure.metric, version, part.name]
                        + [span?.localFrom ?? "", span?.localTo ?? ""]
                    table += lines(of: part, groups: figure.groups, measures, places)
                }
            }
        }
        return Array(table.utf8)
    }

    private func lines(
        of part: ReportContent.Part, groups: [String], _ measures: [String], _ places: [String]
    ) -> String {
        var lines = ""
        for (row, cell) in part.cells.map({ ("cell", $0) }) + [("total", part.total)] {
            let group =
                row == "cell"
                ? zip(groups, cell.keys).map { "\($0)=\($1 ?? "")" }.joined(separator: "; ") : ""
            for measure in measures {
                lines += line(
                    places + [row, group, measure, text(cell.values[measure] ?? .none)])
            }
        }
        for (name, count) in part.included ?? [] {
            lines += line(places + ["included", name, "", text(count)])
        }
        for (name, count) in part.leftOut {
            lines += line(places + ["left_out", name, "", text(count)])
        }
        return lines
    }

    private func text(_ value: ReportContent.Value) -> String {
        switch value {
        case .whole(let number): number.description
        case .fraction(let fraction): number(fraction)
        case .state(let state): state
        case .none: ""
        }
    }
}
