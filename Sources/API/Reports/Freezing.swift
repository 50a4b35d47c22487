import ControlCentre
import HTTP
import JSON
import Store
import TLS

extension Database {
    /// Counts a draft's figures in one snapshot, at one position, and keeps the report for good.
    ///
    /// - Parameter author: nil from the command line.
    /// - Returns: the report's id and its summary.
    /// - Throws: `Problem` for what the draft asks and cannot have, `StoreError`.
    public func freeze(
        _ draft: ReportDraft, with key: SigningKey, by author: Author?, at instant: Timestamp
    ) async throws -> (id: ReportID, summary: [UInt8]) {
        guard let timeZone = try await timeZone(of: draft.site) else {
            throw Problem.unknown("site")
        }
        let earlier = try await earlierReport(of: draft)
        let (snapshot, answers) = try await answers(to: draft, at: instant)
        let asked = draft.figures
        let figures = zip(asked, answers).map { ReportContent.Figure($0.figure, $1) }
        let numbers = asked.map { (draft.questions[$0.question].number, $0.place + 1) }
        var predecessor: ReportContent.Predecessor?
        if let earlier {
            predecessor = try ReportContent.Predecessor(
                earlier, figures: figures, numbers: numbers)
        } else if case .printed(let printed) = draft.predecessor {
            predecessor = try ReportContent.Predecessor(
                printed, figures: figures, numbers: numbers)
        }
        let id = ReportID.make(at: instant)
        let content = FrozenContent(
            id: id, draft: draft, timeZone: timeZone, frozenAt: instant, snapshot: snapshot,
            answers: answers, figures: figures, predecessor: predecessor,
            names: try await names(in: answers),
            instants: try await localInstants(
                of: answers, and: [instant, snapshot.knownAt] + [snapshot.recordedAt],
                in: timeZone),
            keyID: key.fingerprint.hexadecimal
        ).canonical
        let sealed = SealedReport(
            id: id, site: draft.site, title: draft.title, reference: draft.reference,
            stand: draft.stand, position: snapshot.position, content: content,
            hash: SHA256.digest(of: content), signature: key.signature(of: content),
            key: key.fingerprint, publicKey: key.publicKeyPEM)
        return (id, try await freeze(sealed, by: author, at: instant))
    }

    private func earlierReport(of draft: ReportDraft) async throws -> ReportContent? {
        guard case .report(let id) = draft.predecessor else { return nil }
        // One of all sites has no figures of a single one, nor the other way round.
        guard let stored = try await report(id, only: draft.site), stored.site == draft.site else {
            throw Problem.invalidBody([
                MemberError(
                    pointer: "/continues/report", code: "report.unknown",
                    detail: "must be an earlier report of the same site")
            ])
        }
        guard FrozenReport.isIntact(stored),
            let content = ReportContent(canonical: stored.content)
        else { throw Problem.damagedReport }
        return content
    }

    private func answers(to draft: ReportDraft, at instant: Timestamp) async throws
        -> (StatisticsSnapshot, [StatisticsAnswer])
    {
        let questions = draft.figures.map { _, _, figure in
            var question = figure.question
            question.site = draft.site
            question.asOf = draft.asOf
            return question
        }
        let knowledge = draft.asOf.map { Knowledge.asOf($0) } ?? .now
        let outcome = try await answers(questions, knowing: knowledge, at: instant)
        guard case .snapshot(let snapshot) = outcome else {
            throw Problem.invalidBody([
                MemberError(
                    pointer: "/as_of", code: "out-of-range", detail: "must not be in the future")
            ])
        }
        var answers: [StatisticsAnswer] = []
        var cellCount = 0
        for (outcome, (question, place, _)) in zip(snapshot.outcomes, draft.figures) {
            if case .unknownSite = outcome { throw Problem.unknown("site") }
            if case .comparisonOverlapsPeriod = outcome {
                throw Problem.invalidBody([
                    MemberError(
                        pointer: "/questions/\(question)/answer/figures/\(place)/compare",
                        code: "out-of-range", detail: PeriodComparison.overlapDetail)
                ])
            }
            if case .answer(let answer) = outcome {
                answers.append(answer)
                cellCount += answer.period.cells.count
                cellCount += answer.comparisons.reduce(0) { $0 + $1.part.cells.count }
            }
            guard case .answer = outcome, cellCount <= ReportDraft.cellsMax else {
                throw Problem.invalidBody([
                    MemberError(
                        pointer: "/questions/\(question)/answer/figures/\(place)/group_by",
                        code: "out-of-range",
                        detail: "must leave the report at most \(ReportDraft.cellsMax) cells; ask "
                            + "for a shorter period or fewer groups")
                ])
            }
        }
        return (snapshot, answers)
    }

    private func names(in answers: [StatisticsAnswer]) async throws -> PlaceNames {
        var sites: Set<String> = []
        var ids: [Dimension: Set<UUID>] = [:]
        for answer in answers {
            for part in [answer.period] + answer.comparisons.map(\.part) {
                sites.formUnion(part.spans.map(\.site.description))
                for cell in part.cells {
                    for (group, key) in zip(answer.question.groups, cell.keys) {
                        if let id = key.flatMap({ UUID($0) }) {
                            ids[group, default: []].insert(id)
                        }
                    }
                }
            }
            for filter in answer.question.filters {
                ids[filter.dimension, default: []].formUnion(filter.values.compactMap { UUID($0) })
            }
        }
        return try await placeNames(
            sites: Array(sites), areas: Array(ids[.area] ?? []), cameras: Array(ids[.camera] ?? []))
    }

    private func localInstants(
        of answers: [StatisticsAnswer], and others: [Timestamp?], in timeZone: String
    ) async throws -> [(Timestamp, String)] {
        let spans = answers.flatMap { answer in
            answer.period.spans + answer.comparisons.flatMap(\.part.spans)
        }
        let instants = Set(
            others.compactMap { $0 } + spans.map(\.recordedSince)
                + spans.compactMap(\.automaticSince)
        ).sorted()
        return Array(zip(instants, try await localTexts(of: instants, in: timeZone)))
    }
}

extension ReportContent.Figure {
    fileprivate init(_ asked: ReportFigure, _ answer: StatisticsAnswer) {
        let json = answer.json
        guard
            let figure = ReportContent.Figure(
                caption: asked.caption, metric: asked.question.metric.rawValue,
                parameters: asked.parameters, given: json)
        else { preconditionFailure("an answer lacks a member") }
        self = figure
    }
}

extension StatisticsAnswer {
    /// The answer as it is given out.
    var json: JSON {
        var writer = JSONWriter()
        write(to: &writer)
        do throws(JSONError) {
            return try JSON.parse(writer.bytes)
        } catch {
            preconditionFailure("what was written is no JSON: \(error)")
        }
    }
}
