import ControlCentre
import PostgreSQL

/// What instants the local times of some lines are; PostgreSQL knows the time zones.
struct LocalTimes {
    private let readings: [LocalTime: LocalReading]
    private let zone: String

    /// No matter is older, and clocks that show a later time do so at an instant of the year 10000.
    private static let range = Incident.occurredMin...(.latest - .seconds(86_400))

    /// - Parameter times: of some lines, those with an offset among them.
    static func statement(_ times: some Sequence<HistoricTime>, in zone: String) -> Statement {
        var locals: Set<LocalTime> = []
        for case .local(let local) in times where range.contains(local.inUTC) {
            locals.insert(local)
        }
        return Statement(
            """
            SELECT shown, first_instant(local, $2), local AT TIME ZONE $2,
                ((local AT TIME ZONE $2) AT TIME ZONE $2) AT TIME ZONE 'UTC'
            FROM unnest($1::timestamptz[]) AS named (shown)
            CROSS JOIN LATERAL (SELECT shown AT TIME ZONE 'UTC' AS local) AS clock
            """,
            .timestamps(
                microsecondsSinceUnixEpoch: locals.map(\.inUTC.microsecondsSinceEpoch)),
            .text(zone))
    }

    init(_ rows: QueryResult, in zone: String) throws(PostgreSQLError) {
        var readings: [LocalTime: LocalReading] = [:]
        for row in 0..<rows.rowCount {
            let local = LocalTime(inUTC: try rows.time(row, 0))
            readings[local] = LocalReading(
                of: local, first: try rows.time(row, 1), last: try rows.time(row, 2),
                shown: LocalTime(inUTC: try rows.time(row, 3)))
        }
        self.readings = readings
        self.zone = zone
    }

    func instant(_ time: HistoricTime, of column: String) throws(ColumnFault) -> Timestamp {
        let local: LocalTime
        switch time {
        case .instant(let instant): return instant
        case .local(let named): local = named
        }
        guard Self.range.contains(local.inUTC) else {
            throw ColumnFault(
                column, "out-of-range",
                "must be between \(Self.range.lowerBound) and \(Self.range.upperBound)")
        }
        switch readings[local] {
        case .instant(let instant):
            return instant
        case .ambiguous(let first, let second):
            throw ColumnFault(
                column, "time.ambiguous",
                "must have an offset, since \(local) was there twice in \(zone), where the clocks"
                    + " were put back: \(local)\(local.offset(at: first)) or"
                    + " \(local)\(local.offset(at: second))")
        case .skipped(let instant, let shown):
            throw ColumnFault(
                column, "time.nonexistent",
                "must be a time that there was, or have an offset; \(local) was skipped in \(zone),"
                    + " where the clocks were put forward:"
                    + " \(local)\(local.offset(at: instant)) is \(shown)"
                    + shown.offset(at: instant))
        case nil:
            preconditionFailure("a local time of the lines was not asked for")
        }
    }
}
