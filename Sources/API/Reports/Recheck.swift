import ControlCentre
import HTTP
import JSON
import Store

/// What came of asking a frozen report's questions again.
public struct Recheck: Sendable {
    public let id: ReportID
    public let instant: Timestamp
    /// Whether the report's bytes are those that were hashed and signed.
    public let isIntact: Bool
    /// At the report's own position: there its figures must be the same for ever.
    public let samePosition: Comparison
    public let now: Comparison
    /// Releases of the time zone database, where the record's clocks come from.
    let frozenZones: String?
    let presentZones: String?

    public struct Comparison: Sendable {
        public let position: Int64
        /// Whether the figures are the same.
        public let isIdentical: Bool
        public let differences: [Difference]
    }

    /// A figure that is another now.
    public struct Difference: Sendable {
        public let question: Int64
        /// Its place among the question's figures, from 1.
        public let figure: Int
        public let period: String
        public let row: Row
        /// Of a cell.
        public let group: [(name: String, key: String?)]
        public let measure: String
        let before: ReportContent.Value
        let after: ReportContent.Value
        /// The rows of the journal behind it.
        public fileprivate(set) var changes: [ChangeBehind] = []

        public enum Row: String, Sendable {
            case cell, total, included
            case leftOut = "left_out"
            /// The metric's definition has another version.
            case definition
        }

        public var beforeText: String { before.german(of: measure) ?? "–" }
        public var afterText: String { after.german(of: measure) ?? "–" }
    }
}

extension Database {
    /// Asks a report's questions again: at its position, where they must have the same answers, and
    /// now.
    ///
    /// - Parameter site: the site that the reader is bound to.
    /// - Returns: nil when there is no such report.
    /// - Throws: `Problem` when the stored report cannot be read, `StoreError`.
    public func recheck(_ id: ReportID, only site: SiteID?, at instant: Timestamp) async throws
        -> Recheck?
    {
        guard let stored = try await report(id, only: site) else { return nil }
        guard let content = ReportContent(canonical: stored.content),
            let knownAt = Timestamp(rfc3339: content.knownAt)
        else { throw Problem.damagedReport }
        let questions = try content.statisticsQuestions(of: stored.site, at: instant)
        let standing = Knowledge.standing(
            position: content.position,
            recordedAt: content.recordedAt.flatMap { Timestamp(rfc3339: $0) }, knownAt: knownAt)
        let (then, _) = try await figures(content, questions, knowing: standing, at: instant)
        let (now, position) = try await figures(content, questions, knowing: .now, at: instant)
        var differences: [Recheck.Difference] = []
        for (index, (place, after)) in zip(content.figurePlaces, now).enumerated() {
            var found = Recheck.differences(place.figure, after, place.question, place.number)
            if !found.isEmpty {
                let changes = try await changes(
                    behind: questions[index], after: content.position, upTo: position)
                for each in found.indices {
                    found[each].changes = found[each].own(changes, of: place.figure)
                }
            }
            differences += found
        }
        return Recheck(
            id: id, instant: instant, isIntact: FrozenReport.isIntact(stored),
            samePosition: Recheck.Comparison(
                position: content.position,
                isIdentical: zip(content.figurePlaces, then).allSatisfy {
                    $0.figure.answer.figures(asIn: $0.figure.answer)
                        == $1.answer.figures(asIn: $0.figure.answer)
                },
                differences: zip(content.figurePlaces, then).flatMap {
                    Recheck.differences($0.figure, $1, $0.question, $0.number)
                }),
            now: Recheck.Comparison(
                position: position,
                isIdentical: differences.allSatisfy { $0.row == .definition },
                differences: differences),
            frozenZones: content.tzdataVersion,
            presentZones: now.compactMap { $0.answer["tzdata_version"]?.asString }.first)
    }

    private func figures(
        _ content: ReportContent, _ questions: [StatisticsQuestion], knowing: Knowledge,
        at instant: Timestamp
    ) async throws -> ([ReportContent.Figure], position: Int64) {
        let outcome = try await answers(questions, knowing: knowing, at: instant)
        guard case .snapshot(let snapshot) = outcome else { throw Problem.damagedReport }
        var figures: [ReportContent.Figure] = []
        for (outcome, place) in zip(snapshot.outcomes, content.figurePlaces) {
            guard case .answer(let answer) = outcome,
                let figure = ReportContent.Figure(
                    caption: place.figure.caption, metric: place.figure.metric,
                    parameters: place.figure.parameters, given: answer.json)
            else { throw Problem.unanswerableReport }
            figures.append(figure)
        }
        return (figures, snapshot.position)
    }
}

extension ReportContent {
    /// All figures, each with its question's number and its place there from 1.
    fileprivate var figurePlaces: [(question: Int64, number: Int, figure: Figure)] {
        questions.flatMap { question in
            question.figures.enumerated().map { (question.number, $0.offset + 1, $0.element) }
        }
    }

    /// The figures' questions as they were asked.
    fileprivate func statisticsQuestions(of site: SiteID?, at instant: Timestamp) throws(Problem)
        -> [StatisticsQuestion]
    {
        var questions: [StatisticsQuestion] = []
        for place in figurePlaces {
            guard let metric = Metric(rawValue: place.figure.metric) else {
                throw .unanswerableReport
            }
            var question: StatisticsQuestion
            do throws(Problem) {
                question = try StatisticsQuestion(metric, place.figure.parameters, at: instant)
            } catch {
                throw .unanswerableReport
            }
            question.site = site
            question.asOf = place.figure.answer["as_of"]?["asked"]?.asString.flatMap {
                Timestamp(rfc3339: $0)
            }
            questions.append(question)
        }
        return questions
    }
}

extension Problem {
    static let damagedReport = Problem(
        500, "report.damaged", "What is stored of the report is not what was signed.")
    /// A later program has another catalogue.
    fileprivate static let unanswerableReport = Problem(
        409, "report.unanswerable", "A question of the report is one that is not answered any more."
    )
}

extension JSON {
    /// In its canonical form, without what tells by which rules of the zones it was made, and without
    /// the sentence and the definition that word it: these may change, the figures may not.
    ///
    /// - Parameter frozen: what it does not tell, as it is from before that was told, does not count.
    func figures(asIn frozen: JSON) -> [UInt8] {
        var others: Set = ["version", "tzdata_version", "time_zone_sha256", "sentence"]
        if frozen["included"] == nil { others.insert("included") }
        return without(others).serialized(sortedKeys: true)
    }

    private func without(_ names: Set<String>) -> JSON {
        switch self {
        case .object(let object):
            // Where nothing is recorded, earlier versions said that none was late.
            let others = hasUnrecordedTotal ? names.union(["included"]) : names
            return .object(
                JSONObject(
                    object.members.filter { !others.contains($0.name) }.map {
                        JSONObject.Member(name: $0.name, value: $0.value.without(names))
                    }))
        case .array(let items): return .array(items.map { $0.without(names) })
        default: return self
        }
    }
}
