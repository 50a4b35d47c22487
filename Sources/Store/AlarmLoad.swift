import ControlCentre
import PostgreSQL

/// What a site's alarms come to now, for metrics.
public struct AlarmGauge: Sendable, Hashable {
    public let site: SiteID
    public let active: Int64
    public let unacknowledged: Int64
    public let overdue: Int64
    public let chattering: Int64
    public let stale: Int64
    /// Positions that have one.
    public let floods: Int64
    /// In the site's order; one without a name where it has entered none.
    public let positions: [Position]

    public init(
        site: SiteID, active: Int64, unacknowledged: Int64, overdue: Int64, chattering: Int64,
        stale: Int64, floods: Int64, positions: [Position]
    ) {
        self.site = site
        self.active = active
        self.unacknowledged = unacknowledged
        self.overdue = overdue
        self.chattering = chattering
        self.stale = stale
        self.floods = floods
        self.positions = positions
    }

    public struct Position: Sendable, Hashable {
        public let name: String
        /// How many alarms rang there in the last ten minutes.
        public let annunciated: Int64

        public init(name: String, annunciated: Int64) {
            self.name = name
            self.annunciated = annunciated
        }
    }
}

extension Database {
    /// Marks what is overdue, and starts and ends floods.
    public func followAlarmLoad() async throws(StoreError) {
        try await follow([
            Statement("SELECT mark_overdue_alarms()"), Statement("SELECT follow_floods()"),
        ])
    }

    /// Marks what has been active for too long.
    public func markStaleAlarms() async throws(StoreError) {
        try await follow([Statement("SELECT mark_stale_alarms()")])
    }

    /// Records what the observers' positions bore in the hours that are over, and what became known
    /// afterwards of earlier ones; in parts, so that others need not wait.
    public func recordAlarmLoad() async throws(StoreError) {
        var isMoreDue = true
        while isMoreDue {
            let results = try await work([Statement("SELECT record_load()")])
            do throws(PostgreSQLError) {
                isMoreDue = try results[0].bool(0, 0)
            } catch {
                throw StoreError(error)
            }
        }
    }

    private func follow(_ statements: [Statement]) async throws(StoreError) {
        let results = try await work(statements)
        do throws(PostgreSQLError) {
            var changed = false
            for result in results where try result.int64(0, 0) > 0 { changed = true }
            if changed { announceCommit() }
        } catch {
            throw StoreError(error)
        }
    }

    /// How many alarms rang at each position of a site; nil when there is no such site.
    public func alarmLoad(of site: SiteID, at instant: Timestamp) async throws(StoreError)
        -> [UInt8]?
    {
        let results = try await read([
            Statement("SELECT alarm_load_document($1, $2)::text", .text(site), .time(instant))
        ])
        do throws(PostgreSQLError) {
            return results[0].isNull(0, 0) ? nil : try results[0].bytes(0, 0)
        } catch {
            throw StoreError(error)
        }
    }

    /// - Parameter site: the site that the reader is bound to; nil for all.
    public func alarmGauges(only site: SiteID?, at instant: Timestamp)
        async throws(StoreError) -> [AlarmGauge]
    {
        // Active alarms are few; an index holds them alone.
        let results = try await read([
            Statement(
                """
                SELECT s.id, count(a.id), count(a.id) FILTER (WHERE a.handling = 'new'),
                    count(a.id) FILTER (WHERE a.overdue AND a.handling = 'new'),
                    count(a.id) FILTER (WHERE a.chattering), count(a.id) FILTER (WHERE a.stale),
                    (SELECT count(*) FROM floods f WHERE f.site = s.id AND f.ended_at IS NULL)
                FROM sites s
                LEFT JOIN alarms a ON a.site = s.id AND a.condition = 'active'
                WHERE $1::text IS NULL OR s.id = $1
                GROUP BY s.id ORDER BY s.id
                """, .text(site?.description)),
            Statement(
                """
                SELECT s.id, coalesce(p.name, ''),
                    count_annunciated(s.id, p.areas, $2 - interval '10 minutes', $2, NULL)
                FROM sites s
                LEFT JOIN observer_positions p ON p.site = s.id
                WHERE $1::text IS NULL OR s.id = $1
                ORDER BY s.id, p.ordinal
                """, .text(site?.description), .time(instant)),
        ])
        do throws(PostgreSQLError) {
            var positions: [SiteID: [AlarmGauge.Position]] = [:]
            for row in 0..<results[1].rowCount {
                positions[try results[1].site(row, 0), default: []].append(
                    AlarmGauge.Position(
                        name: try results[1].text(row, 1),
                        annunciated: try results[1].int64(row, 2)))
            }
            var gauges: [AlarmGauge] = []
            for row in 0..<results[0].rowCount {
                let site = try results[0].site(row, 0)
                gauges.append(
                    AlarmGauge(
                        site: site, active: try results[0].int64(row, 1),
                        unacknowledged: try results[0].int64(row, 2),
                        overdue: try results[0].int64(row, 3),
                        chattering: try results[0].int64(row, 4),
                        stale: try results[0].int64(row, 5),
                        floods: try results[0].int64(row, 6), positions: positions[site] ?? []))
            }
            return gauges
        } catch {
            throw StoreError(error)
        }
    }
}
