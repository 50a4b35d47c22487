import ControlCentre
import HTTP
import JSON

extension ReportDraft {
    /// - Parameter now: what lies after it cannot be known yet.
    init?(_ reader: inout ObjectReader, at now: Timestamp) {
        let title = reader.requiredLine("title", length: 1...300)
        let reference = reader.requiredLine("reference", length: 1...100)
        let stand = reader.requiredLine("stand", length: 1...100)
        let site = reader.nullable("site", expected: "a site's id") { SiteID($0) }
        let asOf = reader.nullableTime("as_of")
        if let asOf, asOf > now {
            reader.refuse(
                "as_of", code: "out-of-range", "must not be in the future; it is \(now.rfc3339)")
        }
        let questions = reader.requiredObjects("questions", count: 1...Self.questionsMax) {
            ReportQuestion(&$0, at: now)
        }
        let predecessor = reader.nullableObject("continues") { ReportPredecessor(&$0) }
        guard let title, let reference, let stand, let questions else { return nil }
        self.init(title: title, reference: reference, stand: stand, questions: questions)
        self.site = site
        self.asOf = asOf
        self.predecessor = predecessor
        check(&reader)
    }

    /// A report as `POST /v1/reports` takes it.
    public static func reading(_ body: [UInt8], at now: Timestamp) throws(Problem) -> ReportDraft {
        var reader = ObjectReader(try .parsing(body))
        let draft = ReportDraft(&reader, at: now)
        reader.rejectUnknown()
        guard reader.isValid, let draft else { throw .invalidBody(reader.errors) }
        return draft
    }

    /// What must hold between members.
    private func check(_ reader: inout ObjectReader) {
        var numbers: Set<Int> = []
        for (index, question) in questions.enumerated()
        where !numbers.insert(question.number).inserted {
            reader.refuse(
                MemberError(
                    pointer: "/questions/\(index)/number", code: "duplicate",
                    detail: "must be another than those before"))
        }
        if figures.count > Self.figuresMax {
            reader.refuse(
                "questions", code: "out-of-range",
                "must have at most \(Self.figuresMax) figures in all, has \(figures.count)")
        }
        guard case .printed(let printed) = predecessor else { return }
        for (index, figure) in printed.figures.enumerated() {
            let question = questions.first { $0.number == figure.question }
            let count = question?.answer.figures.count ?? 0
            let place = "/continues/figures/\(index)"
            if question == nil {
                reader.refuse(
                    MemberError(
                        pointer: place + "/question", code: "unknown",
                        detail: "must be the number of a question of this report"))
            } else if figure.figure > count {
                reader.refuse(
                    MemberError(
                        pointer: place + "/figure", code: "unknown",
                        detail: "must be a figure of the question, which has \(count)"))
            }
        }
    }
}

extension ReportQuestion {
    fileprivate init?(_ reader: inout ObjectReader, at now: Timestamp) {
        let number = reader.requiredInteger("number", in: 1...99)
        let wording = reader.requiredText("wording", length: 1...4_000)
        let answer = reader.requiredObject("answer") { ReportAnswer(&$0, at: now) }
        guard let number, let wording, let answer else { return nil }
        self.init(number: number, wording: wording, answer: answer)
    }
}

/// The members of an answer that say what it is.
private enum ReportAnswerKind: String, CaseIterable {
    case figures, text
    case notCollected = "not_collected"
}

extension ReportAnswer {
    fileprivate init?(_ reader: inout ObjectReader, at now: Timestamp) {
        switch reader.requiredCase("kind", of: ReportAnswerKind.self) {
        case .figures:
            let figures = reader.requiredObjects("figures", count: 1...10) {
                ReportFigure(&$0, at: now)
            }
            let text = reader.nullableText("text", length: 1...20_000)
            guard let figures else { return nil }
            self = .figures(figures, text: text)
        case .text:
            guard let text = reader.requiredText("text", length: 1...20_000) else { return nil }
            self = .text(text)
        case .notCollected:
            self = .notCollected(text: reader.nullableText("text", length: 1...20_000))
        case nil:
            // What else is wrong depends on the kind.
            _ = reader.nullable("figures")
            _ = reader.nullable("text")
            return nil
        }
    }
}

