import ControlCentre
import PostgreSQL

/// Puts an answer together from the rows of a ledger query: with a cell for each combination of
/// keys, so that what did not happen is there as zero, or as not recorded.
struct AnswerAssembly {
    private let question: StatisticsQuestion
    private let standing: LedgerStanding
    private let spans: [LedgerSpan]
    private let calendar: Dimension?
    /// All detections recorded before it are counted; nil: none is, or the metric counts none.
    private var detectionsBefore: Timestamp?
    private var parts: [Part]

    private struct Part {
        /// In their order; each as it lies at each site.
        var stretches: [String] = []
        var stretchesBySite: [String: [SiteID: (from: Timestamp, to: Timestamp)]] = [:]
        var counts: [[String?]: Tallies] = [:]
        var total = Tallies()
        /// By the keys of those groups that tell days apart.
        var days: [[String?]: Set<Int64>]?
        /// Nil: the metric counts none.
        var late: Int64?
        var leftOut: StatisticsAnswer.LeftOut

        /// Without the keys of which there is nothing.
        var withoutEmpty: Part {
            var part = self
            part.counts = counts.filter { !$0.value.isEmpty }
            return part
        }
    }

    init(_ question: StatisticsQuestion, standing: LedgerStanding, spans: [LedgerSpan]) {
        self.question = question
        self.standing = standing
        self.spans = spans
        calendar = question.groups.first(where: \.isCalendar)
        let none = Part(
            late: question.metric.countsDetections ? 0 : nil,
            leftOut: StatisticsAnswer.LeftOut(for: question.leavesOut))
        parts = Array(repeating: none, count: 1 + question.comparisons.count)
    }

    // MARK: Taking rows

    mutating func takeCounting(_ rows: QueryResult) throws(PostgreSQLError) {
        guard question.metric.countsDetections, rows.rowCount > 0 else { return }
        detectionsBefore = try rows.time(0, 0)
    }

    mutating func takeCalendar(_ rows: QueryResult) throws(PostgreSQLError) {
        for row in 0..<rows.rowCount {
            let part = Int(try rows.int32(row, 0))
            let site = try rows.site(row, 1)
            let key = try rows.text(row, 2)
            let stretch = (from: try rows.time(row, 3), to: try rows.time(row, 4))
            if parts[part].stretchesBySite[key] == nil { parts[part].stretches.append(key) }
            parts[part].stretchesBySite[key, default: [:]][site] = stretch
        }
    }

    mutating func takeDays(_ rows: QueryResult) throws(PostgreSQLError) {
        for part in parts.indices { parts[part].days = [:] }
        let groups = question.groups.filter(\.tellsDaysApart).count
        for row in 0..<rows.rowCount {
            let part = Int(try rows.int32(row, 0))
            var keys: [String?] = []
            for group in 0..<groups { keys.append(try rows.text(row, group + 1)) }
            let days = try Distribution.Entry.unpack(rows.bytes(row, groups + 1))
            parts[part].days?[keys] = Set(days.map(\.value))
        }
    }

    /// Takes the rows of a `FigureStatement`.
    ///
    /// - Parameters:
    ///   - groups: how many it has.
    ///   - addsToTotal: whether what it counts adds up to the total.
    mutating func takeFigures(_ rows: QueryResult, groups: Int, addsToTotal: Bool)
        throws(PostgreSQLError)
    {
        let (name, count) = (groups + 2, groups + 4)
        for row in 0..<rows.rowCount {
            let part = Int(try rows.int32(row, 0))
            let kind: FigureKind = try rows.value(row, 1)
            switch kind {
            case .counted:
                if groups > 0 {
                    var keys: [String?] = []
                    for group in 0..<groups {
                        keys.append(try rows.textIfPresent(row, group + 2))
                    }
                    try take(rows, row, name, into: &parts[part].counts[keys, default: Tallies()])
                }
                if addsToTotal { try take(rows, row, name, into: &parts[part].total) }
            case .leftOut:
                parts[part].leftOut.add(
                    try rows.int64(row, count), for: try rows.value(row, name))
            case .otherMode:
                parts[part].leftOut.add(
                    try rows.int64(row, count), ofMode: try rows.text(row, name))
            case .late: parts[part].late? += try rows.int64(row, count)
            }
        }
    }

