import ControlCentre
import PostgreSQL
import TestSupport
import Testing

@testable import Store

@Suite(.timeLimit(.minutes(5))) struct `Positions` {
    private func createArea(_ site: SiteID, in instance: Instance, loop: Int = 0) async throws {
        try await instance.databases[loop].run { database, _ in
            _ = try await database.createArea(
                NewArea(site: site, name: "Neckarwiese", monitored: false),
                by: DemonstrationSite.author, at: .now()
            ).stored()
        }
    }

    @Test func `are gapless at each instant, and nothing appears behind a reader`() async throws {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database, loops: 8)
            let site = try await DemonstrationSite(in: instance, cameras: 8)
            let start = try await instance.run { try await $0.journalHead() }.position
            let isOver = Flag()

            async let last = read(database, until: isOver)
            do {
                defer { isOver.set() }
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for writer in 0..<8 {
                        group.addTask {
                            try await write(15, as: writer, in: instance, at: site)
                        }
                    }
                    try await group.waitForAll()
                }
            }

            #expect(try await last == start + 120)
            let disordered = try await database.number(
                """
                SELECT count(*) FROM (SELECT position - lag(position) OVER ordered AS step,
                    recorded_at - lag(recorded_at) OVER ordered AS time
                    FROM positions WINDOW ordered AS (ORDER BY position)) steps
                WHERE step <> 1 OR time <= interval '0'
                """)
            #expect(disordered == 0)
        }
    }

    /// Creates areas or posts detections, by the writer's number.
    private func write(
        _ count: Int, as writer: Int, in instance: Instance, at site: DemonstrationSite
    ) async throws {
        let now = Timestamp.now()
        for number in 0..<count {
            if writer.isMultiple(of: 2) {
                try await createArea(site.id, in: instance, loop: writer)
            } else {
                let detection = site.detection(camera: writer, at: now + .seconds(60 * number))
                _ = try await instance.submit([detection], lane: writer)
            }
        }
    }

    /// Reads over and over what a reader of the journal would, and once more after the end.
    ///
    /// - Returns: the last position.
    private func read(_ database: TestDatabase, until isOver: Flag) async throws -> Int64 {
        try await database.session { connection, _ in
            func eventsUp(to position: Int64) async throws -> Int64 {
                let result = try await connection.execute(
                    Statement(
                        """
                        SELECT count(*) FROM journal JOIN positions USING (change)
                        WHERE position <= $1
                        """, .int64(position)))
                return try result.int64(0, 0)
            }
            var seen: (position: Int64, events: Int64) = (0, 0)
            var isLast = false
            repeat {
                isLast = isOver.isSet
                let result = try await connection.execute(
                    Statement("SELECT count(*), coalesce(max(position), 0) FROM positions"))
                let head = try result.int64(0, 1)
                #expect(try result.int64(0, 0) == head, "a position is missing")
                let before = try await eventsUp(to: seen.position)
                #expect(before == seen.events, "an event appeared behind the reader")
                seen = (head, try await eventsUp(to: head))
            } while !isLast
            return seen.position
        }
    }

    @Test func `are not stalled by a transaction that stays open, which comes last`()
        async throws
    {
        try await TestDatabase.with { database in
            let instance = try await Instance(on: database)
            let site = try await DemonstrationSite(in: instance)

            let position = try await database.session { connection, _ in
                _ = try await connection.execute([
                    Statement("BEGIN"), Statement("SELECT nextval('changes')"),
                    Statement(
                        """
                        INSERT INTO journal (change, ordinal, event, subject, occurred_at, document)
                        SELECT currval('changes'), n, 'import.row', 'x', now(), '{}'
                        FROM generate_series(1, 10000) n
                        """),
                ])
                let before = try await instance.run { try await $0.journalHead() }
                try await createArea(site.id, in: instance)
                let after = try await instance.run { try await $0.journalHead() }
                #expect(after.position == before.position + 1)

                let results = try await connection.execute([
                    Database.appendPosition, Statement("COMMIT"),
                ])
                #expect(try results[0].int64(0, 0) == after.position + 1)
                return try results[0].int64(0, 0)
            }

            let head = try await instance.run { try await $0.journalHead() }
            #expect(head == EventID(position: position, ordinal: 10_000))
        }
    }
}
