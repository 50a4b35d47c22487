import ControlCentre
import HTTP
import JSON
import Store

extension API {
    func addStatistics() {
        add(.get, "/v1/statistics", for: [.statistician, .shiftSupervisor, .auditor]) { api, call in
            try call.rejectParameters()
            try await api.database.logReading(
                .statisticsRead, at: call.site, by: call.author(), at: call.receivedAt)
            let since = try await api.database.recordedSince(only: call.site)
            var writer = JSONWriter()
            writer.object { writer in
                writer.array("items") { writer in
                    for metric in Metric.allCases {
                        let definition = MetricDefinition.current(of: metric)
                        writer.object { writer in
                            definition.write(to: &writer)
                            writer.array("recorded_since") { writer in
                                for site in since[metric] ?? [] {
                                    writer.object { writer in
                                        writer.member("site", site.site.description)
                                        writer.member("at", site.since.rfc3339)
                                        writer.member(
                                            "automatic_at", site.automaticSince?.rfc3339)
                                    }
                                }
                            }
                        }
                    }
                }
                writer.member("next", nil as String?)
            }
            return .json(writer.bytes)
        }
        add(.get, "/v1/statistics/{metric}", for: [.statistician, .shiftSupervisor]) { api, call in
            guard let name = call.request.pathParameters["metric"],
                let metric = Metric(rawValue: name)
            else {
                let known = Metric.allCases.map(\.rawValue).joined(separator: ", ")
                throw Problem(
                    404, "metric.unknown", "There is no metric of this name; known are \(known).")
            }
            var query = QueryReader(call.request)
            let format = try query.answerFormat(for: call.request)
            let site = try query.site(for: call)
            let asked = query.question(of: metric, at: call.receivedAt)
            try query.finish()
            guard var question = asked else {
                preconditionFailure("a missing period is a fault")
            }
            question.site = site
            let isKnown = try await api.database.logReading(
                .statisticsRead, of: metric, at: question.site, by: call.author(),
                at: call.receivedAt)
            guard isKnown else { throw Problem.unknown("site") }
            switch try await api.database.answer(question, at: call.receivedAt) {
            case .answer(let answer):
                switch format {
                case .json:
                    var writer = JSONWriter()
                    answer.write(to: &writer)
                    return .json(writer.bytes)
                case .csv(let dialect):
                    return Response(
                        status: 200, fields: [("content-type", "text/csv; charset=utf-8")],
                        body: dialect.table(of: answer))
                }
            case .unknownSite:
                throw Problem.unknown("site")
            case .asOfInFuture(let now):
                throw Problem.invalidParameter(
                    "as_of", "must not be in the future; it is \(now.rfc3339)")
            case .comparisonOverlapsPeriod:
                throw Problem.invalidParameter("compare", PeriodComparison.overlapDetail)
            case .tooManyCells:
                throw Problem.invalidParameter(
                    "group_by",
                    "must part the period into at most \(StatisticsQuestion.cellsMax) cells; ask "
                        + "for a shorter period or fewer groups")
            }
        }
    }
}

/// How an answer is written.
private enum AnswerFormat: String, CaseIterable {
    case json, csv

    enum Written {
        case json
        case csv(CSVDialect)
    }
}

extension QueryReader {
    /// `format` and `dialect`; without them as the Accept header prefers.
    fileprivate mutating func answerFormat(for request: Request) throws(Problem)
        -> AnswerFormat.Written
    {
        let format = value("format", expected: "json or csv") { AnswerFormat(rawValue: $0) }
        let dialects = CSVDialect.allCases.map(\.rawValue).joined(separator: " or ")
        let dialect = value("dialect", expected: dialects) { CSVDialect(rawValue: $0) }
        let accepted = request.fields.first(named: "accept") ?? ""
        let isCSV = format.map { $0 == .csv } ?? (dialect != nil || accepted.hasPrefix("text/csv"))
        if !isCSV, dialect != nil {
            refuse("dialect", code: "invalid", "is for the format csv only")
        }
        return isCSV ? .csv(dialect ?? .rfc4180) : .json
    }

