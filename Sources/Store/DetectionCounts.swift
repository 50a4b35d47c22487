import PostgreSQL

extension Database {
    /// Counts the detections that were recorded before the last full quarter of an hour, for the
    /// statistics: they are deleted one day, and their counts are not.
    public func countDetections() async throws(StoreError) {
        let results = try await work([
            Statement(
                "SELECT count_detections(date_bin('15 minutes', clock_timestamp(), 'epoch'))")
        ])
        do throws(PostgreSQLError) {
            if try results[0].int64(0, 0) > 0 { announceCommit() }
        } catch {
            throw StoreError(error)
        }
    }
}
