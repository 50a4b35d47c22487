import PostgreSQL

extension Database {
    /// Deletes a part of what no site may keep any longer and no hold covers: at most one day.
    ///
    /// - Returns: whether there may be more.
    public func deleteDue() async throws(StoreError) -> Bool {
        let results = try await work([Statement("SELECT run_retention()")])
        do throws(PostgreSQLError) {
            let isWork = try results[0].int64(0, 0) > 0
            if isWork { announceCommit() }
            return isWork
        } catch {
            throw StoreError(error)
        }
    }
}