    /// A question to the statistics of all sites; nil only after a fault.
    ///
    /// - Parameter now: what lies after it cannot be known yet.
    mutating func question(of metric: Metric, at now: Timestamp) -> StatisticsQuestion? {
        let definition = MetricDefinition.current(of: metric)
        let from = bound("from", of: metric)
        let to = bound("to", of: metric)
        let groups = groups(of: definition)
        var filters: [(dimension: Dimension, values: [String])] = []
        for dimension in definition.filters where dimension != .site {
            let expected = dimension.values?.joined(separator: ", ") ?? "values of it"
            let values = parts(of: dimension.rawValue, expected: expected) {
                dimension.takes($0) ? $0 : nil
            }
            if let values { filters.append((dimension, values)) }
        }
        let clock =
            metric == .arrivalTimes
            ? value("clock", expected: "recognition or dispatch") { ArrivalClock(rawValue: $0) }
            : nil
        let comparisons = anyOf("compare", PeriodComparison.self) ?? []
        if Set(comparisons).count < comparisons.count {
            refuse("compare", code: "duplicate", "must name each once")
        }
        let asOf = time("as_of")
        if let asOf, asOf > now {
            refuse(
                "as_of", code: "out-of-range",
                "must not be in the future; it is \(now.rfc3339)")
        }
        let thresholds = SmallNumberSuppression.thresholds
        let suppressBelow = value(
            "suppress_below",
            expected: "a whole number from \(thresholds.lowerBound) to \(thresholds.upperBound): "
                + "below 2 there is only 1, which would be told"
        ) { Int($0).flatMap { thresholds.contains($0) ? $0 : nil } }
        guard let from, let to else { return nil }
        switch (from, to) {
        case (.date(let first), .date(let end)) where first >= end:
            refuse(
                "to", code: "out-of-range", "must be after from; a date means its local midnight")
        case (.instant(let first), .instant(let end)) where first >= end:
            refuse("to", code: "out-of-range", "must be after from")
        case (.date, .instant), (.instant, .date):
            refuse("to", code: "invalid", "must be a date if from is one, else an instant")
        default: break
        }
        var question = StatisticsQuestion(metric: metric, from: from, to: to)
        question.groups = groups
        question.filters = filters
        question.clock = clock ?? .recognition
        question.comparisons = comparisons
        question.asOf = asOf
        question.suppressBelow = suppressBelow
        return question
    }

    private mutating func groups(of definition: MetricDefinition) -> [Dimension] {
        let has = definition.groups.map(\.rawValue).joined(separator: ", ")
        let most = StatisticsQuestion.groupsMax
        guard let names = text("group_by") else { return [] }
        var groups: [Dimension] = []
        for name in names.split(separator: ",", omittingEmptySubsequences: false) {
            guard let group = Dimension(rawValue: String(name)) else {
                refuse("group_by", code: "unknown", "must be one to \(most) of \(has)")
                return []
            }
            guard definition.groups.contains(group) else {
                refuse(
                    "group_by", code: "not-of-metric",
                    "must be of this metric, which has no \(name): one to \(most) of \(has)")
                return []
            }
            groups.append(group)
        }
        if groups.count > most {
            refuse("group_by", code: "out-of-range", "must be one to \(most) of \(has)")
        } else if Set(groups).count < groups.count {
            refuse("group_by", code: "duplicate", "must name each once")
        } else if groups.filter(\.isCalendar).count > 1 {
            refuse("group_by", code: "invalid", "must have at most one of month, week and day")
        }
        return groups
    }

