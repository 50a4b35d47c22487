import ControlCentre
import PostgreSQL

/// Where an event stands in the journal: the position of its change, and its place in it.
///
/// It is the id of a live event, as `position.ordinal`. `0.0` is before all events.
public struct EventID: Hashable, Comparable, Sendable, LosslessStringConvertible {
    public let position: Int64
    public let ordinal: Int32

    public init(position: Int64, ordinal: Int32) {
        self.position = position
        self.ordinal = ordinal
    }

    public init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        // Digits alone: Int64 would take a sign too.
        guard parts.count == 2,
            parts.allSatisfy({ $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }),
            let position = Int64(parts[0]), let ordinal = Int32(parts[1])
        else { return nil }
        self.init(position: position, ordinal: ordinal)
    }

    public static let origin = EventID(position: 0, ordinal: 0)

    public static func < (left: EventID, right: EventID) -> Bool {
        (left.position, left.ordinal) < (right.position, right.ordinal)
    }

    public var description: String { "\(position).\(ordinal)" }
}

/// A kind of thing whose history can be read: its table, and the history's member for it.
public struct HistorySubject: Sendable {
    let table: String
    /// The name of the resource, which is also that of the member with its document.
    public let name: String
    /// What the access log calls the reading of it.
    public let action: AccessAction

    public static let alarm = HistorySubject(
        table: "alarms", name: "alarm", action: .alarmRead)
    public static let incident = HistorySubject(
        table: "incidents", name: "incident", action: .incidentRead)
    public static let intervention = HistorySubject(
        table: "interventions", name: "intervention", action: .interventionRead)
}

/// Part of the journal as readers see it.
public struct JournalPage: Sendable {
    public let documents: [[UInt8]]
    /// Of the last row, if there are more; nil on the last page.
    public let next: EventID?

    /// What each row tells of its change, as members of a JSON object; `j` is the journal's row,
    /// `p` its position.
    static let members = """
        'id', p.position || '.' || j.ordinal,
        'event', j.event,
        'occurred_at', rfc3339(j.occurred_at),
        'recorded_at', rfc3339(p.recorded_at),
        'actor', CASE WHEN j.actor IS NOT NULL THEN json_build_object(
            'token', j.actor,
            'name', (SELECT name FROM tokens t WHERE t.id = j.actor),
            'role', j.role) END,
        'reason', j.reason,
        'note', (SELECT text FROM remarks r WHERE r.id = j.remark),
        'remark', j.remark,
        'remarks', (SELECT coalesce(json_object_agg(m.member, m.remark), '{}')
            FROM remarks_in(j.document) m),
        'request_id', j.request_id
        """
    /// What changed, with the names and texts that are not erased.
    static let document = "with_remarks(with_staff_names(j.document))"

    /// Reads rows of position, ordinal and document, one more than `limit` if there are more.
    init(_ rows: QueryResult, limit: Int) throws(PostgreSQLError) {
        let count = min(rows.rowCount, limit)
        var documents: [[UInt8]] = []
        for row in 0..<count { documents.append(try rows.bytes(row, 2)) }
        self.documents = documents
        next =
            rows.rowCount > limit
            ? EventID(
                position: try rows.int64(count - 1, 0), ordinal: try rows.int32(count - 1, 1)) : nil
    }
}

/// Who changed something last, and when.
public struct LastChange: Sendable {
    /// Whoever did it as a JSON object; nil where the server did by itself, or the command line.
    public let by: [UInt8]?
    public let at: Timestamp
}

extension Database {
    /// The last change of something by its journal, or nil if there is none. What a node tells of
    /// itself is no change of it, nor what is counted or deleted at a site one of the site.
    ///
    /// - Parameter resource: as its events name it: `site` of `site.changed`.
    public func lastChange(of subject: String, resource: String) async throws(StoreError)
        -> LastChange?
    {
        let results = try await read([
            Statement(
                """
                SELECT CASE WHEN j.actor IS NOT NULL THEN
                        with_staff_names(json_build_object('token', j.actor))::text END,
                    p.recorded_at
                FROM journal j JOIN positions p USING (change)
                WHERE j.subject = $1 AND split_part(j.event, '.', 1) = $2
                    AND j.event NOT IN ('node.lost', 'node.returned', 'node.status-changed')
                ORDER BY p.position DESC, j.ordinal DESC LIMIT 1
                """, .text(subject), .text(resource))
        ])
        guard results[0].rowCount == 1 else { return nil }
        do throws(PostgreSQLError) {
            return LastChange(
                by: results[0].isNull(0, 0) ? nil : try results[0].bytes(0, 0),
                at: try results[0].time(0, 1))
        } catch {
            throw StoreError(error)
        }
    }

    /// The history of something from the journal; nil when the reader may not know of it.
    public func history(
        of id: some UUIDIdentifier, in subject: HistorySubject, only site: SiteID?,
        after: EventID?, limit: Int
    ) async throws(StoreError) -> JournalPage? {
        let after = after ?? .origin
        let results = try await read([
            Statement(
                "SELECT FROM \(subject.table) WHERE id = $1 AND ($2::text IS NULL OR site = $2)",
                .uuid(id), .text(site?.description)),
            Statement(
                """
                SELECT p.position, j.ordinal, json_build_object(
                    \(JournalPage.members),
                    '\(subject.name)', \(JournalPage.document))::text
                FROM journal j JOIN positions p USING (change)
                WHERE j.subject = $1 AND (p.position, j.ordinal) > ($2, $3)
                ORDER BY p.position, j.ordinal LIMIT \(limit + 1)
                """, .text(id.description), .int64(after.position), .int32(after.ordinal)),
        ])
        guard results[0].rowCount == 1 else { return nil }
        do throws(PostgreSQLError) {
            return try JournalPage(results[1], limit: limit)
        } catch {
            throw StoreError(error)
        }
    }
}