    /// Adds name, value, count and packed values from a column on.
    private func take(
        _ rows: QueryResult, _ row: Int, _ column: Int, into tallies: inout Tallies
    ) throws(PostgreSQLError) {
        let tally: FigureTally = try rows.value(row, column)
        let count = try rows.int64(row, column + 2)
        if let packed = try rows.bytesIfPresent(row, column + 3) {
            let entries = try Distribution.Entry.unpack(packed)
            let known = entries.reduce(0) { $0 + $1.count }
            tallies.add(entries, missing: count - known, to: tally)
        } else {
            tallies.add(count, of: try rows.int64IfPresent(row, column + 1), to: tally)
        }
    }

    // MARK: Cells

    /// How many cells the answer has at least, as far as that is known before the sums.
    var leastCellCount: Int {
        parts.reduce(0) { sum, part in
            sum
                + question.groups.reduce(1) { product, dimension in
                    if dimension.isCalendar { return product * part.stretches.count }
                    return product * (question.filter(dimension) ?? dimension.values ?? [""]).count
                }
        }
    }

    /// Nil: it has more cells than an answer may have.
    var answer: StatisticsAnswer? {
        var built: [StatisticsAnswer.Part] = []
        var cellCount = 0
        for (ordinal, part) in parts.enumerated() {
            let spans = spans.filter { $0.part == ordinal }
            // What was counted and taken back again did not occur.
            let part = part.withoutEmpty
            let lists = question.groups.enumerated().map {
                keys(of: $0.element, at: $0.offset, in: part, spans)
            }
            cellCount += question.groups.isEmpty ? 0 : lists.reduce(1) { $0 * $1.count }
            guard cellCount <= StatisticsQuestion.cellsMax else { return nil }
            var cells: [StatisticsAnswer.Cell] = []
            if !question.groups.isEmpty {
                for keys in combinations(lists[...]) {
                    cells.append(
                        StatisticsAnswer.Cell(
                            keys: keys, state: state(of: keys, in: part, spans),
                            detectionState: detectionState(of: keys, in: part, spans),
                            positionState: positionState(of: keys, in: part, spans),
                            tallies: tallies(part.counts[keys] ?? Tallies(), of: keys, in: part)))
                }
            }
            let total = StatisticsAnswer.Cell(
                keys: question.groups.map { _ in nil }, state: state(of: nil, in: part, spans),
                detectionState: detectionState(of: nil, in: part, spans),
                positionState: positionState(of: nil, in: part, spans),
                tallies: tallies(part.total, of: nil, in: part))
            built.append(
                StatisticsAnswer.Part(
                    spans: spans.map(\.span),
                    hasOtherLength: spans.contains(where: \.hasOtherLength), cells: cells,
                    total: total,
                    late: total.state == .notRecorded ? nil : part.late.map { .number($0) },
                    leftOut: part.leftOut))
        }
        var answer = StatisticsAnswer(
            question: question, position: standing.position, recordedAt: standing.recordedAt,
            knownAt: standing.knownAt, timeZoneRelease: standing.timeZoneRelease, period: built[0],
            comparisons: Array(zip(question.comparisons, built.dropFirst())))
        answer.detectionsBefore = detectionsBefore
        return answer
    }

    /// A group's keys in their order, last "no value" if there is any.
    private func keys(of dimension: Dimension, at place: Int, in part: Part, _ spans: [LedgerSpan])
        -> [String?]
    {
        var keys: [String?]
        if dimension.isCalendar {
            keys = part.stretches
        } else if dimension == .site {
            keys = spans.map(\.span.site.description)
        } else {
            let seen = Set(part.counts.keys.compactMap { $0[place] })
            let asked =
                dimension == .outcome ? nil : question.filter(dimension)
            let listed = asked ?? dimension.values ?? seen.sorted()
            keys = listed + seen.subtracting(listed).sorted()
        }
        if part.counts.keys.contains(where: { $0[place] == nil }) { keys.append(nil) }
        return keys
    }

