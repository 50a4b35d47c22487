import PostgreSQL

extension Database {
    /// Records how cameras were watched in the hours that are over, and what was entered afterwards
    /// for earlier ones; in parts, so that others need not wait.
    public func recordCoverage() async throws(StoreError) {
        _ = try await work([Statement("SELECT advance_coverage()")])
        var isMoreDue = true
        while isMoreDue {
            let results = try await work([Statement("SELECT record_coverage()")])
            do throws(PostgreSQLError) {
                isMoreDue = try results[0].bool(0, 0)
            } catch {
                throw StoreError(error)
            }
        }
    }
}
