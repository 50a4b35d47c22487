import ArgumentParser
import EventLoop
import PostgreSQL
import Store

/// Brings the database to the program's version.
struct Migrate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Bring the database to this program's version and exit.")

    @OptionGroup var options: DatabaseOptions

    func run() async throws {
        let database = try options.open(.join)
        let loop = try EventLoop(name: "leitstand-0")
        let applied = try await database.migrate(on: loop)
        await loop.stop()
        try database.close()
        printError(
            applied.isEmpty
                ? "the database is up to date" : "applied \(applied.joined(separator: ", "))")
    }
}

extension OpenDatabase {
    /// Applies the missing migrations as the owner, and returns their names.
    func migrate(on loop: EventLoop) async throws -> [String] {
        try await migrate(isolatedTo: loop)
    }

    private func migrate(isolatedTo loop: isolated EventLoop) async throws -> [String] {
        let connection = try await PostgreSQLConnection.connect(
            to: ownerConnectionInfo, on: loop, timeout: .seconds(10))
        defer { connection.close() }
        return try await Migrator().migrate(connection)
    }
}
