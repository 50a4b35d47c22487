import JSON
import Store

extension Recheck {
    /// What a figure says otherwise than before.
    static func differences(
        _ before: ReportContent.Figure, _ after: ReportContent.Figure, _ question: Int64,
        _ place: Int
    ) -> [Difference] {
        var differences: [Difference] = []
        func compare(
            _ period: String, _ row: Difference.Row, _ group: [(name: String, key: String?)],
            _ old: [String: ReportContent.Value], _ new: [String: ReportContent.Value]
        ) {
            for measure in Set(old.keys).union(new.keys).sorted()
            where old[measure] != new[measure] {
                differences.append(
                    Difference(
                        question: question, figure: place, period: period, row: row, group: group,
                        measure: measure, before: old[measure] ?? .none,
                        after: new[measure] ?? .none))
            }
        }
        compare(
            "asked", .definition, [], ["version": version(of: before)],
            ["version": version(of: after)])
        for (old, new) in zip(before.parts, after.parts) {
            var cells: [[String?]: ReportContent.Cell] = [:]
            for cell in new.cells { cells[cell.keys] = cell }
            for cell in old.cells {
                let group = Array(zip(before.groups, cell.keys)).map { (name: $0, key: $1) }
                let other = cells.removeValue(forKey: cell.keys)
                compare(old.name, .cell, group, cell.all, other?.all ?? [:])
            }
            for cell in new.cells where cells[cell.keys] != nil {
                let group = Array(zip(before.groups, cell.keys)).map { (name: $0, key: $1) }
                compare(old.name, .cell, group, [:], cell.all)
            }
            compare(old.name, .total, [], old.total.all, new.total.all)
            if let told = old.included {
                compare(old.name, .included, [], values(told), values(new.included ?? []))
            }
            compare(old.name, .leftOut, [], values(old.leftOut), values(new.leftOut))
        }
        return differences
    }

    private static func values(_ counts: [(name: String, count: ReportContent.Value)])
        -> [String: ReportContent.Value]
    {
        Dictionary(counts.map { ($0.name, $0.count) }) { value, _ in value }
    }

    private static func version(of figure: ReportContent.Figure) -> ReportContent.Value {
        figure.answer["version"].map { ReportContent.Value($0) } ?? .none
    }
}

extension ReportContent.Cell {
    /// The values, and what is known of them in part.
    fileprivate var all: [String: ReportContent.Value] {
        values.merging(knownPart.map { ("known_part.\($0)", $1) }) { value, _ in value }
    }
}

extension Recheck.Difference {
    /// Which of a figure's changes are this difference's.
    func own(_ changes: [ChangeBehind], of figure: ReportContent.Figure) -> [ChangeBehind] {
        let part = figure.parts.firstIndex { $0.name == period }
        let own = changes.filter { change in
            guard change.part == part else { return false }
            return switch row {
            case .cell: change.keys == group.map(\.key)
            case .total, .included: change.keys != nil
            case .leftOut: change.keys == nil
            case .definition: false
            }
        }
        // Cells of one figure may share a change, which the total then has several times.
        var seen: Set<String> = []
        return own.filter { seen.insert("\($0.position) \($0.event) \($0.subject)").inserted }
    }
}
