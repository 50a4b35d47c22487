import ControlCentre

/// A figure's rows as they are printed: the cells of all its periods beside each other.
struct FigureRows {
    struct Row {
        /// One per group.
        var headings: [String]
        /// One per period; nil: the period has no such row.
        var cells: [ReportContent.Cell?]

        /// Why none of its cells says anything else; nil where one does.
        fileprivate var state: String? {
            let values = cells.flatMap { $0.map { Array($0.values.values) } ?? [.none] }
            guard case .state(let state) = values.first, values.allSatisfy({ $0 == .state(state) }),
                // Each hides a number of its own.
                state != RecordingState.suppressed.rawValue,
                cells.allSatisfy({ $0?.knownPart.isEmpty ?? true })
            else { return nil }
            return state
        }
    }

    private(set) var rows: [Row] = []
    let total: Row

    /// Rows that periods have at the same place in their years stand beside each other.
    init(_ figure: ReportContent.Figure, of content: ReportContent) {
        total = Row(headings: [], cells: figure.parts.map(\.total))
        guard !figure.groups.isEmpty else { return }
        let isAligned =
            figure.parts.count > 1 && figure.parts.allSatisfy { $0.isWithinAYear(of: figure) }
        var places: [[String?]: Int] = [:]
        for (ordinal, part) in figure.parts.enumerated() {
            for cell in part.cells {
                let keys = zip(figure.groups, cell.keys).map { group, key in
                    isAligned ? Self.place(of: key, in: group) : key
                }
                if let place = places[keys] {
                    rows[place].cells[ordinal] = cell
                    continue
                }
                places[keys] = rows.count
                let headings = zip(figure.groups, cell.keys).map { group, key in
                    isAligned
                        ? Self.heading(of: key, in: group, content)
                        : content.word(for: key, of: group)
                }
                var cells: [ReportContent.Cell?] = figure.parts.map { _ in nil }
                cells[ordinal] = cell
                rows.append(Row(headings: headings, cells: cells))
            }
        }
        if isAligned, let group = figure.groups.first, Self.isCalendar(group),
            Set(figure.parts[0].cells.compactMap { $0.keys[0]?.prefix(4) }).count == 1
        {
            sort(places)
        }
    }

    private static func isCalendar(_ group: String) -> Bool {
        Dimension(rawValue: group)?.isCalendar ?? false
    }

    /// Rows of the calendar that all say for the same reason that there is no number, as one row.
    var withoutRepeats: [Row] {
        var kept: [Row] = []
        var first = ""
        for row in rows {
            let last = kept.count - 1
            let isRepeat =
                row.headings.count == 1 && row.state != nil && last >= 0
                && kept[last].state == row.state
            if isRepeat {
                kept[last].headings = ["\(first) bis \(row.headings[0])"]
            } else {
                first = row.headings.first ?? ""
                kept.append(row)
            }
        }
        return kept
    }

    /// What a longer period has before or after the shorter one takes its place in the year.
    private mutating func sort(_ places: [[String?]: Int]) {
        var keys: [String] = Array(repeating: "", count: rows.count)
        for (key, place) in places { keys[place] = key[0] ?? "~" }
        let order = rows.indices.sorted { (keys[$0], $0) < (keys[$1], $1) }
        rows = order.map { rows[$0] }
    }

    /// What of a calendar's key is the same in each year.
    private static func place(of key: String?, in group: String) -> String? {
        guard let key, isCalendar(group) else { return key }
        // `2023-01`, `2023-W05`, `2023-01-31`
        return String(key.dropFirst(5))
    }

    private static func heading(of key: String?, in group: String, _ content: ReportContent)
        -> String
    {
        guard let key, isCalendar(group) else { return content.word(for: key, of: group) }
        let parts = key.split(separator: "-").dropFirst().map(String.init)
        if parts.count == 2, let day = Int(parts[1]), let month = Int(parts[0]) {
            return "\(day). \(German.month(month) ?? parts[0])"
        }
        if let week = parts.first, week.hasPrefix("W") { return "KW \(Int(week.dropFirst()) ?? 0)" }
        return parts.first.flatMap { Int($0) }.flatMap { German.month($0) } ?? key
    }
}

extension ReportContent.Part {
    /// Whether no two of its rows are the same stretch of different years.
    fileprivate func isWithinAYear(of figure: ReportContent.Figure) -> Bool {
        guard
            let calendar = figure.groups.firstIndex(where: {
                Dimension(rawValue: $0)?.isCalendar ?? false
            })
        else { return true }
        return Set(cells.compactMap { $0.keys[calendar]?.prefix(4) }).count <= 1
            || Set(cells.compactMap { $0.keys[calendar] }).count
                == Set(cells.compactMap { $0.keys[calendar]?.dropFirst(5) }).count
    }
}
