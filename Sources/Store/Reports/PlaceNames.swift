import ControlCentre
import PostgreSQL

/// What sites, areas and cameras are called at an instant, by their ids.
public struct PlaceNames: Sendable {
    public fileprivate(set) var sites: [String: String] = [:]
    public fileprivate(set) var areas: [String: String] = [:]
    public fileprivate(set) var cameras: [String: String] = [:]
}

extension Database {
    /// The names of those of the ids that exist.
    public func placeNames(sites: [String], areas: [UUID], cameras: [UUID])
        async throws(StoreError) -> PlaceNames
    {
        let results = try await read([
            Statement("SELECT id, name FROM sites WHERE id = ANY ($1)", .texts(sites)),
            Statement(
                "SELECT id::text, name FROM areas WHERE id = ANY ($1)",
                .uuids(areas.map { PostgreSQLUUID($0) })),
            Statement(
                "SELECT id::text, name FROM cameras WHERE id = ANY ($1)",
                .uuids(cameras.map { PostgreSQLUUID($0) })),
        ])
        func names(_ result: QueryResult) throws(PostgreSQLError) -> [String: String] {
            var names: [String: String] = [:]
            for row in 0..<result.rowCount {
                names[try result.text(row, 0)] = try result.text(row, 1)
            }
            return names
        }
        do throws(PostgreSQLError) {
            var all = PlaceNames()
            all.sites = try names(results[0])
            all.areas = try names(results[1])
            all.cameras = try names(results[2])
            return all
        } catch {
            throw StoreError(error)
        }
    }
}
