import ControlCentre

/// How a table is written for programs that calculate.
public enum CSVDialect: String, Sendable, CaseIterable {
    /// Commas, decimal points and CRLF (RFC 4180).
    case rfc4180
    /// What a German Excel opens without asking: a byte order mark, semicolons, decimal commas.
    case excelDE = "excel-de"

    private var separator: String { self == .excelDE ? ";" : "," }

    /// One line, with its end.
    func line(_ fields: [String]) -> String {
        fields.map(quoted).joined(separator: separator) + "\r\n"
    }

    /// A field as the format wants it, quoted where it has to be.
    private func quoted(_ field: String) -> String {
        let harmless = isFormula(field) ? "'" + field : field
        guard harmless.unicodeScalars.contains(where: { "\",;\r\n".unicodeScalars.contains($0) })
        else { return harmless }
        return "\""
            + harmless.split(separator: "\"", omittingEmptySubsequences: false)
            .joined(separator: "\"\"") + "\""
    }

    /// Whether a program would take the field for a formula (OWASP, "CSV Injection").
    private func isFormula(_ field: String) -> Bool {
        guard let first = field.unicodeScalars.first else { return false }
        return "=+-@＝＋－＠\t\r\n".unicodeScalars.contains(first)
    }

    func number(_ value: Double) -> String {
        let text = value.description
        guard self == .excelDE else { return text }
        return text.split(separator: ".", omittingEmptySubsequences: false).joined(separator: ",")
    }

    private func text(_ value: MeasuredValue?) -> String {
        switch value {
        case .whole(let number): number.description
        case .fraction(let fraction): number(fraction)
        case .state(let state): state.rawValue
        case nil: ""
        }
    }

    /// An answer as a table: a line for each cell, one for each total, and last what is left out.
    func table(of answer: StatisticsAnswer) -> [UInt8] {
        let definition = MetricDefinition.current(of: answer.question.metric)
        let groups = answer.question.groups
        var table = self == .excelDE ? "\u{FEFF}" : ""
        table += line(
            [
                "metric", "version", "clock", "filters", "as_of_position", "as_of",
                "tzdata_version", "time_zone", "period", "local_from", "local_to", "row",
            ]
                + groups.map(\.rawValue) + definition.measures.map(\.rawValue)
                + ["left_out", "included"])
        let parts =
            [("asked", answer.period)]
            + answer.comparisons.map { ($0.comparison.rawValue, $0.part) }
        for (name, part) in parts {
            // Sites' days differ in their instants alone.
            let first = part.spans.first
            let head = [
                definition.metric.rawValue, "\(definition.version)",
                definition.metric == .arrivalTimes ? answer.question.clock.rawValue : "",
                answer.filters
                    .map { "\($0.dimension.rawValue)=\($0.values.joined(separator: ","))" }
                    .joined(separator: "; "),
                "\(answer.position)", answer.knownAt.rfc3339, answer.timeZoneRelease ?? "",
                Set(part.spans.map(\.timeZone)).sorted().joined(separator: " "), name,
                first?.localFrom ?? "", first?.localTo ?? "",
            ]
            func add(_ row: String, _ cell: StatisticsAnswer.Cell) {
                table += line(
                    head + [row] + cell.keys.map { $0 ?? "" }
                        + definition.measures.map { text(cell.value(of: $0)) } + ["", ""])
            }
            for cell in part.cells { add("cell", cell) }
            add("total", part.total)
            let blank = Array(repeating: "", count: groups.count + definition.measures.count)
            var leftOut = part.leftOut.operatingModes.sorted { $0.key < $1.key }
                .map { ("left_out:operating_mode=\($0.key)", $0.value) }
            for reason in LeftOutReason.allCases {
                guard let count = part.leftOut[reason] else { continue }
                leftOut.append(("left_out:\(reason.rawValue)", count))
            }
            for (row, count) in leftOut {
                table += line(head + [row] + blank + [text(count.value), ""])
            }
            if let late = part.late {
                table += line(head + ["included:late"] + blank + ["", text(late.value)])
            }
        }
        return Array(table.utf8)
    }
}
