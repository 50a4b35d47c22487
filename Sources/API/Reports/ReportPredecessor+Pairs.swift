import ControlCentre
import HTTP
import JSON
import Store

extension ReportContent.Predecessor {
    /// More is not read side by side.
    private static let pairsMax = 500

    /// The figures of an earlier report beside those of a new one that ask the same, whatever the
    /// period.
    ///
    /// - Parameter numbers: of each figure its question's number, and its place there from 1.
    init(
        _ earlier: ReportContent, figures: [ReportContent.Figure],
        numbers: [(question: Int, figure: Int)]
    ) throws(Problem) {
        reference = earlier.reference
        stand = earlier.stand
        report = earlier.id
        pairs = []
        for (figure, (question, place)) in zip(figures, numbers) {
            let candidates = earlier.questions.flatMap { question in
                question.figures.map { (question.number, $0) }
            }.filter { $0.1.asksTheSame(as: figure) }
            guard
                let (_, before) = candidates.first(where: { $0.0 == question }) ?? candidates.first,
                let old = before.parts.first, let new = figure.parts.first
            else { continue }
            if figure.hidesSmallNumbers, figure.parts.contains(where: { $0.overlaps(old) }) {
                throw .invalidBody([
                    MemberError(
                        pointer: "/continues/report", code: "out-of-range",
                        detail: "must have no figures of a period that overlaps one of figure "
                            + "\(place) of question \(question), which hides small numbers: each "
                            + "would tell of the other")
                ])
            }
            let period = old.spans.first.map { ($0.localFrom, $0.localTo) }
            var rows: [(keys: [String?], old: ReportContent.Cell?, new: ReportContent.Cell?)] = []
            if !figure.isByCalendar {
                for cell in new.cells {
                    rows.append((cell.keys, old.cells.first { $0.keys == cell.keys }, cell))
                }
                for cell in old.cells where !new.cells.contains(where: { $0.keys == cell.keys }) {
                    rows.append((cell.keys, cell, nil))
                }
            }
            rows.append((figure.groups.map { _ in nil }, old.total, new.total))
            for (index, row) in rows.enumerated() {
                let isTotal = index == rows.count - 1
                for measure in (row.new ?? row.old)?.values.keys.sorted() ?? [] {
                    pairs.append(
                        ReportContent.Pair(
                            question: Int64(question), figure: Int64(place),
                            group: isTotal
                                ? [] : zip(figure.groups, row.keys).map { ($0, $1) },
                            measure: measure, earlier: row.old?.values[measure] ?? .none,
                            earlierPeriod: period, now: row.new?.values[measure] ?? .none))
                }
            }
        }
        guard pairs.count <= Self.pairsMax else {
            throw .invalidBody([
                MemberError(
                    pointer: "/continues/report", code: "out-of-range",
                    detail: "must have at most \(Self.pairsMax) figures that this one asks too, "
                        + "and has \(pairs.count)")
            ])
        }
    }

    /// Figures from paper beside those that they belong to.
    init(
        _ printed: PrintedReport, figures: [ReportContent.Figure],
        numbers: [(question: Int, figure: Int)]
    ) throws(Problem) {
        reference = printed.reference
        stand = printed.stand
        report = nil
        pairs = []
        for (index, entry) in printed.figures.enumerated() {
            let place = numbers.firstIndex { $0 == (entry.question, entry.figure) }
            guard let place, let part = figures[place].parts.first else {
                preconditionFailure("a figure that does not exist was a fault")
            }
            let figure = figures[place]
            let keys = figure.groups.map { entry.group[$0] }
            let cell =
                entry.group.isEmpty ? part.total : part.cells.first { $0.keys == keys }
            guard Set(entry.group.keys).isSubset(of: figure.groups), let cell else {
                throw .invalidBody([
                    MemberError(
                        pointer: "/continues/figures/\(index)/group", code: "unknown",
                        detail: "must be a cell of the figure, by the names of its groups")
                ])
            }
            guard let value = cell.values[entry.measure] else {
                let has = cell.values.keys.sorted().joined(separator: ", ")
                throw .invalidBody([
                    MemberError(
                        pointer: "/continues/figures/\(index)/measure", code: "unknown",
                        detail: "must be a measure of the metric: \(has)")
                ])
            }
            pairs.append(
                ReportContent.Pair(
                    question: Int64(entry.question), figure: Int64(entry.figure),
                    group: entry.group.isEmpty ? [] : zip(figure.groups, keys).map { ($0, $1) },
                    measure: entry.measure, earlier: ReportContent.Value(entry.value),
                    earlierPeriod: nil, now: value))
        }
        pairs.sort { ($0.question, $0.figure) < ($1.question, $1.figure) }
    }
}

extension ReportContent.Figure {
    private static let aboutThePeriod: Set<String> = ["from", "to", "compare"]

    fileprivate func asksTheSame(as other: ReportContent.Figure) -> Bool {
        func rest(_ figure: ReportContent.Figure) -> [String: String] {
            let kept = figure.parameters.filter { !Self.aboutThePeriod.contains($0.name) }
            return Dictionary(kept.map { ($0.name, $0.value) }) { first, _ in first }
        }
        return metric == other.metric && rest(self) == rest(other)
    }

    fileprivate var hidesSmallNumbers: Bool { parameters.contains { $0.name == "suppress_below" } }

    /// Whether it is parted by stretches of the calendar, which are other ones in another period.
    var isByCalendar: Bool {
        groups.contains { Dimension(rawValue: $0)?.isCalendar ?? false }
    }
}

extension ReportContent.Part {
    fileprivate func overlaps(_ other: ReportContent.Part) -> Bool {
        spans.contains { span in
            other.spans.contains {
                $0.site == span.site && $0.localFrom < span.localTo && span.localFrom < $0.localTo
            }
        }
    }
}

extension ReportContent.Value {
    fileprivate init(_ printed: PrintedValue) {
        switch printed {
        case .notRecorded: self = .state(RecordingState.notRecorded.rawValue)
        case .number(let number):
            self = Int64(exactly: number).map { .whole($0) } ?? .fraction(number)
        }
    }
}