    private func combinations(_ lists: ArraySlice<[String?]>) -> [[String?]] {
        guard let first = lists.first else { return [[]] }
        let rest = combinations(lists.dropFirst())
        return first.flatMap { key in rest.map { [key] + $0 } }
    }

    /// What was counted, beside the days of which it was counted where the metric has such.
    private func tallies(_ counted: Tallies, of keys: [String?]?, in part: Part) -> Tallies {
        guard let all = part.days else { return counted }
        let days =
            keys.map { keys in
                all[zip(question.groups, keys).filter { $0.0.tellsDaysApart }.map(\.1)] ?? []
            } ?? all.values.reduce(into: []) { $0.formUnion($1) }
        var tallies = counted
        tallies.add(
            days.map { Distribution.Entry(value: $0, count: 1) }, missing: 0, to: .days)
        return tallies
    }

    /// Whether a cell's figure can be told.
    ///
    /// - Parameter keys: nil: of the total.
    private func state(of keys: [String?]?, in part: Part, _ spans: [LedgerSpan]) -> RecordingState
    {
        state(of: keys, in: part, spans, until: standing.knownAt)
    }

    /// The same of what is counted of detections; nil where the keys are none of theirs.
    private func detectionState(of keys: [String?]?, in part: Part, _ spans: [LedgerSpan])
        -> RecordingState?
    {
        // Whether an alarm was dismissed says nothing of detections.
        let place = question.groups.firstIndex(of: .dismissalReason)
        let isOfDismissal = place.map { keys?[$0] != nil } ?? false
        guard question.metric.countsDetections, question.filter(.dismissalReason) == nil,
            !isOfDismissal
        else { return nil }
        return state(of: keys, in: part, spans, until: detectionsBefore ?? .epoch)
    }

    /// The same of what is counted of observers' positions; nil where the question is about none.
    private func positionState(of keys: [String?]?, in part: Part, _ spans: [LedgerSpan])
        -> RecordingState?
    {
        question.isOfPositions ? state(of: keys, in: part, spans) : nil
    }

    private func state(
        of keys: [String?]?, in part: Part, _ spans: [LedgerSpan], until: Timestamp
    ) -> RecordingState {
        var stretches: [SiteID: (from: Timestamp, to: Timestamp)]?
        var sources = question.filter(.source)
        var site: String?
        if let keys {
            for (dimension, key) in zip(question.groups, keys) {
                guard let key else { continue }
                if dimension == calendar { stretches = part.stretchesBySite[key] }
                if dimension == .source { sources = [key] }
                if dimension == .site { site = key }
            }
        }
        let isAutomatic =
            question.metric.isAutomatic || sources == [RecognitionSource.automatic.rawValue]
        var states: [RecordingState] = []
        for span in spans.map(\.span) where site == nil || site == span.site.description {
            let stretch = stretches == nil ? (span.from, span.to) : stretches?[span.site]
            guard let stretch else { continue }
            states.append(
                RecordingState(
                    from: stretch.0, to: stretch.1,
                    since: isAutomatic ? span.automaticSince : span.recordedSince,
                    until: span.recordedUntil ?? until))
        }
        return RecordingState(states) ?? .notRecorded
    }
}

extension Distribution.Entry {
    /// Reads values and how many there are of each, as the cells of the ledger keep them: 64 bits
    /// and 32 bits each, the highest byte first.
    static func unpack(_ bytes: [UInt8]) throws(PostgreSQLError) -> [Distribution.Entry] {
        let size = 12
        guard bytes.count.isMultiple(of: size) else {
            throw .unexpectedValue("\(bytes.count) bytes of packed values")
        }
        return bytes.withUnsafeBytes { bytes in
            stride(from: 0, to: bytes.count, by: size).map { place in
                let value = bytes.loadUnaligned(fromByteOffset: place, as: Int64.self)
                let count = bytes.loadUnaligned(fromByteOffset: place + 8, as: Int32.self)
                return Distribution.Entry(
                    value: Int64(bigEndian: value), count: Int64(Int32(bigEndian: count)))
            }
        }
    }
}
