import ControlCentre
import EventLoop
import PostgreSQL
import Synchronization

/// An event of the journal on its way to the live streams.
public struct JournalEvent: Sendable {
    public let id: EventID
    /// Such as `alarm.raised`.
    public let name: String
    /// Nil: of no site.
    public let site: SiteID?
    /// The id of what changed.
    public let subject: String
    /// The resource after the change, as lists give it.
    public let document: [UInt8]
}

extension Database {
    /// Run on each connection that reads the journal.
    ///
    /// Without it a planner that has not yet heard of an import's many rows gathers and sorts
    /// them all for each page, where the journal's key gives the page in order.
    public static let setUp = [Statement("SET enable_bitmapscan = off")]

    /// The newest event id: everything at or before it is committed and visible.
    public func journalHead() async throws(StoreError) -> EventID {
        let results = try await read([Self.head])
        do throws(PostgreSQLError) {
            return try Self.head(results[0])
        } catch {
            throw StoreError(error)
        }
    }

    /// Events after `id` in order, at most `limit`, and the head as it was before they were read.
    ///
    /// - Parameter site: nil for all sites.
    public func events(after id: EventID, site: SiteID?, limit: Int)
        async throws(StoreError) -> (events: [JournalEvent], head: EventID)
    {
        let results = try await read([Self.head, Self.events(after: id, site: site, limit: limit)])
        do throws(PostgreSQLError) {
            return (try Self.events(results[1]), try Self.head(results[0]))
        } catch {
            throw StoreError(error)
        }
    }

    static let head = Statement(
        """
        SELECT p.position,
            coalesce((SELECT max(j.ordinal) FROM journal j WHERE j.change = p.change), 0)
        FROM positions p ORDER BY p.position DESC LIMIT 1
        """)

    // Each position by itself, from the ordinal on where the last page ended: an import's one
    // change of many rows would otherwise be read whole, and sorted, for each of its pages. Of an
    // import only its completion is news; a million incidents of years ago would hold up all else.
    static func events(after id: EventID, site: SiteID?, limit: Int) -> Statement {
        Statement(
            """
            SELECT p.position, j.ordinal, j.event, j.site, j.subject,
                with_remarks(with_staff_names(j.document))::text
            FROM positions p
            CROSS JOIN LATERAL (
                SELECT * FROM journal
                WHERE change = p.change
                    AND ordinal > CASE WHEN p.position = $1 THEN $2 ELSE -1 END
                    AND event NOT IN ('incident.imported', 'intervention.imported')
                    AND ($3::text IS NULL OR site = $3
                        -- The name of somebody of all sites may be shown at each.
                        OR site IS NULL AND event = 'erasure.completed')
                ORDER BY ordinal LIMIT \(limit)
            ) j
            WHERE p.position >= $1
            ORDER BY p.position, j.ordinal LIMIT \(limit)
            """, .int64(id.position), .int32(id.ordinal), .text(site?.description))
    }

    static func head(_ result: QueryResult) throws(PostgreSQLError) -> EventID {
        guard result.rowCount == 1 else { return .origin }
        return EventID(position: try result.int64(0, 0), ordinal: try result.int32(0, 1))
    }

    static func events(_ result: QueryResult) throws(PostgreSQLError) -> [JournalEvent] {
        var events: [JournalEvent] = []
        events.reserveCapacity(result.rowCount)
        for row in 0..<result.rowCount {
            events.append(
                JournalEvent(
                    id: EventID(
                        position: try result.int64(row, 0), ordinal: try result.int32(row, 1)),
                    name: try result.text(row, 2),
                    site: result.isNull(row, 3) ? nil : try result.site(row, 3),
                    subject: try result.text(row, 4), document: try result.bytes(row, 5)))
        }
        return events
    }
}

/// Reads the journal once for the whole process and hands what is new to all loops.
///
/// It looks after each commit of its own instance, when another instance notifies, and twice a
/// second whatever happens: a lost notification costs half a second, not an event, and so does a
/// commit past the server. Positions are in commit order without gaps, so what lies behind the
/// last event read can never appear later.
///
/// Owned by one loop.
public final class JournalFeed {
    private let conninfo: String
    private let setUp: [Statement]
    private var connection: PostgreSQLConnection?
    private let deliver: @Sendable ([JournalEvent], EventID) -> Void
    private let signal: CommitSignal
    private let instance = "\(UInt64.random(in: .min ... .max))"
    private var last: EventID?
    private var isReading = false
    private var isAskedAgain = false
    private var announces = false

