import ControlCentre
import PostgreSQL

extension Database {
    /// The time zone of a site, or the one that all sites have; UTC where they have several.
    ///
    /// - Returns: nil when there is no such site.
    public func timeZone(of site: SiteID?) async throws(StoreError) -> String? {
        let results = try await read([
            Statement(
                """
                SELECT DISTINCT time_zone FROM sites WHERE $1::text IS NULL OR id = $1 LIMIT 2
                """, .text(site?.description))
        ])
        do throws(PostgreSQLError) {
            switch results[0].rowCount {
            case 1: return try results[0].text(0, 0)
            case 0 where site != nil: return nil
            default: return "UTC"
            }
        } catch {
            throw StoreError(error)
        }
    }

    /// Instants as a zone's clocks show them: `YYYY-MM-DD HH:MM:SS`.
    public func localTexts(of instants: [Timestamp], in timeZone: String)
        async throws(StoreError) -> [String]
    {
        let results = try await read([
            Statement(
                """
                SELECT to_char(i.instant AT TIME ZONE $2, 'YYYY-MM-DD HH24:MI:SS')
                FROM unnest($1) WITH ORDINALITY i (instant, place) ORDER BY i.place
                """,
                .timestamps(
                    microsecondsSinceUnixEpoch: instants.map(\.microsecondsSinceEpoch)),
                .text(timeZone))
        ])
        do throws(PostgreSQLError) {
            var texts: [String] = []
            for row in 0..<results[0].rowCount { texts.append(try results[0].text(row, 0)) }
            return texts
        } catch {
            throw StoreError(error)
        }
    }
}