    /// A date, or an instant on a step of the metric; both are required.
    private mutating func bound(_ name: String, of metric: Metric) -> PeriodBound? {
        let expected = PeriodBound.expectation(of: metric)
        guard text(name) != nil else {
            refuse(name, code: "missing", "must be \(expected)")
            return nil
        }
        let bound: PeriodBound? = value(name, expected: expected) { text in
            if let date = LocalDate(text) { return .date(date) }
            guard !metric.isByDay, let instant = Timestamp(rfc3339: text),
                Self.instants.contains(instant)
            else { return nil }
            return .instant(instant)
        }
        if case .instant(let instant) = bound,
            instant.microsecondsSinceEpoch % (metric.stepSeconds * 1_000_000) != 0
        {
            let step = metric.stepSeconds == 3_600 ? "an hour" : "a quarter of an hour"
            refuse(name, code: "invalid", "must be on \(step), by which is counted")
            return nil
        }
        return bound
    }

    private static var instants: ClosedRange<Timestamp> {
        let end = Timestamp(microsecondsSinceEpoch: 7_258_118_400_000_000) ?? .latest
        return .epoch...end
    }
}

extension PeriodComparison {
    static let overlapDetail =
        "must not overlap the period, nor by outcome each other, where small numbers are suppressed, "
        + "since each would tell of the other; ask for a period of at most a year, or compare one"
}

extension PeriodBound {
    /// What a bound has to be; of a metric that is not known yet, what it may be.
    static func expectation(of metric: Metric?) -> String {
        metric?.isByDay ?? false
            ? "a date of the years 1970 to 2199, since the metric counts by the day"
            : "a date of the years 1970 to 2199, or an RFC 3339 time with offset"
    }
}

extension Problem {
    fileprivate static func invalidParameter(_ name: String, _ detail: String) -> Problem {
        Problem(
            422, "parameter.invalid", "A query parameter is not valid.",
            faults: [Fault(.parameter(name), code: "out-of-range", detail: detail)])
    }
}

// MARK: Writing

extension MetricDefinition {
    func write(to writer: inout JSONWriter) {
        writer.member("metric", metric.rawValue)
        writer.member("version", version)
        for (name, text) in [
            ("title", title), ("counts", counts), ("clock", clock), ("recorded", recorded),
        ] {
            writer.object(name) { writer in
                writer.member("de", text.german)
                writer.member("en", text.english)
            }
        }
        writer.array("measures") { writer in
            for measure in measures { writer.value(measure.rawValue) }
        }
        writer.array("group_by") { writer in
            for group in groups { writer.value(group.rawValue) }
        }
        writer.array("filters") { writer in
            for filter in filters { writer.value(filter.rawValue) }
        }
    }
}

extension StatisticsAnswer {
    /// What the question is restricted to, also where it does not say so itself.
    var filters: [(dimension: Dimension, values: [String])] {
        var filters = question.filters.filter { $0.dimension != .operatingMode }
        if let modes = question.operatingModes { filters.append((.operatingMode, modes)) }
        if let site = question.site { filters.append((.site, [site.description])) }
        return filters
    }

    func write(to writer: inout JSONWriter) {
        let definition = MetricDefinition.current(of: question.metric)
        writer.object { writer in
            writer.member("metric", question.metric.rawValue)
            writer.member("version", definition.version)
            if question.metric == .arrivalTimes {
                writer.member("clock", question.clock.rawValue)
            } else {
                writer.member("clock", nil as String?)
            }
            writer.object("as_of") { writer in
                writer.member("asked", question.asOf?.rfc3339)
                writer.member("known_at", knownAt.rfc3339)
                writer.member("position", position)
                writer.member("recorded_at", recordedAt?.rfc3339)
                writer.member("detections_before", detectionsBefore?.rfc3339)
            }
            writer.member("tzdata_version", timeZoneRelease)
            writer.member("suppress_below", question.suppressBelow)
            writer.object("filters") { writer in
                for filter in filters {
                    writer.array(filter.dimension.rawValue) { writer in
                        for value in filter.values { writer.value(value) }
                    }
                }
            }
            writer.array("group_by") { writer in
                for group in question.groups { writer.value(group.rawValue) }
            }
            writer.member("sentence", germanSentence)
            period.write(to: &writer, of: self)
            writer.array("comparisons") { writer in
                for (comparison, part) in comparisons {
                    writer.object { writer in
                        writer.member("comparison", comparison.rawValue)
                        writer.member("unequal_lengths", part.hasOtherLength)
                        part.write(to: &writer, of: self)
                    }
                }
            }
        }
    }
}