extension ReportFigure {
    /// A question as `GET /v1/statistics/{metric}` takes it, in members instead of parameters.
    fileprivate init?(_ reader: inout ObjectReader, at now: Timestamp) {
        let caption = reader.nullableLine("caption", length: 1...300)
        let metric = reader.requiredCase("metric", of: Metric.self)
        var parameters: [(name: String, value: String)] = []
        for name in ["from", "to"] {
            let expected = PeriodBound.expectation(of: metric)
            if let value = reader.required(name, expected: expected, { $0 }) {
                parameters.append((name, value))
            }
        }
        if let value = reader.nullable("clock", expected: "a text", { $0 }) {
            parameters.append(("clock", value))
        }
        for name in ["group_by", "compare"] {
            let parts = reader.nullableItems(
                name, count: 1...3, expected: "a name without comma", Self.part)
            if let parts { parameters.append((name, parts.joined(separator: ","))) }
        }
        let threshold = reader.nullableInteger(
            "suppress_below", in: SmallNumberSuppression.thresholds)
        if let threshold { parameters.append(("suppress_below", "\(threshold)")) }
        let filters = metric.map { MetricDefinition.current(of: $0).filters } ?? []
        _ = reader.nullableObject("filters") { reader in
            for filter in filters where filter != .site {
                let values = reader.nullableItems(
                    filter.rawValue, count: 1...50, expected: "a value without comma", Self.part)
                if let values {
                    parameters.append((filter.rawValue, values.joined(separator: ",")))
                }
            }
        }
        guard let metric, reader.isValid else { return nil }
        do throws(Problem) {
            self.init(
                caption: caption,
                question: try StatisticsQuestion(metric, parameters, at: now),
                parameters: parameters)
        } catch {
            for fault in error.faults {
                guard case .parameter(let name) = fault.place else { continue }
                let isFilter = filters.contains { $0.rawValue == name }
                let place =
                    isFilter
                    ? reader.pointer(to: "filters") + "/" + name : reader.pointer(to: name)
                reader.refuse(MemberError(pointer: place, code: fault.code, detail: fault.detail))
            }
            return nil
        }
    }

    private static func part(_ text: String) -> String? {
        text.isEmpty || text.contains(",") ? nil : text
    }
}

extension StatisticsQuestion {
    /// The question that these parameters ask; its site and as-of are whoever's asks them.
    init(_ metric: Metric, _ parameters: [(name: String, value: String)], at now: Timestamp)
        throws(Problem)
    {
        var query = QueryReader(
            parameters.map { Target.Parameter(name: $0.name, value: $0.value) })
        let question = query.question(of: metric, at: now)
        try query.finish()
        guard let question else { preconditionFailure("a missing period is a fault") }
        self = question
    }
}

extension ReportPredecessor {
    fileprivate init?(_ reader: inout ObjectReader) {
        if reader.contains("report") {
            let id = reader.required("report", expected: "a report's id") { ReportID($0) }
            guard let id else { return nil }
            self = .report(id)
            return
        }
        let reference = reader.requiredLine("reference", length: 1...100)
        let stand = reader.nullableLine("stand", length: 1...100)
        let figures = reader.requiredObjects("figures", count: 1...100) { PrintedFigure(&$0) }
        guard let reference, let figures else { return nil }
        self = .printed(PrintedReport(reference: reference, stand: stand, figures: figures))
    }
}

extension PrintedFigure {
    fileprivate init?(_ reader: inout ObjectReader) {
        let question = reader.requiredInteger("question", in: 1...99)
        let figure = reader.nullableInteger("figure", in: 1...10) ?? 1
        var group: [String: String] = [:]
        _ = reader.nullableObject("group") { reader in
            for dimension in Dimension.allCases {
                // Null, which answers have for "no value", is on no printed page.
                let value = reader.optional(dimension.rawValue, expected: "a value of it") {
                    dimension.isCalendar || dimension.takes($0) ? $0 : nil
                }
                if let value { group[dimension.rawValue] = value }
            }
        }
        let measure = reader.nullableCase("measure", of: Measure.self) ?? .count
        let value: PrintedValue? =
            switch reader.required("value") {
            case .some(.integer(let number)) where number >= 0: .number(Double(number))
            case .some(.number(let number)) where number >= 0: .number(number)
            case .some(.string(RecordingState.notRecorded.rawValue)): .notRecorded
            case .some:
                {
                    reader.refuse("value", "must be a number from 0 on, or not_recorded")
                    return nil
                }()
            case nil: nil
            }
        guard let question, let value else { return nil }
        self.init(
            question: question, figure: figure, group: group, measure: measure.rawValue,
            value: value)
    }
}

extension ObjectReader {
    /// Text of several lines, without other control characters than their ends.
    fileprivate mutating func requiredText(_ name: String, length: ClosedRange<Int>) -> String? {
        checkText(name, requiredString(name, length: length))
    }

    fileprivate mutating func nullableText(_ name: String, length: ClosedRange<Int>) -> String? {
        checkText(name, nullableString(name, length: length))
    }

    private mutating func checkText(_ name: String, _ text: String?) -> String? {
        guard let text else { return nil }
        guard text.unicodeScalars.allSatisfy({ $0 == "\n" || isLine(String($0)) }) else {
            refuse(name, "must have no control characters but line feeds")
            return nil
        }
        return text
    }
}
