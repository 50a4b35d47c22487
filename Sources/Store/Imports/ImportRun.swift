import ControlCentre
import PostgreSQL

/// One import's transaction, from BEGIN to COMMIT or ROLLBACK, on a connection of its own.
///
/// Everything is written whatever is refused meanwhile, so that a line is told from the others as
/// it would be without them; in the end it is kept or rolled back.
final class ImportRun {
    private let connection: PostgreSQLConnection
    private let options: ImportOptions
    private let scope: ImportScope
    private var tally = ImportTally()
    private var faults: [HistoricFault] = []
    private var faultsOmitted = 0

    /// Rows of one statement of the journal.
    private static let journalLines: Int64 = 5_000

    init(
        _ connection: PostgreSQLConnection, site: SiteID, options: ImportOptions,
        author: Author?, instant: Timestamp
    ) {
        self.connection = connection
        self.options = options
        scope = ImportScope(
            site: site, id: .make(at: instant), author: author, instant: instant)
    }

    func take(
        _ source: some HistorySource, _ progress: (ImportTally) -> Void
    ) async throws(PostgreSQLError) -> ImportOutcome {
        let opened = try await connection.execute(
            [Database.begin, Database.nextChange, scope.lock] + ImportPlaces.statements(scope.site))
        guard opened[3].rowCount == 1 else { return try await rollBack(.unknownSite) }
        guard try opened[2].bool(0, 0) else { return try await rollBack(.alreadyRunning) }
        let places = try ImportPlaces(opened[3...])

        var lastLine = 0
        var interventions = 0
        source.restart()
        while let piece = source.next() {
            refuse(piece.faults, lines: piece.lineCount - piece.rows.count)
            var incidents: [NumberedLine<HistoricIncident>] = []
            for row in piece.rows {
                lastLine = row.line
                switch row.record {
                case .incident(let incident):
                    incidents.append(NumberedLine(line: row.line, record: incident))
                case .intervention: interventions += 1
                }
            }
            let batch = IncidentBatch(incidents, scope, places)
            try await take(batch.reading, batch.decide)
            if let most = options.linesMax, tally.lines + interventions > most {
                return try await rollBack(.tooManyLines)
            }
            progress(tally)
        }
        if interventions > 0 {
            source.restart()
            while let piece = source.next() {
                var lines: [NumberedLine<HistoricIntervention>] = []
                for row in piece.rows {
                    guard case .intervention(let intervention) = row.record else { continue }
                    lines.append(NumberedLine(line: row.line, record: intervention))
                }
                let batch = InterventionBatch(lines, scope, places)
                try await take(batch.reading, batch.decide)
                progress(tally)
            }
        }
        guard !source.isBroken else { return try await rollBack(.unreadable) }
        return try await finish(source, places, lastLine: Int64(lastLine))
    }

    /// Reads what rows refer to, and writes those of them that nothing forbids.
    private func take(
        _ reading: [Statement],
        _ decide: ([QueryResult]) throws(PostgreSQLError) -> ImportDecision
    ) async throws(PostgreSQLError) {
        guard !reading.isEmpty else { return }
        let decision = try decide(try await connection.execute(reading))
        if !decision.statements.isEmpty { try await connection.execute(decision.statements) }
        tally.incidents += decision.tally.incidents
        tally.interventions += decision.tally.interventions
        tally.known += decision.tally.known
        refuse(decision.faults, lines: decision.tally.refused)
    }

    private func refuse(_ found: [HistoricFault], lines: Int) {
        tally.refused += lines
        let room = max(0, options.faultsMax - faults.count)
        faults += found.prefix(room)
        faultsOmitted += max(0, found.count - room)
    }

    // MARK: The end

    private func rollBack(_ outcome: ImportOutcome) async throws(PostgreSQLError) -> ImportOutcome {
        try await connection.execute(Database.rollback)
        return outcome
    }

    private func finish(
        _ source: some HistorySource, _ places: ImportPlaces, lastLine: Int64
    ) async throws(PostgreSQLError) -> ImportOutcome {
        let isRefused = tally.refused > 0 && !options.isPartial
        let isEmpty = tally.incidents + tally.interventions == 0
        guard !options.isDryRun, !isRefused, !isEmpty else {
            return try await rollBack(.done(report(source, isKept: false)))
        }
        var line: Int64 = 0
        while line < lastLine {
            try await connection.execute(scope.journal(from: line, to: line + Self.journalLines))
            line += Self.journalLines
        }
        let zone = try await connection.execute(ImportPlaces.zoneLocked(scope.site))
        guard try zone.text(0, 0) == places.zone else {
            return try await rollBack(.timeZoneChanged)
        }
        let results = try await connection.execute(
            scope.record(tally, source, isPartial: options.isPartial)
                + [Database.appendPosition, Database.commit])
        try QueryResult.requireCommit(results[results.count - 1])
        return .done(report(source, isKept: true))
    }

    private func report(_ source: some HistorySource, isKept: Bool) -> ImportReport {
        ImportReport(
            id: isKept ? scope.id : nil, isDryRun: options.isDryRun, tally: tally,
            format: source.format, hash: source.hash,
            // The second reading finds faults of lines before those of the first.
            faults: faults.sorted { $0.line < $1.line }, faultsOmitted: faultsOmitted,
            isRefused: tally.refused > 0 && !options.isPartial)
    }
}