extension StatisticsAnswer.Part {
    /// Writes the members of a period: when it was, its figures, what they count though it was late, and
    /// last what they leave out.
    fileprivate func write(to writer: inout JSONWriter, of answer: StatisticsAnswer) {
        let measures = MetricDefinition.current(of: answer.question.metric).measures
        writer.array("periods") { writer in
            for span in spans {
                writer.object { writer in
                    writer.member("site", span.site.description)
                    writer.member("time_zone", span.timeZone)
                    writer.member("time_zone_sha256", span.timeZoneFingerprint)
                    writer.member("from", span.from.rfc3339)
                    writer.member("to", span.to.rfc3339)
                    writer.member("local_from", span.localFrom)
                    writer.member("local_to", span.localTo)
                    writer.member("recorded_since", span.recordedSince.rfc3339)
                    writer.member("recorded_until", span.recordedUntil?.rfc3339)
                    writer.member("automatic_since", span.automaticSince?.rfc3339)
                }
            }
        }
        writer.array("cells") { writer in
            for cell in cells {
                writer.object { writer in
                    writer.object("group") { writer in
                        for (group, key) in zip(answer.question.groups, cell.keys) {
                            writer.member(group.rawValue, key)
                        }
                    }
                    cell.write(measures, to: &writer)
                }
            }
        }
        writer.object("total") { total.write(measures, to: &$0) }
        writer.object("included") { $0.member("late", late?.value) }
        writer.object("left_out") { writer in
            writer.object("operating_modes") { writer in
                for mode in OperatingMode.allCases {
                    guard !(answer.question.operatingModes?.contains(mode.rawValue) ?? true) else {
                        continue
                    }
                    writer.member(mode.rawValue, (leftOut.operatingModes[mode.rawValue] ?? 0).value)
                }
            }
            for reason in LeftOutReason.allCases {
                writer.member(reason.rawValue, leftOut[reason]?.value)
            }
        }
    }
}

extension StatisticsAnswer.Cell {
    /// A number, or the state that forbids one; nil where no number exists, as a mean of nothing.
    func value(of measure: Measure) -> MeasuredValue? {
        switch state(of: measure) {
        case .complete: tallies.value(of: measure)
        case .partial: .state(.partial)
        case .notRecorded: .state(.notRecorded)
        case .suppressed: .state(.suppressed)
        case nil: nil
        }
    }

    fileprivate func write(_ measures: [Measure], to writer: inout JSONWriter) {
        writer.object("values") { writer in
            for measure in measures { writer.member(measure.rawValue, value(of: measure)) }
        }
        // What is known of a part of the time is worth telling, though it is no figure.
        let isPartial = measures.contains { state(of: $0) == .partial }
        guard isPartial else { return }
        writer.object("known_part") { writer in
            for measure in measures {
                let isTold = state(of: measure) != nil && state(of: measure) != .notRecorded
                writer.member(measure.rawValue, isTold ? tallies.value(of: measure) : nil)
            }
        }
    }
}

/// What stands in a cell.
enum MeasuredValue: Equatable {
    case whole(Int64)
    case fraction(Double)
    case state(RecordingState)
}

extension CaseCount {
    var value: MeasuredValue {
        switch self {
        case .number(let number): .whole(number)
        case .suppressed: .state(.suppressed)
        }
    }
}

extension Tallies {
    func value(of measure: Measure) -> MeasuredValue? {
        guard let number = number(of: measure) else { return nil }
        return measure.isWhole ? .whole(Int64(number)) : .fraction(number)
    }
}

extension JSONWriter {
    fileprivate mutating func member(_ name: String, _ value: MeasuredValue?) {
        switch value {
        case .whole(let number): member(name, number)
        case .fraction(let number): member(name, number)
        case .state(let state): member(name, state.rawValue)
        case nil: member(name, nil as Double?)
        }
    }
}
