import ControlCentre
import EventLoop
import PostgreSQL
import TestSupport
import Testing

@testable import Store

@Suite(.timeLimit(.minutes(5))) struct `The journal feed` {
    /// A feed of its own instance, and what it delivers.
    private struct Feed {
        let events: AsyncStream<JournalEvent>

        /// Starts a feed and waits until it knows where it begins.
        init(on database: TestDatabase, signal: CommitSignal = CommitSignal()) async throws {
            let loop = try database.makeLoop()
            let (events, eventsEnd) = AsyncStream<JournalEvent>.makeStream()
            let (started, startedEnd) = AsyncStream<Void>.makeStream()
            let conninfo = database.runtimeConnectionInfo
            await loop.run { loop in
                let feed = JournalFeed(
                    conninfo: conninfo, setUp: [Statement("SET application_name = 'feed'")],
                    signal: signal
                ) { delivered, _ in
                    for event in delivered { eventsEnd.yield(event) }
                    startedEnd.yield()
                }
                feed.start(on: loop)
            }
            self.events = events
            for await _ in started { break }
        }
    }

    private func createArea(_ number: Int, at site: SiteID, in instance: Instance) async throws {
        try await instance.run { database in
            _ = try await database.createArea(
                NewArea(site: site, name: "Bereich \(number)", monitored: true),
                by: DemonstrationSite.author, at: .now()
            ).stored()
        }
    }

    /// Expects all that the journal holds after `start`, each once and in order.
    private func expectAll(
        _ events: AsyncStream<JournalEvent>, after start: EventID, in database: TestDatabase
    ) async throws {
        let journal = try await database.query(
            """
            SELECT position, ordinal, event FROM journal JOIN positions USING (change)
            WHERE (position, ordinal) > (\(start.position), \(start.ordinal))
            ORDER BY position, ordinal
            """)
        var row = 0
        for await event in events {
            let expected = EventID(
                position: try journal.int64(row, 0), ordinal: try journal.int32(row, 1))
            #expect(event.id == expected)
            #expect(event.name == (try journal.text(row, 2)))
            row += 1
            if row == journal.rowCount { break }
        }
    }

    @Test func `delivers each event once and in order while two instances write`() async throws {
        try await TestDatabase.with { database in
            let instances = [
                try await Instance(on: database), try await Instance(on: database, loops: 2),
            ]
            let site = try await DemonstrationSite(in: instances[0], cameras: 2)
            let feed = try await Feed(on: database, signal: instances[0].signal)
            let start = try await instances[0].run { try await $0.journalHead() }
            let now = Timestamp.now()

            try await withThrowingTaskGroup(of: Void.self) { group in
                for (number, instance) in instances.enumerated() {
                    group.addTask {
                        for count in 0..<30 {
                            try await createArea(count, at: site.id, in: instance)
                        }
                    }
                    group.addTask {
                        for count in 0..<30 {
                            // Each clears one alarm and raises another.
                            _ = try await instance.submit(
                                site.detection(camera: number, at: now + .seconds(31 * count)))
                        }
                    }
                }
                try await group.waitForAll()
            }

            try await expectAll(feed.events, after: start, in: database)
        }
    }

    @Test func `goes on where it was after its connection is terminated`() async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance)
            let feed = try await Feed(on: database, signal: instance.signal)
            let start = try await instance.run { try await $0.journalHead() }

            for number in 0..<3 {
                try await createArea(number, at: site.id, in: instance)
                let ended = try await database.query(
                    """
                    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                    WHERE application_name = 'feed' AND datname = current_database()
                    """)
                #expect(ended.rowCount <= 1)
                try await createArea(number, at: site.id, in: instance)
            }

            try await expectAll(feed.events, after: start, in: database)
        }
    }

    @Test func `hears of another instance's commit before it would look by itself`() async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance)
            // Its own feed announces what the instance commits.
            let announcing = try await Feed(on: database, signal: instance.signal)
            let feed = try await Feed(on: database)
            var heard = feed.events.makeAsyncIterator()
            let start = ContinuousClock.now

            for number in 0..<6 {
                try await createArea(number, at: site.id, in: instance)
                _ = await heard.next()
            }

            // By looking once a second it would take more than five.
            #expect(ContinuousClock.now - start < .seconds(4))
            _ = announcing
        }
    }
}
