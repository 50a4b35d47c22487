import Embedded
import EventLoop
import Glibc
import PostgreSQL
import TestSupport
import Testing

@testable import Store

@Suite struct `Migrating a database` {
    private let names = EmbeddedFile.migrations.map(\.name)

    private func migrate(
        _ database: TestDatabase, _ migrations: [EmbeddedFile] = EmbeddedFile.migrations
    ) async throws -> [String] {
        let loop = try database.makeLoop()
        return try await loop.carryOut { loop in
            let connection = try await PostgreSQLConnection.connect(
                to: database.ownerConnectionInfo, on: loop)
            defer { connection.close() }
            return try await Migrator(migrations: migrations).migrate(connection)
        }
    }

    @Test func `applies all from empty, and nothing the second time`() async throws {
        try await TestDatabase.with(isMigrated: false) { database in
            let first = try await migrate(database)
            let second = try await migrate(database)

            #expect(first == names)
            #expect(second.isEmpty)
        }
    }

    @Test func `three at once all succeed and exactly one applies`() async throws {
        try await TestDatabase.with(isMigrated: false) { database in
            let applied = try await withThrowingTaskGroup(of: [String].self) { group in
                for _ in 0..<3 { group.addTask { try await migrate(database) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }

            #expect(applied.count == 3)
            #expect(applied.filter { !$0.isEmpty } == [names])
        }
    }

    @Test func `refuses a migration that was changed after it was applied, and names it`()
        async throws
    {
        try await TestDatabase.with { database in
            try await database.query(
                "UPDATE migrations SET checksum = sha256('other') WHERE name = $1",
                .text(names[1]))

            let error = await #expect(throws: MigrationError.self) { try await migrate(database) }

            #expect(error?.description.contains(names[1]) == true)
            guard case .changed(names[1]) = error else {
                Issue.record("not refused as changed")
                return
            }
        }
    }

    @Test func `refuses a database of a newer program, and names its migration`() async throws {
        try await TestDatabase.with { database in
            try await database.query(
                "INSERT INTO migrations VALUES ('9999_do_more.sql', sha256('more'))")

            let error = await #expect(throws: MigrationError.self) { try await migrate(database) }

            guard case .unknown("9999_do_more.sql") = error else {
                Issue.record("not refused as unknown")
                return
            }
        }
    }

    @Test func `a migration that fails leaves nothing behind and can be tried again`()
        async throws
    {
        try await TestDatabase.with(isMigrated: false) { database in
            // It makes functions, and then needs a table that an earlier one creates.
            let failing = EmbeddedFile.migrations.filter { $0.name.hasPrefix("0022_") }

            await #expect(throws: MigrationError.self) { try await migrate(database, failing) }

            let functions = try await database.number(
                "SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace")
            let records = try await database.number("SELECT count(*) FROM migrations")
            let applied = try await migrate(database)
            #expect(functions == 0)
            #expect(records == 0)
            #expect(applied == names)
        }
    }

    @Test func `each file in Migrations travels with the program, in order`() throws {
        let folder = #filePath.split(separator: "/").dropLast(3).map { "/\($0)" }.joined()
        let directory = try #require(opendir(folder + "/Migrations"))
        defer { closedir(directory) }
        var files: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.hasSuffix(".sql") { files.append(name) }
        }

        #expect(names == files.sorted())
        for (index, name) in names.enumerated() {
            let number = String(index + 1)
            #expect(name.hasPrefix(String(repeating: "0", count: 4 - number.count) + number + "_"))
        }
    }
}