    private static let channel = "leitstand_journal"
    private static let pageSize = 1_000
    private static let pollInterval: Duration = .milliseconds(500)

    /// - Parameters:
    ///   - conninfo: of the connection that the feed keeps for itself, as the runtime role.
    ///   - setUp: run on that connection first.
    ///   - deliver: called on the feed's loop with new events and the id up to which all is known.
    public init(
        conninfo: String, setUp: [Statement], signal: CommitSignal,
        deliver: @escaping @Sendable ([JournalEvent], EventID) -> Void
    ) {
        self.conninfo = conninfo
        self.setUp = setUp
        self.signal = signal
        self.deliver = deliver
    }

    /// Begins with what is committed from now on.
    public func start(on loop: isolated EventLoop) {
        // Sound: the feed belongs to this loop, where the signal's task runs too.
        nonisolated(unsafe) let feed = self
        signal.connect(to: loop) { loop in
            feed.announces = true
            feed.look(on: loop)
        }
        poll(on: loop)
    }

    private func poll(on loop: isolated EventLoop) {
        look(on: loop)
        loop.schedule(after: Self.pollInterval) { self.poll(on: loop) }
    }

    private func look(on loop: isolated EventLoop) {
        guard !isReading else {
            isAskedAgain = true
            return
        }
        isReading = true
        Task {
            await self.read(on: loop)
            self.isReading = false
            if self.isAskedAgain {
                self.isAskedAgain = false
                self.look(on: loop)
            }
        }
    }

    private func read(on loop: isolated EventLoop) async {
        signal.reset()
        let announcing = announces
        announces = false
        do throws(PostgreSQLError) {
            let connection = try await connected(on: loop)
            var isComplete = false
            while !isComplete {
                let after = last
                var statements = [Database.head]
                if let after {
                    statements.append(
                        Database.events(after: after, site: nil, limit: Self.pageSize))
                }
                if announcing {
                    // Outside the changes' own transactions, where each NOTIFY would take a lock;
                    // several commits share one.
                    statements.append(
                        Statement(
                            "SELECT pg_notify($1, $2)", .text(Self.channel), .text(instance)))
                }
                let results = try await connection.execute(statements)
                let head = try Database.head(results[0])
                guard after != nil else {
                    last = head
                    deliver([], head)
                    return
                }
                let events = try Database.events(results[1])
                isComplete = events.count < Self.pageSize
                let newest = events.last?.id ?? head
                last = isComplete ? max(head, newest, after ?? head) : newest
                deliver(events, last ?? newest)
            }
        } catch {
            // PostgreSQL is away; the next poll tries again from where this one stopped.
            announces = announces || announcing
        }
    }

    /// The feed's own connection, which listens; made anew when it was lost.
    private func connected(on loop: isolated EventLoop)
        async throws(PostgreSQLError) -> PostgreSQLConnection
    {
        if let connection, connection.isOpen { return connection }
        let connection = try await PostgreSQLConnection.connect(to: conninfo, on: loop)
        do throws(PostgreSQLError) {
            _ = try await connection.execute(
                setUp + Database.setUp + [Statement("LISTEN \(Self.channel)")])
        } catch {
            // A standby refuses LISTEN: each poll would leave a connection behind.
            connection.close()
            throw error
        }
        connection.onNotification = { notification in
            guard notification.payload != self.instance else { return }
            self.look(on: loop)
        }
        self.connection = connection
        return connection
    }
}

/// Tells the feed that something was committed, from any loop, at the cost of a flag.
public final class CommitSignal: Sendable {
    private let isSet = Atomic<Bool>(false)
    private let target = Mutex<Target?>(nil)

    private struct Target {
        let loop: EventLoop
        let action: @Sendable (isolated EventLoop) -> Void
    }

    public init() {}

    /// Signals once, however often it is called before the feed looks.
    public func notify() {
        guard !isSet.exchange(true, ordering: .acquiringAndReleasing) else { return }
        guard let target = target.withLock({ $0 }) else { return }
        target.loop.spawn { loop in target.action(loop) }
    }

    func connect(
        to loop: EventLoop, _ action: @escaping @Sendable (isolated EventLoop) -> Void
    ) {
        target.withLock { $0 = Target(loop: loop, action: action) }
    }

    func reset() { isSet.store(false, ordering: .releasing) }
}
